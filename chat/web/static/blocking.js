// A notice that blocks: with script the page behind it waits until it was read; without, it only covers the page.
// It must never close on a key that was meant for the box below, nor take its sentences away when it closes.

/** `place` is where notices stand, those of the page and those that come later. */
export function heedBlocking(place) {
  let before = null; // what had the focus when the page was blocked
  const look = () => {
    const dialog = place.querySelector("dialog.blocking");
    if (dialog) {
      before ??= document.activeElement;
      if (!dialog.matches(":modal")) block(dialog);
    } else if (before) {
      goOn(before);
      before = null;
    }
  };
  new MutationObserver(look).observe(place, { childList: true });
  look();
}

/** It has the focus itself: somebody who is writing presses no button of it unread. */
function block(dialog) {
  dialog.open = false; // only one that is shut can be opened as what blocks
  dialog.tabIndex = -1;
  dialog.addEventListener("close", () => dialog.replaceWith(dialog.querySelector(".notice")), { once: true });
  dialog.showModal();
  dialog.focus();
}

/** The player goes on where they were, or else where one writes. */
function goOn(before) {
  if (document.activeElement !== document.body) return;
  const isThere = before.isConnected && before !== document.body;
  const next = isThere ? before : (document.getElementById("prose") ?? document.getElementById("main"));
  next?.focus({ preventScroll: true });
}
