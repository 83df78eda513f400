// The transcript: words of a reply while they arrive, and the server's own fragments, each in its place.
// It must never make markup of a reply, paint a word twice, or let an older fragment replace a newer one.

const MOST_WAITING = 5000; // pieces kept while a gap before them is being filled
const REMEMBERED = 100; // finished replies whose late pieces are known and dropped
const AT_END = 80; // px from the end within which the reader counts as reading the end
const RECENT = 6; // turns at the end that are laid out wherever they are; the server marks the others of a page
const CALM = 40; // ms between two paintings of a reply: more cost a slow machine much and show an eye nothing. Below what
// words are gathered for on their way here, so that what comes is painted at once.
const BREAK = /\n{2,}/;

/** The elements of a fragment, inert until they are placed. */
export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return [...template.content.children];
}

/** The event the element was rendered after; -1 when it does not say. */
export function headOf(element) {
  return Number(element?.dataset?.head ?? -1);
}

/** Removes an element and returns the one after it. Words that were being written in it are told of first. */
function drop(element) {
  const next = element.nextElementSibling;
  const words = unsent(element);
  if (words) element.dispatchEvent(new CustomEvent("unsent", { detail: words, bubbles: true }));
  element.remove();
  return next;
}

/** A turn that takes the place of another is as far from the end as that one. */
function keepAge(fresh, shown) {
  fresh.classList.toggle("past", shown.classList.contains("past"));
}

/** Whether it is shown at all: what is hidden takes no focus. */
const isSeen = (element) => element.checkVisibility?.() ?? true;

/** What stands in the form of a turn that is being rewritten, if it differs from the turn. */
function unsent(element) {
  const boxes = [...element.querySelectorAll(".rewrite textarea")];
  return boxes.find((box) => box.value !== box.defaultValue)?.value ?? "";
}

/** Somebody has their hands on the form in this turn: it stays, and only learns where to send a turn written anew. */
function isHeld(shown, fresh) {
  if (!shown?.querySelector(".rewrite[open]") && !(shown && unsent(shown))) return false;
  const ofExchange = ".rewrite:not(.editing) form";
  const form = shown.querySelector(ofExchange);
  const address = form && fresh.querySelector(ofExchange)?.getAttribute("action");
  if (address) form.setAttribute("action", address);
  shown.dataset.head = fresh.dataset.head;
  return true;
}

/** One growing reply. What it says and where it stands are apart: pieces may come before the page has a place. */
class Reply {
  constructor() {
    this.text = "";
    this.pending = "";
    this.waiting = [];
    this.place = null;
  }

  /** Adds what is new in `text`, which stands at `offset`; false when something before it is missing. */
  add(offset, text) {
    if (offset > this.text.length) return false;
    const added = text.slice(this.text.length - offset);
    this.text += added;
    this.pending += added;
    return true;
  }

  /** Keeps a piece that came too early until what is before it is there. */
  wait(piece) {
    if (this.waiting.length < MOST_WAITING) this.waiting.push(piece);
  }

  settle() {
    this.waiting = this.waiting.filter((piece) => !this.add(piece.offset, piece.text));
  }

  /** Moves to another element, which shows all of the text so far. */
  stand(place) {
    this.place = place;
    if (!this.text) return;
    this.pending = this.text;
    place.replaceChildren();
  }

  /** Paragraph by paragraph, so that a word costs the same at the end of a long reply as at its beginning. */
  paint() {
    if (this.text.length === this.pending.length) this.place.replaceChildren();
    const ending = /\n+$/.exec(this.pending)?.[0] ?? "";
    const [first, ...more] = this.pending.slice(0, this.pending.length - ending.length).split(BREAK);
    this.pending = ending;
    if (first) this.#append(first);
    for (const text of more) this.#open().append(text);
  }

  /** One node of text for each paragraph: a browser lays out its last line anew, and not all that stands before it. */
  #append(text) {
    const paragraph = this.#paragraph();
    if (paragraph.lastChild) paragraph.lastChild.appendData(text);
    else paragraph.append(text);
  }

  #paragraph() {
    const last = this.place.lastElementChild;
    return last?.localName === "p" ? last : this.#open();
  }

  #open() {
    const paragraph = document.createElement("p");
    this.place.append(paragraph);
    return paragraph;
  }
}

/** All replies of this page that are still growing. */
class Replies {
  #replies = new Map();
  #finished = new Set();
  #isDue = false;
  #painted = -Infinity;

  /** `resync()` asks for the text of a reply again. */
  constructor(resync) {
    this.resync = resync;
  }

