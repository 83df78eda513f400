// Lets a fresh fragment take the place of a shown one around whatever the player has their hands on.
// It must never touch an element that is held, take the focus from what stays, or shut what was opened.

const KEPT = new Set(["open"]); // attributes that belong to the player, not to the server

/** Makes `shown` what `fresh` is, except for the elements in `held` (a Set), which stay exactly as they are. */
export function merge(shown, fresh, held) {
  mergeElement(shown, fresh, new Hands(held));
}

/** What the player has their hands on. */
class Hands {
  constructor(held) {
    this.held = held;
    this.focused = document.activeElement;
  }

  on(node) {
    for (const element of this.held) if (node.contains(element)) return true;
    return false;
  }

  /** Moving an element takes the focus from it. */
  mayMove(node) {
    return !this.on(node) && !node.contains(this.focused);
  }
}

function mergeElement(shown, fresh, hands) {
  if (hands.held.has(shown)) return;
  mergeAttributes(shown, fresh);
  const coming = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
  let cursor = shown.firstChild;
  for (const node of [...fresh.childNodes]) {
    const twin = twinOf(node, cursor, shown);
    if (!twin) {
      shown.insertBefore(node, cursor);
      continue;
    }
    cursor = clear(cursor, twin, coming, hands);
    if (twin === cursor) cursor = cursor.nextSibling;
    else if (hands.mayMove(twin)) shown.insertBefore(twin, cursor);
    if (node.nodeType === Node.ELEMENT_NODE) mergeElement(twin, node, hands);
    else if (twin.data !== node.data) twin.data = node.data;
  }
  clear(cursor, null, coming, hands);
}

/** The shown node that `node` is the newer state of: the one of its id, or the next of its kind that has none. */
function twinOf(node, cursor, parent) {
  if (node.id) {
    const found = [...parent.children].find((child) => child.id === node.id);
    return found?.localName === node.localName ? found : null;
  }
  for (let one = cursor; one && !one.id; one = one.nextSibling) if (one.nodeName === node.nodeName) return one;
  return null;
}

/** Removes what is gone between two nodes; what is held or will be met further on stays. Returns where to go on. */
function clear(from, to, coming, hands) {
  let first = to;
  for (let node = from; node && node !== to;) {
    const next = node.nextSibling;
    if (!coming.has(node.id) && !hands.on(node)) node.remove();
    else if (first === to) first = node;
    node = next;
  }
  return first;
}

function mergeAttributes(shown, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (!KEPT.has(name) && shown.getAttribute(name) !== value) shown.setAttribute(name, value);
  }
  for (const name of shown.getAttributeNames()) {
    if (!KEPT.has(name) && !fresh.hasAttribute(name)) shown.removeAttribute(name);
  }
}
