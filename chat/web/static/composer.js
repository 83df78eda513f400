// The box the player writes in: it sends, keeps drafts and gives every word back that was not taken.
// It must never clear text that the server did not answer for.

const SLOW = 150; // ms without an answer after which the form says that it is sending; most come sooner, and nothing blinks
const PAUSE = 250; // ms without a key after which the draft is saved
const KEEPALIVE = 60000; // bytes a browser still sends for a page that is going away
const RELOADED = 10000; // ms within which a page that comes back takes over what it could not save in time

let isOver = false;

/** The page is being left, because what it tells of is no more: from now on nothing is asked or sent. */
export function askNoMore() {
  isOver = true;
}

/** What the server answers to a script that asks for fragments; null when it could not be reached. */
export async function ask(address, options = {}) {
  if (isOver) return new Promise(() => {}); // the next page stands before an answer could be of use
  const headers = { "HX-Request": "true", Accept: "text/html", ...options.headers };
  return fetch(address, { ...options, headers, cache: "no-store" }).catch(() => null);
}

function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The form, its draft and its lock. */
export class Composer {
  #timer = 0;
  #saving = null;
  #saved; // the draft as the server has it
  #given = ""; // words that came from the server while the page was open
  #sending = false;
  #drafting = false;
  #drafted = false; // the status line tells of a draft that is being written, here or in another tab
  #sent = Promise.resolve();
  #others; // the tabs that show the same story
  #tried = null; // {prose, key} of the last attempt: the same words again are the same turn

