// The one connection of the whole browser. Run as a SharedWorker it serves every tab; imported by a page without
// SharedWorker it serves that page alone. It carries facts, it never makes markup, and it never shows anything.

const KINDS = [
  "snapshot", "event", "token", "status", "tool_start", "tool_result", "thinking", "budget", "guardrails",
  "session", "stop_reason", "done", "resync",
];
const FIRST_WAIT = 250; // ms before the first try to connect again; doubles up to LONGEST_WAIT
const LONGEST_WAIT = 8000;
const LINGER = 3000; // ms a connection nobody looks at any more is kept: a reload needs it again at once
const GATHER = 50; // ms within which words go to the tabs together; the first after a pause go at once
const SILENT = 50000; // ms without a word after which a tab counts as gone; tabs ping every 15 s

/** Characters as the server counts them: code points, not the halves of a pair. */
function count(text) {
  let points = 0;
  for (const _ of text) points += 1;
  return points;
}

/** A chat as the frames so far describe it, so that a tab that joins late needs no connection of its own. */
class Standing {
  constructor(snapshot) {
    this.snapshot = snapshot;
    this.length = count(snapshot.running?.text ?? "");
    this.ended = "";
  }

  /** Takes one frame in and returns it as a page wants it: undefined when it says nothing new, null when words before it are missing. */
  apply(kind, data) {
    if (kind === "token") return this.#token(data);
    if (kind === "status") Object.assign(this.snapshot, { status: data.status, detail: data.detail });
    if (kind === "event") this.#event(data);
    if (kind === "done") this.#finished([data.turn]);
    return data;
  }

  #event(data) {
    this.snapshot.head = Math.max(this.snapshot.head, data.head);
    if (data.kinds.includes("continuation_started") && data.turns.includes(this.ended)) this.ended = "";
    if (data.kinds.includes("assistant_turn") || data.kinds.includes("turn_continued")) this.#finished(data.turns);
  }

  #finished(turns) {
    const turn = this.snapshot.running?.turn;
    if (!turns.includes(turn)) return;
    this.ended = turn;
    this.snapshot.running = null;
  }

  /** Only new text goes on to the pages, and its offset counts as their strings do. */
  #token({ chat, turn, offset, text }) {
    if (turn === this.ended) return undefined;
    if (this.snapshot.running?.turn !== turn) {
      this.snapshot.running = { turn, speaker: "", text: "" };
      this.length = 0;
    }
    if (offset > this.length) return null;
    const added = offset === this.length ? text : Array.from(text).slice(this.length - offset).join("");
    const at = this.snapshot.running.text.length;
    this.snapshot.running.text += added;
    this.length += count(added);
    return added ? { chat, turn, offset: at, text: added } : undefined;
  }
}

/** At most one EventSource, for any number of chats, which comes back by itself and resumes where it was. */
export class Stream {
  #source = null;
  #chats = new Set(); // what the open connection asked for
  #wanted = null; // what is looked at now; null while nobody looks
  #standings = new Map();
  #tries = 0;
  #retry = 0;
  #settle = 0;
  #asked = 0; // when missing text was last asked for

  /** `deliver(kind, data)` gets every frame; `report(state)` gets "open" and "lost". */
  constructor(deliver, report) {
    this.deliver = deliver;
    this.report = report;
    this.last = ""; // id of the last event frame: <epoch>-<event id>
  }

