// The drawer: it shows what is true now and lets it be changed in place.
// It must never lose a word that was typed into one of its forms, whatever happens elsewhere meanwhile.

import { ask } from "./composer.js";
import { whenIdle } from "./idle.js";
import { merge } from "./merge.js";
import { letGo } from "./press.js";
import { headOf, parse } from "./transcript.js";

const UNREACHABLE = "The program cannot be reached. What you typed is still here; save it again when it runs.";
const FIELD = ".field :is(input, textarea)";
const WANTED = ["[aria-invalid]", "[aria-describedby^=newer]", FIELD]; // where to go on after a refusal, first choice first
const NARROW = matchMedia("(max-width: 68rem)"); // the drawer covers the story there;

/** A form whose fields say something else than when it was opened. */
function isTouched(form) {
  return [...form.elements].some((field) => {
    if (field.type === "checkbox") return field.checked !== field.defaultChecked;
    if (field.localName === "select") return !field.options[field.selectedIndex]?.defaultSelected;
    return field.type !== "hidden" && "defaultValue" in field && field.value !== field.defaultValue;
  });
}

/** An editor the player is at: words typed, a refusal not yet answered, or the focus in one of its fields. */
function isHeld(editor) {
  const form = editor.querySelector("form");
  return editor.open && ("refused" in editor.dataset || isTouched(form) || form.contains(document.activeElement));
}

export class Drawer {
  /** `told(elements)` gets what an answer says elsewhere on the page, such as a notice. */
  constructor(panel, chat, told) {
    this.panel = panel;
    this.chat = chat;
    this.told = told;
    whenIdle(() => this.#unfold());
    panel.addEventListener("submit", (event) => this.#submitted(event), true);
    panel.addEventListener("click", (event) => this.#clicked(event));
    panel.addEventListener("keydown", (event) => this.#pressed(event));
    panel.addEventListener("toggle", (event) => this.#toggled(event.target), true);
  }

  get root() {
    this.#unfold();
    return this.panel.querySelector("#drawer");
  }

  /** A drawer that is shut comes as the text of its elements, which cost the page more than the story. */
  #unfold() {
    const folded = this.panel.querySelector("noscript");
    folded?.replaceWith(...parse(folded.textContent));
  }

  /** Looks again at what is true; false when the program could not be reached. */
  async renew() {
    const response = await ask(`/chats/${this.chat}/drawer`);
    if (!response) return false;
    const fresh = response.ok && parse(await response.text()).find((element) => element.id === "drawer");
    await letGo();
    if (fresh) this.#take(fresh, null);
    return true;
  }

  /** Takes the newer state around every editor in use; `answered` is the one whose own answer this is. */
  #take(fresh, answered) {
    const { root } = this;
    const held = new Set([...root.querySelectorAll(".edit")].filter((one) => one !== answered && isHeld(one)));
    const focused = root.contains(document.activeElement) ? document.activeElement : null;
    const around = focused?.closest(".thing, .drawer-part");
    const isNewer = headOf(fresh) >= headOf(root);
    const own = answered && fresh.querySelector(`[id="${answered.id}"]`);
    if (own) answered.open = own.open;
    if (isNewer) merge(root, fresh, held);
    else if (own) merge(answered, own, held);
    for (const editor of root.querySelectorAll(".edit")) if (!held.has(editor)) editor.querySelector("form").reset();
    if (focused && !focused.isConnected) refocus(around, this.panel);
  }

  /** The forms of the drawer are answered with the drawer; the other forms of the panel with another page. */
  #submitted(event) {
    if (!this.root.contains(event.target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (!event.target.inert) void this.#send(event.target, event.submitter);
  }

  /** Nothing can be typed into a form that is on its way, so nothing typed can miss it. */
  async #send(form, submitter) {
    const body = new URLSearchParams(new FormData(form, submitter));
    const around = form.closest(".thing, .drawer-part");
    form.inert = true;
    const response = await ask(form.action, { method: "POST", body });
    form.inert = false;
    submitter?.focus({ preventScroll: true });
    if (!response) return complain(form, UNREACHABLE);
    const elements = parse(await response.text());
    const fresh = elements.find((element) => element.id === "drawer");
    if (fresh) this.#answered(form.closest(".edit"), fresh);
    else this.told(elements);
    if (document.activeElement === document.body) refocus(around, this.panel); // what was told meanwhile took the form away
  }

  #answered(editor, fresh) {
    this.#take(fresh, editor);
    if (!editor?.isConnected) return;
    const first = WANTED.map((field) => editor.querySelector(field)).find(Boolean);
    (editor.open ? first : editor.querySelector("summary"))?.focus({ preventScroll: !editor.open });
  }

  /** A link to a turn that stands on this page leads there without a new page. */
  #clicked(event) {
    const turn = event.target.closest("a[href*='/turns/']")?.getAttribute("href").split("/").pop();
    const article = document.getElementById(`turn-${turn}`);
    if (!article || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    if (NARROW.matches) this.panel.open = false;
    article.tabIndex = -1;
    article.addEventListener("blur", () => article.removeAttribute("tabindex"), { once: true });
    article.focus({ preventScroll: true });
    article.scrollIntoView({ block: "center" });
  }

  /** Escape leaves an editor nothing was typed into; it never stops a reply from in here. */
  #pressed(event) {
    const editor = event.key === "Escape" && event.target.closest(".edit[open]");
    if (!editor) return;
    event.stopPropagation();
    if (isTouched(editor.querySelector("form"))) return;
    editor.open = false;
    editor.querySelector("summary").focus();
  }

  /** What is shut is given up; what is opened is ready to be written in. */
  #toggled(editor) {
    this.#unfold();
    if (!editor.matches(".edit")) return;
    const form = editor.querySelector("form");
    if (!editor.open) form.reset();
    else if (editor.contains(document.activeElement)) form.querySelector(FIELD)?.focus();
  }
}

/** The focus goes to what stands nearest to where it was. */
function refocus(around, panel) {
  const near = around?.isConnected ? around.querySelector("summary, a, button") : null;
  (near ?? panel.querySelector("summary")).focus({ preventScroll: true });
}

function complain(form, sentence) {
  form.querySelector(".refusal[data-local]")?.remove();
  const line = document.createElement("p");
  line.className = "refusal";
  line.dataset.local = "";
  line.setAttribute("role", "alert");
  line.textContent = sentence;
  form.prepend(line);
}