  /** `taken(html)` gets the server's answer to a turn, `refused(html)` a refusal; "" stands for no answer at all. */
  constructor(form, taken, refused) {
    this.form = form;
    this.taken = taken;
    this.refused = refused;
    this.locked = this.#button.disabled;
    this.#saved = this.box.value;
    this.#others = new BroadcastChannel(this.#place);
    this.#others.onmessage = ({ data }) => this.#told(data);
    this.box.addEventListener("input", () => this.#typed());
    this.#takeOver();
    this.#takeEarly();
    this.#grow();
  }

  get box() {
    return this.form.elements.prose;
  }

  /** During a reply nothing is sent; the next words can be written all the same. */
  set running(running) {
    this.locked = running;
    this.#show();
  }

  /** While a draft of the turn is written, no other is asked for; the box stays open. */
  set drafting(drafting) {
    this.#drafting = drafting;
    this.#show();
  }

  set drafted(drafted) {
    this.#drafted = drafted;
    this.#show();
  }

  get drafting() {
    return this.#drafting;
  }

  /** The page was shown again by the browser: what is in the box then is what counts. */
  wake() {
    this.#tried = null;
    this.#sending = this.#drafting = false;
    this.#show();
  }

  /** Done when no turn is on its way to the server any more. */
  get sent() {
    return this.#sent;
  }

  send() {
    if (!this.locked && !this.#sending) this.#sent = this.#send();
  }

  async #send() {
    const prose = this.box.value;
    this.#sending = true;
    this.form.setAttribute("aria-busy", "true");
    const slow = setTimeout(() => this.#show(), SLOW);
    const response = await this.#post(prose);
    const html = (await response?.text().catch(() => "")) ?? "";
    clearTimeout(slow);
    this.#sending = false;
    if (response?.ok && html) this.#clear(prose);
    this.#show();
    if (response?.redirected) location.assign(response.url);
    else if (response?.ok && html) this.taken(html);
    else this.refused(html);
  }

  /** Saves the draft now. A page that goes away asks the browser to finish it. */
  save(leaving = false) {
    clearTimeout(this.#timer);
    const prose = this.box.value;
    if (prose === this.#saved || this.#sending) return;
    if (leaving) sessionStorage.setItem(this.#place, JSON.stringify({ prose, at: Date.now() }));
    const body = JSON.stringify({ prose });
    const keepalive = leaving && new Blob([body]).size < KEEPALIVE;
    this.#saving = this.#put(body, keepalive).then((response) => {
      if (!response?.ok) return;
      this.#saved = prose;
      this.#others.postMessage(prose);
    });
  }

  /** What stands in the box is what the server gave, word for word. */
  get isGiven() {
    return Boolean(this.#given) && this.box.value === this.#given;
  }

  /** Takes over what the server keeps, where nothing stands in the box that it has not; and lets go what it gave before
   * and keeps no more. */
  async renew() {
    const response = await ask(`/chats/${this.form.dataset.chat}/draft`, { headers: { Accept: "application/json" } });
    if (!response?.ok) return Boolean(response);
    const { prose } = await response.json();
    if (this.#goesOn(prose) || (!prose && this.isGiven)) this.#take(prose);
    return true;
  }

  /** What another tab wrote and the server keeps stands here too, as long as nobody wrote anything else here. */
  #told(prose) {
    if (this.#goesOn(prose) || this.isGiven) this.#take(prose);
  }

  /** These words begin with all that stands in the box, and nothing stands there that the server has not. */
  #goesOn(prose) {
    const { value } = this.box;
    return prose.length > value.length && prose.startsWith(value) && value === this.#saved;
  }

  #take(prose) {
    if (this.#sending || this.#drafting) return;
    this.#given = this.#saved = this.box.value = prose;
    this.#grow();
  }

  /** Done when what stands in the box is kept by the server too. */
  async settle() {
    this.save();
    await this.#saving;
  }

  /** Words that lost their place in the story go into the box, after what stands there. */
  give(words) {
    this.box.value = [this.box.value.trimEnd(), words].filter(Boolean).join("\n\n");
    this.#typed();
  }

  get #button() {
    return this.form.querySelector("#send");
  }

  get #place() {
    return `draft:${this.form.dataset.chat}`;
  }

  /** A reload asks for the page before the last words are saved: they are handed over in the tab itself. */
  #takeOver() {
    const { prose, at } = JSON.parse(sessionStorage.getItem(this.#place) ?? "{}");
    sessionStorage.removeItem(this.#place);
    if (!prose || Date.now() - at > RELOADED) return;
    this.box.value = prose;
    this.#typed();
  }

  /** Who is quicker than this script has written already. What a browser restores on its way back was saved as it was typed. */
  #takeEarly() {
    const [way] = performance.getEntriesByType("navigation");
    if (way?.type !== "navigate" || this.box.value === this.box.defaultValue) return;
    this.#saved = this.box.defaultValue;
    this.#typed();
  }

  async #post(prose) {
    clearTimeout(this.#timer);
    await this.#saving; // a draft on its way must not arrive after the turn and bring its words back
    if (this.#tried?.prose !== prose) this.#tried = { prose, key: freshKey() };
    const body = new URLSearchParams({ prose, idempotency_key: this.#tried.key });
    return ask(this.form.action, { method: "POST", body });
  }

  #put(body, keepalive) {
    const headers = { "Content-Type": "application/json" };
    return ask(`/chats/${this.form.dataset.chat}/draft`, { method: "PUT", body, headers, keepalive });
  }

  /** What was sent leaves the box; what was typed behind it meanwhile stays. */
  #clear(prose) {
    this.#tried = null;
    this.#saved = "";
    if (this.box.value.startsWith(prose)) this.box.value = this.box.value.slice(prose.length);
    this.#grow();
  }

  #typed() {
    this.#grow();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.save(), PAUSE);
  }

  #show() {
    const held = this.form.querySelector("button:focus-visible"); // reached by keys: a button that is shut would lose it
    this.box.readOnly = this.#sending;
    this.#button.disabled = this.locked || this.#sending;
    for (const button of this.form.querySelectorAll("[formaction]")) button.disabled = this.locked || this.#sending || this.#drafting || this.#drafted;
    if (held?.disabled) this.box.focus({ preventScroll: true });
    if (!this.#sending) this.form.removeAttribute("aria-busy");
  }

  /** For browsers whose style sheets cannot let a box grow with its text. */
  #grow() {
    if (CSS.supports("field-sizing", "content")) return;
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight}px`;
  }
}
