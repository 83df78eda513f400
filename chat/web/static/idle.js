// What a page can do without at first: it waits until the page stands there, so that nobody waits for it.

/** Does `work` once the page is there and nothing else is to be done for it. */
export function whenIdle(work) {
  const wait = () => (globalThis.requestIdleCallback ?? setTimeout)(work);
  if (document.readyState === "complete") wait();
  else addEventListener("load", wait, { once: true });
}
