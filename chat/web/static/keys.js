// Keys that belong to no one thing on a page: the one that sends a turn, Escape, and "?" for the page of all of them.
// It must never take a key from somebody who is composing a character or writing elsewhere.

const TEXT = "input, textarea, select, [contenteditable]";
const HELD = ".edit[open], .rewrite[open]"; // forms that take care of Escape themselves

/** `composer` and `drawer` are those of the page, if it has them. */
export function listen(composer, drawer) {
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (composer && event.target === composer.box && sends(event)) {
      event.preventDefault();
      composer.send();
    }
    const isBare = !(event.ctrlKey || event.metaKey || event.altKey);
    if (event.key === "Escape" && isBare && !document.querySelector(":popover-open, dialog[open]")) leave(event, drawer);
    if (event.key === "?" && isBare && !event.target.closest(TEXT) && !document.querySelector("dialog[open]")) location.assign("/shortcuts");
  });
}

/** Ctrl+Enter always sends; Enter alone where that was chosen. */
function sends({ key, ctrlKey, metaKey, shiftKey, altKey }) {
  const alone = document.body.dataset.sendKey === "enter" && !shiftKey;
  return key === "Enter" && !altKey && (ctrlKey || metaKey || alone);
}

/** Escape leaves what is nearest: a form, the drawer, what is being written; and the page of keys. */
function leave(event, drawer) {
  if (event.target.closest(HELD)) return;
  if (document.body.dataset.page === "shortcuts") return history.back();
  const stop = document.getElementById("stop");
  const isIn = drawer?.open && (drawer.contains(event.target) || !stop);
  if (!isIn) return void stop?.requestSubmit();
  drawer.open = false;
  drawer.querySelector("summary").focus();
}
