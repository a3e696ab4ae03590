// Changing one cell where it stands: a text or a choice takes its place until Enter, Escape or leaving.

import { h } from "../../dom.js";
import { labelOf } from "./table.js";
import { SEVERITY } from "./words.js";

// commit(value): resolves to null, or to what is wrong with it, in words. cancel(): put the cell back.
export function editCell(cell, rule, { types, severities }, { commit, cancel }) {
  const member = cell.dataset.member;
  const label = `${labelOf(member)} of ${rule.path}`;
  const options = { type: types, severity: severities }[member];
  const value = rule[member] ?? (member === "severity" ? SEVERITY : "");
  const field = options
    ? h(
        "select",
        { class: "form-select form-select-sm", "aria-label": label },
        options.map((option) => h("option", { value: option, selected: option === value }, option)),
      )
    : h("input", { class: "form-control form-control-sm", value, "aria-label": label, autocomplete: "off", dir: "auto" });
  const said = h("div", { class: "field-error", id: "cell-error", hidden: true });
  let isOver = false;
  let isByKey = true;

  // The field keeps the focus while the server is asked: what is typed meanwhile must not become commands.
  async function finish() {
    if (isOver) return;
    isOver = true;
    const typed = field.value.trim();
    if (typed === value) return cancel();
    field.setAttribute("aria-busy", "true");
    const wrong = await commit(typed);
    if (wrong === null) return undefined;
    field.removeAttribute("aria-busy");
    isOver = false;
    said.hidden = false;
    said.textContent = wrong;
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", "cell-error");
    field.focus();
    return undefined;
  }

  field.addEventListener("keydown", (key) => {
    key.stopPropagation();
    isByKey = true;
    if (isOver) key.preventDefault();
    else if (key.key === "Enter") {
      key.preventDefault();
      finish();
    } else if (key.key === "Escape") {
      isOver = true;
      cancel();
    }
  });
  field.addEventListener("blur", () => {
    if (document.hasFocus()) finish();
  });
  field.addEventListener("pointerdown", () => {
    isByKey = false;
  });
  // By keys one walks through the choices, and each is a change; by pointer the first is what was meant.
  field.addEventListener("change", () => {
    if (options && !isByKey) finish();
  });
  cell.replaceChildren(field, said);
  field.focus();
  field.select?.();
}
