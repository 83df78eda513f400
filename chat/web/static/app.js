// What the page does with facts from the server: it fetches the parts they name and puts them in place.
// Every page works without it; it must never invent a word of the story or show one the server has not stored.

import { heedBlocking } from "./blocking.js";
import { ask, askNoMore, Composer } from "./composer.js";
import { count } from "./countdown.js";
import { asksForDraft, draftTurn } from "./drafting.js";
import { Drawer } from "./drawer.js";
import { holdFocus, holdOverSwaps } from "./focus.js";
import { whenIdle } from "./idle.js";
import { listen } from "./keys.js";
import { guard } from "./leaving.js";
import { Look } from "./look.js";
import { MapPage } from "./map.js";
import { letGo } from "./press.js";
import { partLook, refill, relist, StoryParts } from "./parts.js";
import { headOf, parse, Transcript } from "./transcript.js";
import { Travel } from "./travel.js";

const PING = 15000; // ms between signs of life to the shared connection
const PATIENCE = 1200; // ms a lost connection may take to come back before the page says so
const UNREACHABLE = "The program cannot be reached. Your words are still here; send them again when it runs.";
const UNDONE = "The program cannot be reached. Your words stay where they are; try this again when it runs.";
const LOST = "The connection to the program is lost. It is tried again by itself; your words stay where they are.";

const page = document.body.dataset;
const chat = page.chat || null;
let epoch = page.epoch;
let head = Number(page.head || 0);

const byId = (id) => document.getElementById(id);

// Notices. One place for sentences; the server's own are markup, ours are text.

function notice(message, key) {
  withdraw(key);
  const box = document.createElement("div");
  const text = document.createElement("p");
  box.className = "notice notice-warning";
  box.dataset.key = key;
  text.className = "notice-message";
  text.textContent = message;
  box.append(text);
  byId("notices")?.append(box);
}

function withdraw(key) {
  byId("notices")?.querySelector(`[data-key="${key}"]`)?.remove();
}

// Parts.

const drawer = byId("drawer-panel");
const sheet = drawer && new Drawer(drawer, chat, outOfBand);
const around = byId("transcript") && new StoryParts(chat, leave);
const looks = around ? {} : { rail: partLook("rail", "/rail") };
if (chat && !around) looks.steps = partLook("steps", `/chats/${chat}/steps`, { gone: leave });
if (byId("shelf")) looks.shelf = partLook("shelf", location.pathname, { put: relist });
if (byId("bot-state")) looks.bot = partLook("bot-state", byId("bot-state").dataset.address);
if (byId("story-map")) {
  const map = new MapPage(byId("story-map"), refill);
  looks.map = new Look(() => map.renew());
}
if (around) {
  for (const name of ["rail", "steps", "status"]) looks[name] = around.of(name);
  looks.draft = new Look(() => composer.renew());
  looks.drawer = new Look(() => sheet.renew(), () => drawer?.open);
  looks.transcript = new Look(renewTranscript);
  looks.cast = looks.transcript; // names and portraits stand at every turn
  looks.notice = new Look(async () => {
    const response = await ask(`/chats/${chat}/notice`);
    if (response?.ok) outOfBand(parse(await response.text()));
    return Boolean(response);
  });
}
drawer?.addEventListener("toggle", () => looks.drawer.wake());

/** The chat of this page was deleted for good. Until the next page is there, this one goes on running. */
function leave() {
  askNoMore();
  location.replace("/chats");
}

// The story.

const announcer = document.createElement("div");
announcer.className = "unseen";
announcer.setAttribute("aria-live", "polite");
document.body.append(announcer);

const transcript = byId("transcript") && new Transcript(byId("transcript"), () => feed.resync(), (article) => {
  const words = [...article.querySelector(".prose").childNodes].map((part) => part.textContent.trim()).filter(Boolean);
  announcer.textContent = `${article.getAttribute("aria-label")}: ${words.join("\n")}`;
});
const composer = byId("composer") && new Composer(byId("composer"), taken, refused);
const travel = transcript && composer && new Travel(transcript, composer);
let placing = Promise.resolve();

async function renewTranscript() {
  const before = transcript.isLatest ? "" : `?before=${new URLSearchParams(location.search).get("before")}`;
  const response = await ask(`/chats/${chat}/transcript${before}`);
  if (!response?.ok) return Boolean(response);
  const fresh = parse(await response.text());
  await letGo();
  const isFresh = transcript.renew(fresh);
  if (transcript.isLatest) lock();
  return isFresh;
}

/** Fetches turns at once and places them in the order they were told in. */
function fetchTurns(turns) {
  const asking = around.turns(turns);
  placing = placing.then(async () => {
    const groups = byTurn(await asking);
    const placed = groups.filter((group) => transcript.place(group));
    if (placed.length < turns.length) looks.transcript.soon();
    lock();
  });
}