  /** A piece of a reply, from the stream. */
  token({ turn, offset, text }) {
    if (this.#finished.has(turn)) return;
    const reply = this.#of(turn);
    if (!reply.add(offset, text)) {
      reply.wait({ offset, text });
      this.resync();
    }
    this.#later();
  }

  /** All of a reply so far, from a snapshot. */
  whole({ turn, text }) {
    if (this.#finished.has(turn)) return;
    const reply = this.#of(turn);
    reply.add(0, text);
    reply.settle();
    this.#later();
  }

  /** A reply that was whole is being written on: its words are heard again. */
  reopen(turns) {
    for (const turn of turns) this.#finished.delete(turn);
  }

  /** The page has an element for a running reply: its words go there from now on. */
  attach(article) {
    const place = article.querySelector("[data-growing]");
    this.reopen([article.dataset.turn]);
    if (place) this.#of(article.dataset.turn).stand(place);
    this.#later();
  }

  /** The reply stands there as the server stored it: nothing of it may be painted any more. */
  finish(turn) {
    this.#replies.delete(turn);
    this.#finished.add(turn);
    if (this.#finished.size > REMEMBERED) this.#finished.delete(this.#finished.values().next().value);
  }

  #of(turn) {
    if (!this.#replies.has(turn)) this.#replies.set(turn, new Reply());
    return this.#replies.get(turn);
  }

  /** All of a reply is about to come as it was stored: words painted now would only be in its way. */
  calm() {
    this.#painted = performance.now();
  }

  /** The first words at once; those that follow are gathered for a moment. */
  #later() {
    if (!this.#isDue) this.#paint();
  }

  #paint() {
    const wait = this.#painted + CALM - performance.now();
    this.#isDue = wait > 0;
    if (this.#isDue) return void setTimeout(() => this.#paint(), wait);
    for (const reply of this.#replies.values()) {
      if (!reply.place || !reply.pending) continue;
      this.#painted = performance.now();
      reply.paint();
    }
  }
}

/** The turns on the page. `place` takes turns one by one, `renew` takes the whole window. */
export class Transcript {
  #pinned = false;

  /** `finished(article)` is told of every reply that was growing here and is now whole. */
  constructor(root, resync, finished) {
    this.root = root;
    this.finished = finished;
    this.replies = new Replies(resync);
    this.scroller = root.closest("#page-scroll") ?? document.scrollingElement;
    this.isLatest = !new URLSearchParams(location.search).has("before");
    for (const article of root.querySelectorAll(".turn.running")) this.replies.attach(article);
    this.#follow();
  }

  /** Whether the reader is at the end, and stays there while the story grows. */
  get pinned() {
    return this.#pinned;
  }

  /** Then nothing is anchored: the browser would keep in its place what stands there, and whoever is at the end of a
   * page that is rarely painted, as in the background, would seem to have gone back. */
  set pinned(pinned) {
    if (pinned === this.#pinned) return;
    this.#pinned = pinned;
    this.scroller.style.overflowAnchor = pinned ? "none" : "";
  }

  get running() {
    return this.root.querySelector(".turn.running")?.dataset.turn ?? null;
  }

  get latest() {
    return [...this.root.querySelectorAll(".turn")].at(-1) ?? null;
  }

  /** One's own latest turn, while the page does not offer to rewrite it yet. */
  get unready() {
    const mine = [...this.root.querySelectorAll(".turn.you")].at(-1);
    return mine && !mine.querySelector(".rewrite") ? mine.dataset.turn : null;
  }

  /** True when the turn is shown as it was after event `head`, or later. */
  knows(turn, head) {
    return headOf(this.#shown(turn)) >= head;
  }

  /** Puts a turn where it belongs: over its older self, or after the last one. False when only `renew` can tell where. */
  place(elements) {
    const article = elements.find((element) => element.matches(".turn"));
    const shown = this.#shown(article?.dataset.turn);
    if (article && !shown && this.#isBefore(article)) return true;
    if (!article || (!shown && headOf(article) < headOf(this.root))) return false;
    if (headOf(article) < headOf(shown) || !(shown || this.isLatest)) return true;
    if (isHeld(shown, article)) return true;
    const giveBack = this.#focus();
    if (shown) {
      keepAge(article, shown);
      shown.replaceWith(article);
    } else {
      this.#append(elements);
    }
    this.#settled(article, shown);
    giveBack();
    return true;
  }

  /** Takes the window as the server sees it; what was loaded before its first turn stays. False when it is stale. */
  renew(elements) {
    const head = Math.max(-1, ...elements.map(headOf));
    if (head >= 0 && head < headOf(this.root)) return false;
    const first = this.#shown(elements.find((element) => element.matches(".turn"))?.dataset.turn);
    const fresh = first ? elements.slice(elements.findIndex((element) => element.id === first.id)) : elements;
    const giveBack = this.#focus();
    let cursor = first ?? this.root.firstElementChild;
    for (const element of fresh) cursor = this.#sync(element, cursor);
    while (cursor) cursor = drop(cursor);
    this.#age();
    giveBack();
    this.root.dataset.head = Math.max(head, headOf(this.root));
    return true;
  }

  /** Takes the reader to the end, wherever they were, with the next frame: asked for now, the page would be laid out twice. */
  endSoon() {
    this.pinned = true;
    requestAnimationFrame(() => this.toEnd());
  }

  toEnd() {
    this.pinned = true;
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  /** A turn that lies before all that this page has loaded. */
  #isBefore(article) {
    return Number(article.dataset.step) < Number(this.root.querySelector(".turn")?.dataset.step ?? 0);
  }

  #shown(turn) {
    return turn ? document.getElementById(`turn-${turn}`) : null;
  }

  /** Remembers what has the focus in the story; the function it returns gives it to what took its place. */
  #focus() {
    const held = this.root.contains(document.activeElement) ? document.activeElement : null;
    const before = held?.closest(".turn");
    return () => {
      if (!before) return;
      if (held.isConnected && isSeen(held)) return held.focus({ preventScroll: true }); // one that is moved lets it go
      const turn = (!held.isConnected && this.#heirOf(before)) || this.latest;
      const twin = held.dataset.hand && turn?.querySelector(`[data-hand="${held.dataset.hand}"]:not(:disabled)`);
      (twin && isSeen(twin) ? twin : turn)?.focus({ preventScroll: true });
    };
  }

  /** What stands for a turn that was taken away: itself as it is now, or another of its step; never one left behind. */
  #heirOf(turn) {
    return this.#shown(turn.dataset.turn) ?? [...this.root.querySelectorAll(`.turn[data-step="${turn.dataset.step}"]`)].at(-1);
  }

  #append(elements) {
    this.root.append(...elements);
    this.root.dataset.head = Math.max(headOf(this.root), ...elements.map(headOf));
    this.#age();
  }

  /** Marks what need not be laid out where nobody sees it. A rule that counts from the end would do the same, and have
   * every turn styled anew with each one that is put in its place. */
  #age() {
    let recent = RECENT;
    for (let one = this.root.lastElementChild; one; one = one.previousElementSibling) {
      if (!one.matches(".turn")) continue;
      const isPast = recent-- <= 0;
      if (isPast && one.classList.contains("past")) return;
      one.classList.toggle("past", isPast);
    }
  }

  /** Puts one element of the window before `cursor`, or leaves the same one standing. Returns the next cursor. */
  #sync(element, cursor) {
    while (cursor && !cursor.id) cursor = drop(cursor);
    const shown = element.id ? document.getElementById(element.id) : null;
    if (shown && headOf(shown) >= 0) shown.dataset.head = element.dataset.head;
    if (shown?.matches(".turn")) keepAge(element, shown);
    const kept = shown?.isEqualNode(element) || isHeld(shown, element) ? shown : element;
    if (kept === cursor) return cursor.nextElementSibling;
    const next = shown === cursor ? (cursor?.nextElementSibling ?? null) : cursor;
    this.root.insertBefore(kept, next);
    if (shown && shown !== kept) shown.remove();
    if (kept !== shown) this.#came(element, shown);
    return next;
  }

  /** Forms of turns are sent by the page itself; what stands around them may be fetched by htmx. */
  #came(element, before) {
    if (element.matches(".turn")) this.#settled(element, before);
    else globalThis.htmx?.process(element);
  }

  #settled(article, before) {
    if (article.matches(".running")) return this.replies.attach(article);
    this.replies.finish(article.dataset.turn);
    if (before?.matches(".running")) this.finished(article);
  }

  /** Stays at the end while the text grows, if that is where the reader is. Reads no layout per word. */
  #follow() {
    let last = 0;
    this.pinned = this.isLatest && !location.hash;
    this.scroller.addEventListener("scroll", () => {
      const { scrollTop } = this.scroller; // counts from the end, and below zero, where the style sheet turns it round
      const atEnd = this.root.getBoundingClientRect().bottom - this.scroller.getBoundingClientRect().bottom < AT_END;
      if (atEnd || scrollTop < last) this.pinned = atEnd;
      last = scrollTop;
    }, { passive: true });
    const growth = new ResizeObserver(() => this.pinned && this.toEnd());
    growth.observe(this.root);
    growth.observe(this.scroller);
  }
}
