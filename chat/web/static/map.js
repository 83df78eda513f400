// The story map by hand: a press on a moment shows what is there, a second press goes there, arrow keys lead from one
// to the next. It must never go anywhere without the form of the moment, and it draws nothing itself.

import { ask } from "./composer.js";
import { parse } from "./transcript.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const AHEAD = 0.75; // how far across the box the first moment stands
const ASIDE = 3; // how much more a pixel aside counts than one ahead, when the next moment is looked for

/** The page of one map. `refill(shown, fresh)` lets a part from the server take the place of the one that is shown. */
export class MapPage {
  #looking = null;

  constructor(root, refill) {
    this.root = root;
    this.refill = refill;
    root.addEventListener("click", (event) => this.#click(event));
    root.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("keydown", (event) => this.#undo(event));
    this.#toHere();
  }

  get box() {
    return this.root.querySelector(".map-box");
  }

  get moment() {
    return document.getElementById("moment");
  }

  /** Looks at the map again, as it is now. False when it has to be tried once more. */
  async renew() {
    const response = await ask(location.pathname + location.search);
    if (!response?.ok) return Boolean(response);
    const { scrollLeft, scrollTop } = this.box;
    const isOpen = this.root.querySelector("details").open;
    const held = document.activeElement?.dataset?.moment;
    this.#take(parse(await response.text()), ["story-map", "moment"]);
    this.root.querySelector("details").open = isOpen;
    this.box.scrollTo(scrollLeft, scrollTop);
    if (held) this.root.querySelector(`[data-moment="${held}"]`)?.focus({ preventScroll: true });
    return true;
  }

  #take(elements, ids) {
    for (const id of ids) {
      const shown = document.getElementById(id);
      const fresh = elements.find((element) => element.id === id);
      if (fresh && !isTypedIn(shown)) this.refill(shown, fresh);
    }
  }

  /** Begins at the moment that is looked at, else where the story stands, with what came before in view. */
  #toHere() {
    const { box } = this;
    const link = this.root.querySelector("[aria-current]") ?? this.root.querySelector("#here");
    if (!link) return;
    const { x, y } = centre(link);
    const { left, top, width, height } = box.getBoundingClientRect();
    box.scrollTo(x - left - width * AHEAD, y - top - height / 2);
  }

  #click(event) {
    const link = event.target.closest("a[data-moment]");
    const isPlain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (!link || !isPlain) return;
    event.preventDefault();
    if (link.getAttribute("aria-current")) this.moment.querySelector("form.go button")?.click();
    else void this.#look(link);
  }

  async #look(link) {
    const address = link.getAttribute("href");
    this.#looking = address;
    const response = await ask(address);
    if (this.#looking !== address || isTypedIn(this.moment)) return; // another was chosen, or the shown one is being named
    if (!response?.ok) return location.assign(address);
    this.root.querySelector("a[aria-current]")?.removeAttribute("aria-current");
    link.setAttribute("aria-current", "true");
    link.focus({ preventScroll: true });
    history.replaceState(history.state, "", address);
    this.#take(parse(await response.text()), ["moment"]);
    this.moment.scrollIntoView({ block: "nearest" });
  }

  /** The same keys as in the story. */
  #undo(event) {
    const isZ = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.altKey;
    if (!isZ || event.repeat || event.isComposing || event.target.closest("input")) return;
    const button = document.getElementById(event.shiftKey ? "redo" : "undo");
    if (!button) return;
    event.preventDefault();
    button.form.requestSubmit(button);
  }

  #key(event) {
    const way = ARROWS[event.key];
    const from = event.target.closest("a.mark, a.pill");
    if (!way || !from || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    event.preventDefault();
    const { x, y } = centre(from);
    const ahead = [...this.root.querySelectorAll("a.mark, a.pill")].map((link) => {
      const to = centre(link);
      const [far, aside] = way[0] ? [(to.x - x) * way[0], Math.abs(to.y - y)] : [(to.y - y) * way[1], Math.abs(to.x - x)];
      return { link, far, cost: far + aside * ASIDE };
    }).filter(({ link, far }) => link !== from && far > 1);
    const next = ahead.sort((one, other) => one.cost - other.cost)[0]?.link;
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
}

function isTypedIn(element) {
  return element.contains(document.activeElement) && document.activeElement.matches("input");
}

function centre(link) {
  const { left, right, top, bottom } = (link.querySelector(".hit") ?? link).getBoundingClientRect();
  return { x: (left + right) / 2, y: (top + bottom) / 2 };
}
