// What has the focus when a part of the page is replaced: what stands for it in the fresh part is given it.
// It must never take the focus from where the player has it by then.

/** Remembers what has the focus inside `root`. The function it returns gives it to what stands for that among the
 * elements that came, or else to `otherwise`. */
export function holdFocus(root) {
  const held = root.contains(document.activeElement) ? document.activeElement : null;
  const address = held && addressOf(held); // what is no longer on the page may be without its form
  return (fresh, otherwise) => {
    if (!held || held.isConnected || document.activeElement !== document.body) return;
    (heirOf(held, address, fresh) ?? otherwise)?.focus({ preventScroll: true });
  };
}

/** Fragments that htmx fetches; it gives the focus back itself to what has an id. */
export function holdOverSwaps() {
  let giveBack = null;
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    giveBack = holdFocus(detail.target);
  });
  document.addEventListener("htmx:afterSwap", ({ target }) => {
    giveBack?.([...target.parentElement.children].filter((one) => one.classList.contains("htmx-added")));
    giveBack = null;
  });
}

const addressOf = (element) => element.getAttribute("href") ?? element.form?.getAttribute("action");

/** Where turns came, one goes on with the nearest of them: it stands where the link to them stood, and the next such
 * link, which lies before them all, would fetch all of the story as soon as it is looked at. */
function heirOf(lost, address, fresh) {
  return twin(lost, address, fresh)
    ?? fresh.findLast((one) => one.matches(".turn"))
    ?? fresh.map((one) => one.querySelector("button, a")).find(Boolean);
}

/** The element that took the place of `lost`. */
function twin(lost, address, fresh) {
  const alike = fresh.flatMap((one) => [...one.querySelectorAll(lost.localName)]);
  const led = alike.filter((one) => address && addressOf(one) === address);
  return alike.find((one) => lost.id && one.id === lost.id)
    ?? led.find((one) => one.textContent === lost.textContent)
    ?? led[0];
}
