// Counts down the waits a page shows. The server says how long, at the moment it says it; from then on the page counts.
// It must never ask for anything by itself when a wait is over: that is the player's button.

const due = new WeakMap();

/** Brings every wait on the page up to now. */
export function count() {
  for (const element of document.querySelectorAll(".countdown")) {
    if (!due.has(element)) due.set(element, performance.now() + element.dataset.seconds * 1000);
    const left = Math.ceil((due.get(element) - performance.now()) / 1000);
    const said = left > 0 ? `in ${wait(left)}` : "now";
    if (element.textContent !== said) element.textContent = said;
  }
}

/** The same words as the server's. */
function wait(seconds) {
  const [number, unit] = seconds < 100 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}