/** Locks the composer while a reply grows. */
function lock(running = Boolean(transcript?.running)) {
  if (composer) composer.running = running;
}

/** While a draft is written, for this tab or another, no second one is asked for. */
function noteDraft() {
  if (composer) composer.drafted = "draft" in (byId("status")?.dataset ?? {});
}

/** A turn was stored: its fragments are placed, everything else in the answer finds its own place. */
function taken(html) {
  const elements = parse(html);
  byId("notices")?.replaceChildren();
  outOfBand(elements);
  const turns = elements.filter((element) => !element.hasAttribute("hx-swap-oob"));
  transcript.endSoon();
  for (const group of byTurn(turns)) if (!transcript.place(group)) looks.transcript.soon();
  lock();
}

/** One group per turn: its article with the headings before it. */
function byTurn(elements) {
  const groups = [[]];
  for (const element of elements) {
    groups.at(-1).push(element);
    if (element.matches(".turn")) groups.push([]);
  }
  return groups.filter((group) => group.length);
}

function refused(html) {
  if (html) outOfBand(parse(html));
  else notice(UNREACHABLE, "unreachable");
  composer.box.focus();
  if (transcript) looks.transcript.soon();
}

function outOfBand(elements) {
  for (const element of elements) {
    if (["status", "steps"].includes(element.id)) refill(byId(element.id), element);
    if (element.getAttribute("hx-swap-oob")?.endsWith("#notices")) byId("notices").replaceChildren(...element.childNodes);
  }
}

// Facts.

const facts = {
  snapshot(told) {
    if (told.epoch !== epoch) startOver(told.epoch);
    if (told.head > head) everything();
    head = Math.max(head, told.head);
    if (told.running) running(told.running);
    else if (transcript?.running) looks.transcript.soon();
    if (told.blocks) looks.notice?.soon();
  },

  event(told) {
    head = Math.max(head, told.head);
    if (chat && told.chat === chat && told.parts.includes("gone")) return leave();
    for (const part of told.parts) if (part !== "transcript") looks[part]?.soon();
    if (told.parts.includes("rail")) looks.shelf?.soon();
    if (transcript && told.chat === chat && told.parts.includes("transcript")) void turned(told);
  },

  token(piece) {
    transcript?.replies.token(piece);
  },

  /** A line that changes has the page laid out anew: the turn a reader waits for comes first. */
  async status({ status, detail }) {
    const line = byId("status");
    if (!line) return;
    await Promise.all([composer?.sent, placing]);
    line.dataset.status = status;
    if (status === "idle" && "draft" in line.dataset) looks.draft.soon();
    if (detail) line.querySelector(".status-text").textContent = detail;
    looks.status.soon();
  },

  /** All words of a reply are there: asked for while it is stored, it comes when that is done, and what tells of that
   * needs no way back. */
  tool_start({ turn, tool }) {
    if (tool !== "remember" || transcript?.running !== turn) return;
    transcript.replies.calm();
    fetchTurns([turn, transcript.unready].filter(Boolean));
  },

  /** One that blocks was not stored, so no commit tells of it. */
  stop_reason: ({ blocks }) => (blocks ? everything() : looks.status?.soon()),
  done: () => looks.status?.soon(),
  resync: everything,
};

/** Something in this story changed. A turn of this very page comes with the answer to its post: that is waited for. */
async function turned({ head: at, kinds, turns }) {
  if (kinds.includes("user_turn") && composer?.isGiven) looks.draft.soon();
  if (!turns.length || kinds.includes("branch_selected")) return looks.transcript.soon();
  const isContinued = kinds.includes("continuation_started");
  if (isContinued) transcript.replies.reopen(turns);
  const ended = kinds.includes("assistant_turn") || kinds.includes("turn_continued");
  await Promise.all([composer?.sent, ended && placing]);
  const growing = transcript.running;
  const unknown = turns.filter((turn) => !transcript.knows(turn, at) && (ended || turn !== growing));
  if (ended && transcript.unready) unknown.push(transcript.unready);
  if (unknown.length) fetchTurns(unknown);
  if (ended && !unknown.length) lock(growing !== null && !turns.includes(growing));
  else if (isContinued || kinds.includes("assistant_turn_started")) lock(true);
  else if (kinds.includes("user_turn")) lock(growing !== null || unknown.length > 0); // an aside has no reply
}

function running(reply) {
  if (!transcript) return;
  transcript.replies.reopen([reply.turn]);
  transcript.replies.whole(reply);
  if (transcript.running !== reply.turn) looks.transcript.soon();
  lock(true);
}

function everything() {
  for (const look of Object.values(looks)) look.soon();
}

/** Another history (a restored copy): numbers of the old one mean nothing any more. */
function startOver(fresh) {
  epoch = fresh;
  head = 0;
  for (const element of document.querySelectorAll("[data-head]")) element.dataset.head = -1;
}