  /** Looks at exactly `chats` (a Set), or at nothing (null). */
  want(chats) {
    this.#wanted = chats;
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => this.#trim(), LINGER);
    if (chats === null) return;
    const covered = [...chats].every((chat) => this.#chats.has(chat));
    if (!covered) this.#connect(false);
    else if (!this.#source && !this.#retry) this.#connect(true);
  }

  /** What a tab that joins is told at once; undefined when the answer is still on its way. */
  standing(chat) {
    return this.#standings.get(chat)?.snapshot;
  }

  /** Connects anew and has everything told again, at most once a second. */
  resync() {
    if (this.#retry) return;
    const wait = Math.max(0, this.#asked + 1000 - Date.now());
    this.#retry = setTimeout(() => {
      this.#asked = Date.now();
      this.#connect(false);
    }, wait);
  }

  close() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    this.#source?.close();
    this.#source = null;
  }

  /** Resuming repeats only the events that were missed; a chat that is new to the connection needs its snapshot. */
  #connect(resume) {
    this.close();
    if (this.#wanted === null) return;
    const known = resume && this.last && [...this.#wanted].every((chat) => this.#standings.has(chat));
    if (!known) this.#standings.clear();
    this.#chats = new Set(this.#wanted);
    const query = new URLSearchParams([...this.#chats].map((chat) => ["chat", chat]));
    if (known) query.set("after", this.last);
    const source = new EventSource(`/events?${query}`);
    this.#source = source;
    source.onopen = () => this.#opened();
    source.onerror = () => this.#lost(source);
    for (const kind of KINDS) source.addEventListener(kind, (message) => this.#frame(kind, message));
  }

  #opened() {
    this.#tries = 0;
    this.report("open");
  }

  #lost(source) {
    if (source !== this.#source) return;
    this.close();
    this.report("lost");
    const longest = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#tries);
    this.#tries += 1;
    this.#retry = setTimeout(() => this.#connect(true), longest * (0.5 + Math.random() / 2));
  }

  #frame(kind, message) {
    if (message.target !== this.#source) return;
    const data = JSON.parse(message.data);
    if (message.lastEventId) this.last = message.lastEventId;
    if (kind === "snapshot") this.#standings.set(data.chat, new Standing(structuredClone(data)));
    const standing = this.#standings.get(data.chat);
    const told = kind === "snapshot" || !standing ? data : standing.apply(kind, data);
    if (told === null) this.resync();
    else if (told) this.deliver(kind, told);
  }

  #trim() {
    if (this.#wanted === null) this.close();
    else if ([...this.#chats].some((chat) => !this.#wanted.has(chat))) this.#connect(true);
  }
}

/** The words of one chat on their way to its tabs. A page paints no oftener, and a message costs it more than a word. */
class Words {
  #piece = null;
  #timer = 0;
  #gone = -Infinity;

  /** `post(piece)` sends one on. */
  constructor(post) {
    this.post = post;
  }

  add(piece) {
    if (this.#goesOn(piece)) this.#piece.text += piece.text;
    else {
      this.flush();
      this.#piece = { ...piece };
    }
    const wait = this.#gone + GATHER - performance.now();
    if (wait <= 0) this.flush();
    else this.#timer ||= setTimeout(() => this.flush(), wait);
  }

  flush() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    if (!this.#piece) return;
    const piece = this.#piece;
    this.#piece = null;
    this.#gone = performance.now();
    this.post(piece);
  }

  #goesOn({ turn, offset }) {
    return this.#piece?.turn === turn && this.#piece.offset + this.#piece.text.length === offset;
  }
}

/** Every tab that is open, what it looks at and when it was last heard of. */
class Tabs {
  #tabs = new Map();
  #words = new Map(); // by chat

  constructor() {
    this.state = "";
    this.stream = new Stream(
      (kind, data) => this.#deliver(kind, data),
      (state) => this.#report(state),
    );
    setInterval(() => this.#bury(), SILENT / 5);
  }

  /** A word from a tab: {chat, visible}, with `joins` when it asks how things stand; or {bye}; or {resync}. */
  hear(port, word) {
    if (word.resync) return void this.stream.resync();
    if (word.bye) this.#tabs.delete(port);
    else this.#tabs.set(port, { ...word, heard: Date.now() });
    this.stream.want(this.#lookedAt());
    if (word.joins && word.visible) this.#greet(port, word.chat);
  }

  #greet(port, chat) {
    if (this.state) port.postMessage({ state: this.state, last: this.stream.last });
    const snapshot = this.stream.standing(chat);
    if (snapshot) port.postMessage({ kind: "snapshot", data: snapshot });
  }

  #lookedAt() {
    const looking = [...this.#tabs.values()].filter((tab) => tab.visible);
    return looking.length ? new Set(looking.map((tab) => tab.chat).filter(Boolean)) : null;
  }

  /** Whatever else is told of a chat comes after the words that came before it. */
  #deliver(kind, data) {
    if (kind === "token") return this.#wordsOf(data.chat).add(data);
    for (const [chat, words] of this.#words) if (!data.chat || data.chat === chat) words.flush();
    this.#post(kind, data);
  }

  #wordsOf(chat) {
    if (!this.#words.has(chat)) this.#words.set(chat, new Words((piece) => this.#post("token", piece)));
    return this.#words.get(chat);
  }

  #post(kind, data) {
    const chat = data.chat ?? null;
    for (const [port, tab] of this.#tabs) {
      if (tab.visible && (chat === null || chat === tab.chat)) port.postMessage({ kind, data });
    }
  }

  #report(state) {
    this.state = state;
    for (const port of this.#tabs.keys()) port.postMessage({ state });
  }

  #bury() {
    const before = this.#tabs.size;
    for (const [port, tab] of this.#tabs) {
      if (tab.visible && Date.now() - tab.heard > SILENT) this.#tabs.delete(port);
    }
    if (this.#tabs.size !== before) this.stream.want(this.#lookedAt());
  }
}

if ("SharedWorkerGlobalScope" in globalThis) {
  const tabs = new Tabs();
  globalThis.onconnect = ({ ports: [port] }) => {
    port.onmessage = ({ data }) => tabs.hear(port, data);
  };
}
