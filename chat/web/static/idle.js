// What a page can do without at first: it waits until the page stands there, so that nobody waits for it.

const PATIENCE = 2000; // ms; on a page that is never at rest it is done all the same

/** Does `work` once the page is there and nothing else is to be done for it. */
export function whenIdle(work) {
  const later = globalThis.requestIdleCallback ?? setTimeout;
  const wait = () => later(work, { timeout: PATIENCE });
  if (document.readyState === "complete") wait();
  else addEventListener("load", wait, { once: true });
}