// The connection. One for the whole browser where tabs can share one, else one for this tab while it is looked at.

class Feed {
  #port = null;
  #stream = null;
  #lost = 0; // the timer that will say so

  constructor() {
    if ("SharedWorker" in globalThis) this.#share();
    else this.#own();
    setInterval(() => this.look(), PING);
  }

  /** Tells the connection what this tab shows now. */
  look(joins = false) {
    const visible = !document.hidden;
    this.#port?.postMessage({ chat, visible, joins });
    this.#stream?.want(visible ? new Set(chat ? [chat] : []) : null);
  }

  leave() {
    this.#port?.postMessage({ bye: true });
    this.#stream?.want(null);
  }

  resync() {
    this.#port?.postMessage({ resync: true });
    this.#stream?.resync();
  }

  #share() {
    const version = new URL(import.meta.url).search;
    const worker = new SharedWorker("/static/live.js", { type: "module", name: `chat${version}` });
    this.#port = worker.port;
    this.#port.onmessage = ({ data }) => (data.kind ? hear(data.kind, data.data) : this.#state(data));
    worker.onerror = () => this.#own();
    this.look(true);
  }

  async #own() {
    this.#port = null;
    const { Stream } = await import("./live.js");
    this.#stream = new Stream(hear, (state) => this.#state({ state }));
    this.look(true);
  }

  #state({ state, last }) {
    if (state === "lost") {
      this.#lost ||= setTimeout(() => notice(LOST, "lost"), PATIENCE);
    } else {
      clearTimeout(this.#lost);
      this.#lost = 0;
      for (const key of ["lost", "unreachable"]) withdraw(key);
    }
    if (last && Number(last.split("-").pop()) > head) everything();
  }
}

function hear(kind, data) {
  if (!document.hidden) facts[kind]?.(data);
}

const feed = new Feed();

document.addEventListener("visibilitychange", () => {
  if (document.hidden) composer?.save(true);
  else for (const look of Object.values(looks)) look.wake();
  feed.look(!document.hidden);
});
addEventListener("pagehide", () => {
  composer?.save(true);
  feed.leave();
});
addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  composer?.wake();
  everything();
  feed.look(true);
});

// What the player does.

document.addEventListener("submit", (event) => {
  const isTurn = composer && event.target === composer.form;
  if (!isTurn && !event.target.matches("#transcript form, #stop, form[data-travel]")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (isTurn && asksForDraft(event.submitter)) void draftTurn(composer, event.submitter, drafted);
  else if (isTurn) composer.send();
  else void act(event.target, event.submitter);
}, true);

/** A draft came, was stopped or failed; its words are in the box by now. */
function drafted(answer) {
  if (!answer) return notice(UNDONE, "unreachable");
  byId("notices")?.replaceChildren();
  outOfBand(answer);
}

/** A button that changes the story: what comes of it is told by the stream, and looked at without waiting for that. */
async function act(form, button) {
  const body = new URLSearchParams(new FormData(form, button));
  const stays = "stays" in form.dataset && button?.name !== "go_on";
  await composer?.settle();
  const response = await ask(button?.getAttribute("formaction") ?? form.action, { method: "POST", body });
  if (!response) return notice(UNDONE, "unreachable");
  const answer = parse(await response.text());
  const giveBack = holdFocus(byId("notices"));
  byId("notices").replaceChildren();
  outOfBand(answer);
  giveBack([byId("notices")], composer?.box);
  if (!response.ok) return travel?.refused(form, answer);
  travel?.done(form);
  if (transcript && !transcript.isLatest && !stays) location.assign(`/chats/${chat}`);
  else everything();
}

// Fragments that htmx fetches obey the same rule: an older one never replaces a newer one.
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const shown = detail.target;
  const fresh = parse(detail.serverResponse ?? "").find((element) => element.id && element.id === shown.id);
  if (fresh && headOf(fresh) < headOf(shown)) detail.shouldSwap = false;
});
document.addEventListener("htmx:oobAfterSwap", ({ detail }) => {
  if (detail.target.id === "notices") detail.target.scrollIntoView({ block: "nearest" });
});
document.addEventListener("htmx:sendError", () => notice(UNDONE, "unreachable"));

/** What fetches earlier turns, where a page comes without it. */
function fetchHtmx() {
  const address = document.querySelector("meta[name=htmx-script]")?.content;
  if (address) document.head.append(Object.assign(document.createElement("script"), { src: address }));
}

if (byId("notices")) heedBlocking(byId("notices"));
holdOverSwaps();
whenIdle(fetchHtmx);
listen(composer, drawer);
guard();
setInterval(count, 250);
byId("status")?.addEventListener("refilled", noteDraft);
noteDraft();
lock();
