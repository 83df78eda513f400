// When a part of the page is looked at again: soon after something asks for it, and at most once at a time.

const GATHER = 100; // ms within which several facts lead to one look at a part
const AGAIN = 1500; // ms until a part that could not be fetched is asked for again

/** Looks at something again, at most once at a time and after gathering what else asks for it. */
export class Look {
  #timer = 0;
  #busy = false;
  #due = false;

  /** `fetchNow()` resolves to false when it has to be tried again. */
  constructor(fetchNow, isWanted = () => true) {
    this.fetchNow = fetchNow;
    this.isWanted = isWanted;
  }

  soon(wait = GATHER) {
    this.#due = true;
    this.#timer ||= setTimeout(() => this.#run(), wait);
  }

  /** Something became visible: what was put off is done now. */
  wake() {
    if (this.#due) this.soon(0);
  }

  async #run() {
    this.#timer = 0;
    if (this.#busy || document.hidden || !this.isWanted()) return;
    this.#busy = true;
    this.#due = false;
    const done = await this.fetchNow();
    this.#busy = false;
    if (done === false) this.soon(AGAIN);
    else this.wake();
  }
}
