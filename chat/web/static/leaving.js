// Words typed into a page of fields are nowhere but there: before such a page goes, the browser asks.
// It must never ask about what is on its way to the server, or about a box that keeps its own draft.

const WRITTEN = ".sheet-form:has(textarea) :is(textarea, input:not([type=hidden]))";

export function guard() {
  let isSent = false;
  addEventListener("submit", ({ target }) => {
    isSent = target.matches(".sheet-form");
  });
  addEventListener("pageshow", () => {
    isSent = false;
  });
  addEventListener("beforeunload", (event) => {
    const fields = [...document.querySelectorAll(WRITTEN)];
    if (!isSent && fields.some((field) => field.value !== field.defaultValue)) event.preventDefault();
  });
}
