// The parts of a page: how a fragment takes the place of the one that is shown, and when it is fetched.
// An older fragment must never replace a newer one, so what tells the same part is fetched by one request at a time.

import { ask } from "./composer.js";
import { holdFocus } from "./focus.js";
import { Look } from "./look.js";
import { merge } from "./merge.js";
import { letGo } from "./press.js";
import { headOf, parse } from "./transcript.js";

const byId = (id) => document.getElementById(id);

/** Lets what is in `fresh` replace what `shown` holds; the element itself stays, so live regions and focus survive. */
export function refill(shown, fresh) {
  if (!shown || headOf(fresh) < headOf(shown)) return;
  const giveBack = holdFocus(shown);
  for (const { name, value } of fresh.attributes) shown.setAttribute(name, value);
  for (const name of shown.getAttributeNames()) if (!fresh.hasAttribute(name)) shown.removeAttribute(name);
  shown.replaceChildren(...fresh.childNodes);
  giveBack([shown], byId("prose"));
  shown.dispatchEvent(new CustomEvent("refilled"));
}

/** The element with this id in an answer, which is a part or a whole page. */
function found(elements, id) {
  return elements.find((element) => element.id === id)
    ?? elements.map((element) => element.querySelector(`#${id}`)).find(Boolean);
}

/** Lets a newer list of chats or bots stand where one is shown, under its heading; nothing moves that the player is at. */
export function relist(shown, fresh, heading) {
  if (headOf(fresh) < headOf(shown)) return;
  byId("heading").textContent = heading.textContent;
  const focused = shown.contains(document.activeElement) ? document.activeElement : null;
  merge(shown, fresh, new Set(shown.querySelectorAll("#local-servers"))); // what it found is not looked for again
  globalThis.htmx?.process(shown);
  if (focused && !focused.isConnected) shown.querySelector("a, button")?.focus({ preventScroll: true });
}

/** One part with an address of its own. The rail marks the page it stands on, and so is told which that is.
 * `gone()` is told when what the part tells of is no more, `put` lets a fresh one take its place, and is given
 * the heading of a whole page beside it. */
export function partLook(id, address, { gone, put = refill } = {}) {
  return new Look(async () => {
    const response = await ask(address, { headers: { "HX-Current-URL": location.href } });
    if (!response) return false;
    if (response.status === 404) gone?.();
    const elements = response.ok ? parse(await response.text()) : [];
    const fresh = found(elements, id);
    await letGo();
    if (fresh) put(byId(id), fresh, found(elements, "heading"));
    return true;
  });
}

/** What stands around a story, and turns of it: all parts that are due come with one request. */
export class StoryParts {
  #due = new Set();
  #look = new Look(() => this.#renew(), () => this.#due.size > 0);

  /** `gone()` is told when there is no such chat any more. */
  constructor(chat, gone) {
    this.chat = chat;
    this.gone = gone;
  }

  /** One part, as something that can be looked at again: its element has the same name. */
  of(name) {
    return {
      soon: () => {
        this.#due.add(name);
        this.#look.soon();
      },
      wake: () => this.#look.wake(),
    };
  }

  /** Fetches turns at once and alone: a reader waits for them. Resolves to their elements, without an answer to none. */
  async turns(turns) {
    const response = await this.#ask("turn", turns);
    const elements = response?.ok ? parse(await response.text()) : [];
    await letGo();
    return elements;
  }

  async #renew() {
    const names = [...this.#due];
    this.#due.clear();
    const response = await this.#ask("part", names);
    if (response?.status === 404) this.gone();
    const parts = response?.ok ? parse(await response.text()) : [];
    await letGo();
    for (const part of parts) refill(byId(part.id), part);
    if (!response) for (const name of names) this.#due.add(name);
    return Boolean(response);
  }

  #ask(kind, names) {
    return ask(`/chats/${this.chat}/parts?${new URLSearchParams(names.map((name) => [kind, name]))}`);
  }
}
