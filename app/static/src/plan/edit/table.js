// The table of rules: one body per event, one row per rule, walked by arrow keys.

import { byId, h, icon } from "../../dom.js";
import { keyOf } from "./filter.js";
import { SEVERITY, constraintWords } from "./words.js";

const table = byId("rules");
const PAGE_ROWS = 10;

export const MEMBERS = ["path", "type", "required", "severity", "constraints", "description"];
const LABELS = {
  path: "Property",
  type: "Type",
  required: "Required",
  severity: "Severity",
  constraints: "Constraints",
  description: "Description",
};

export function labelOf(member) {
  return LABELS[member];
}

// Draws as many rows as `most` allows, and tells how many there are.
export function draw(groups, selected, most) {
  const here = place();
  for (const body of table.querySelectorAll("tbody")) body.remove();
  let room = most;
  let total = 0;
  for (const { name, definition, rules } of groups) {
    total += rules.length + 1;
    if (room <= 0) continue;
    const shown = rules.slice(0, Math.max(0, room - 1));
    room -= shown.length + 1;
    table.append(h("tbody", { "data-event": name }, head(name, definition), shown.map((rule) => row(name, rule, selected))));
  }
  table.hidden = groups.length === 0;
  restore(here);
  return total;
}

function head(name, definition) {
  const count = definition.rules?.length ?? 0;
  const facts = "schema" in definition ? "JSON Schema" : `${count} rule${count === 1 ? "" : "s"}`;
  const button = (act, symbol, label) =>
    h("button", { type: "button", class: "btn btn-sm", "data-act": act, "data-stop": "", tabindex: "-1", "aria-label": `${label} ${name}` }, icon(symbol), h("span", { class: "wide-word" }, label.split(" ")[0]));
  return h(
    "tr",
    { class: "edit-event" },
    h(
      "td",
      { colspan: "7" },
      h(
        "div",
        { class: "edit-event-line" },
        h("strong", { dir: "auto" }, name),
        h("small", { class: "text-secondary" }, facts),
        h(
          "span",
          { class: "edit-acts" },
          "schema" in definition ? null : button("add", "plus", "Add a rule to"),
          button("event", "edit", "Edit"),
          button("remove", "trash", "Delete"),
        ),
      ),
    ),
  );
}

function row(event, rule, selected) {
  const isSelected = selected.has(keyOf(event, rule.path));
  const box = h("input", {
    type: "checkbox",
    class: "form-check-input",
    "data-stop": "",
    tabindex: "-1",
    checked: isSelected,
    "aria-label": `Select ${rule.path} of ${event}`,
  });
  return h(
    "tr",
    { "data-path": rule.path, "aria-selected": String(isSelected) },
    h("td", { class: "edit-pick" }, box),
    MEMBERS.map((member) =>
      h(
        "td",
        { "data-member": member, "data-label": LABELS[member], "data-stop": "", tabindex: "-1", dir: "auto" },
        cellText(rule, member),
      ),
    ),
  );
}

function cellText(rule, member) {
  if (member === "required") return rule.required ? "yes" : "no";
  if (member === "severity") return rule.severity ?? SEVERITY;
  if (member === "constraints") return constraintWords(rule.constraints) || "–";
  if (member === "type") return rule.nullable ? `${rule.type} or null` : rule.type;
  return rule[member] || "–";
}

// ── where the focus is ───────────────────────────────────────────────────────────────────────────────────────────────

export function whereIs(element) {
  const line = element.closest("tr");
  const body = line?.closest("tbody");
  return body ? { event: body.dataset.event, path: line.dataset.path, member: element.closest("td").dataset.member } : null;
}

const stopsOf = (line) => [...line.querySelectorAll("[data-stop]")];

export function focusOn({ event, path, member }) {
  for (const body of table.querySelectorAll("tbody")) {
    if (body.dataset.event !== event) continue;
    const line = [...body.rows].find((each) => each.dataset.path === path) ?? body.rows[0];
    step(line.querySelector(`[data-member="${member}"]`) ?? stopsOf(line)[0]);
    return;
  }
  restoreFirst();
}

function place() {
  const active = document.activeElement;
  if (!table.contains(active)) return null;
  const stops = stopsOf(active.closest("tr"));
  return { ...whereIs(active), at: stops.indexOf(active.closest("[data-stop]")), index: lines().indexOf(active.closest("tr")) };
}

function restore(here) {
  restoreFirst();
  if (!here) return;
  const all = lines();
  const same = all.find((line) => line.closest("tbody").dataset.event === here.event && line.dataset.path === here.path);
  const line = same ?? all[Math.min(Math.max(here.index, 0), all.length - 1)];
  if (line) step(stopsOf(line)[Math.min(Math.max(here.at, 0), stopsOf(line).length - 1)]);
}

function restoreFirst() {
  const first = table.querySelector("tbody [data-stop]");
  if (first && !table.querySelector('tbody [tabindex="0"]')) first.tabIndex = 0;
}

const lines = () => [...table.querySelectorAll("tbody tr")];

function step(stop) {
  if (!stop) return;
  for (const other of table.querySelectorAll('tbody [tabindex="0"]')) other.tabIndex = -1;
  stop.tabIndex = 0;
  stop.focus();
}

// Moves the focus; true where the key was one that does.
export function walk(key, target) {
  const stop = target.closest("[data-stop]");
  const line = stop.closest("tr");
  const stops = stopsOf(line);
  const at = stops.indexOf(stop);
  const sideways = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: stops.length - 1 }[key];
  if (sideways !== undefined) {
    step(stops[Math.min(Math.max(sideways, 0), stops.length - 1)]);
    return true;
  }
  const by = { ArrowUp: -1, ArrowDown: 1, PageUp: -PAGE_ROWS, PageDown: PAGE_ROWS }[key];
  if (by === undefined) return false;
  const all = lines();
  const next = all[Math.min(Math.max(all.indexOf(line) + by, 0), all.length - 1)];
  const there = stopsOf(next);
  step(there[Math.min(at, there.length - 1)]);
  return true;
}

table.addEventListener("focusin", (focus) => {
  const stop = focus.target.closest("tbody [data-stop]");
  if (!stop || stop.tabIndex === 0) return;
  for (const other of table.querySelectorAll('tbody [tabindex="0"]')) other.tabIndex = -1;
  stop.tabIndex = 0;
});
