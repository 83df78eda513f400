// A draft of the player's turn: asked for at a press, put behind what stands in the box, and never sent by itself.

import { ask } from "./composer.js";
import { parse } from "./transcript.js";

const TEXT = "input, textarea, select, [contenteditable]";

/** Whether a button of the composer asks for a draft. */
export function asksForDraft(button) {
  return Boolean(button?.getAttribute("formaction")?.endsWith("/impersonate"));
}

/** `took(answer)` gets everything of the server's answer, null where there was none. What is in the box stays. */
export async function draftTurn(composer, button, took) {
  if (composer.locked || composer.drafting) return;
  composer.drafting = true;
  await composer.settle();
  const body = new URLSearchParams({ prose: composer.box.value });
  const response = await ask(button.getAttribute("formaction"), { method: "POST", body });
  const answer = response && parse(await response.text().catch(() => ""));
  composer.drafting = false;
  const words = answer?.find((element) => element.id === "drafted")?.textContent;
  if (words) insert(composer, words);
  took(answer);
}

/** As if it were typed, so that the browser's own undo takes it out again; not under a hand that writes elsewhere. */
function insert(composer, words) {
  const { box } = composer;
  const active = document.activeElement;
  if (box.readOnly || (active !== box && active?.matches(TEXT))) return composer.give(words);
  box.focus();
  box.setSelectionRange(box.value.length, box.value.length);
  const gap = box.value.trim() ? "\n\n" : "";
  if (!document.execCommand("insertText", false, gap + words)) composer.give(words);
}
