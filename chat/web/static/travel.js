// Going back and forth by hand: the question before a rewind, keys for undo and for other replies, and one's own turn
// while it is being rewritten. It must never lose a word of that, and it decides nothing: every step is a form's.

import { ask } from "./composer.js";
import { parse } from "./transcript.js";

const PASSING = 30000; // ms a notice with a way back stays
const TEXT = "input, textarea, select, [contenteditable]";
const WAYS = { ArrowLeft: "previous", ArrowRight: "next" };

const kept = (turn) => `rewrite:${turn}`;

/** What a page of one story does to travel in it. */
export class Travel {
  #dialog = null;

  constructor(transcript, composer) {
    this.transcript = transcript;
    this.composer = composer;
    document.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("click", (event) => this.#click(event));
    this.#notices(document.getElementById("notices"));
    this.#editors(transcript.root);
  }

  /** A form of this kind was taken by the server: what it held is not waiting to be sent any more. */
  done(form) {
    if (this.#dialog?.open) {
      this.#dialog.close();
      this.composer.box.focus({ preventScroll: true });
    }
    if (form.matches(".naming")) form.reset();
    const editor = form.closest(".rewrite") ?? this.#sentAgain(form);
    if (!editor) return;
    const turn = editor.closest(".turn");
    sessionStorage.removeItem(kept(turn.dataset.turn));
    editor.querySelector("form").reset();
    editor.open = false;
    if (editor.matches(".editing")) editor.remove();
    (turn === this.transcript.latest ? this.composer.box : turn).focus({ preventScroll: true });
  }

  /** The open form whose words were sent by the button of a notice: as long as they are still the same. */
  #sentAgain(form) {
    const words = form.elements.prose?.value;
    const editors = [...this.transcript.root.querySelectorAll(".rewrite[open]")];
    return words && editors.find((editor) => editor.querySelector("textarea").value === words);
  }

  /** A form was not taken. Where its turn reads otherwise by now, the answer is a form that shows both. */
  refused(form, answer) {
    const fresh = answer.find((element) => element.matches(".rewrite.editing"));
    const turn = form.closest(".turn");
    if (fresh && turn) this.#open(turn, fresh);
  }

  #key(event) {
    if (event.isComposing || event.repeat || document.querySelector("dialog[open]")) return;
    const isZ = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.altKey;
    if (isZ && !event.target.closest(TEXT)) this.#press(event, document.getElementById(event.shiftKey ? "redo" : "undo"));
    const isBare = !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey);
    if (isBare && WAYS[event.key]) this.#swipe(event, WAYS[event.key]);
    if (isBare && event.key === "Escape") this.#shut(event);
  }

  /** The arrow keys change the reply that has the focus, or the latest where nothing has it and no cursor would move. */
  #swipe(event, way) {
    const isFree = event.target === document.body || (event.target === this.composer.box && !this.composer.box.value);
    const reply = isFree ? this.transcript.latest : event.target.closest("#transcript .turn");
    if (!reply || (!isFree && event.target.closest(TEXT))) return;
    this.#press(event, reply.querySelector(`.swipe [data-hand="${way}"]:not(:disabled)`));
  }

  #press(event, button) {
    if (!button) return;
    event.preventDefault();
    button.form.requestSubmit(button);
  }

  /** Escape leaves a turn as it was; its other words wait in the closed form. */
  #shut(event) {
    const editor = event.target.closest(".rewrite[open]");
    if (!editor) return;
    editor.open = false;
    (editor.parentElement.querySelector(".edit-link") ?? editor.querySelector("summary")).focus();
  }

  #click(event) {
    const isPlain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (!isPlain) return;
    const link = event.target.closest("a.rewind-link, #transcript a.edit-link");
    const isOut = this.#dialog && (event.target === this.#dialog || event.target.closest("[data-close]"));
    if (!link && !isOut) return;
    event.preventDefault();
    if (link?.matches(".edit-link")) void this.#edit(link);
    else if (link) void this.#question(link);
    else this.#dialog.close();
  }

  /** The words of any turn, in its own place. */
  async #edit(link) {
    const turn = link.closest(".turn");
    const editor = turn.querySelector(".rewrite.editing");
    if (editor) return void (editor.open = true);
    const response = await ask(link.href);
    const fresh = response?.ok && parse(await response.text()).find((element) => element.matches(".rewrite"));
    if (!fresh) return location.assign(link.href);
    const words = sessionStorage.getItem(kept(turn.dataset.turn));
    if (words) fresh.querySelector("textarea").value = words;
    this.#open(turn, fresh);
  }

  /** In the turn as it stands now: it may have been told anew while the form was fetched. */
  #open({ id }, editor) {
    const turn = document.getElementById(id);
    if (!turn) return;
    for (const other of turn.querySelectorAll(".rewrite")) other.matches(".editing") ? other.remove() : (other.open = false);
    turn.querySelector(".prose").after(editor);
  }

  async #question(link) {
    const response = await ask(link.href);
    if (!response?.ok) return location.assign(link.href);
    const asked = parse(await response.text()).find((element) => element.id === "going-back");
    this.#dialog?.remove();
    this.#dialog = document.createElement("dialog");
    this.#dialog.className = "question";
    this.#dialog.setAttribute("aria-labelledby", "going-back-title");
    this.#dialog.append(asked);
    document.body.append(this.#dialog);
    this.#dialog.showModal();
  }

  /** A notice with a way back goes by itself, but not from under somebody's hand. */
  #notices(place) {
    const watch = () => {
      for (const notice of place.querySelectorAll("[data-passing]")) {
        delete notice.dataset.passing;
        setTimeout(() => this.#pass(notice), PASSING);
      }
    };
    new MutationObserver(watch).observe(place, { childList: true });
    watch();
  }

  #pass(notice) {
    if (notice.matches(":hover, :focus-within")) setTimeout(() => this.#pass(notice), PASSING / 10);
    else notice.remove();
  }

  /** One's own words are handed over to the next page of this tab, and to the box when their turn is gone. */
  #editors(root) {
    root.addEventListener("input", ({ target }) => {
      if (target.matches(".rewrite textarea")) sessionStorage.setItem(kept(target.closest(".turn").dataset.turn), target.value);
    });
    root.addEventListener("toggle", ({ target }) => {
      if (!target.matches(".rewrite[open]")) return;
      const box = target.querySelector("textarea");
      box.focus();
      box.setSelectionRange(box.value.length, box.value.length);
    }, true);
    root.addEventListener("unsent", ({ detail }) => this.composer.give(detail));
    const box = root.querySelector(".rewrite textarea");
    const words = box && sessionStorage.getItem(kept(box.closest(".turn").dataset.turn));
    if (!words || words === box.value) return;
    box.value = words;
    box.closest(".rewrite").open = true;
  }
}
