// What is pressed must stand under the pointer still when it is let go, or nobody hears of a click.
// Whatever comes into the page by itself waits for that; what grows word by word and what the player asked for does not.

const LONGEST = 2000; // ms; of some presses nobody hears the end, as when a menu opens

let press = Promise.resolve();

addEventListener("pointerdown", ({ target, button }) => {
  if (button !== 0 || !target.closest("button, summary, a")) return;
  press = new Promise((resolve) => {
    const ended = () => setTimeout(resolve); // its click is heard first
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, ended, { once: true });
    setTimeout(resolve, LONGEST);
  });
}, true);

/** Fulfilled when nothing is pressed any more. */
export function letGo() {
  return press;
}
