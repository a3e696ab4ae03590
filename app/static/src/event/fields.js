// One row per field of an event: what the plan expects, what came, what the judge said. Pure: no page, no network.

import { isContainer, typeOf } from "./json.js";
import { relaxed, walk } from "./paths.js";

const MOST_ROWS = 1000;

const STATUS_OF_KIND = {
  missing_property: "missing",
  empty_value: "empty",
  type_mismatch: "wrong",
  constraint_broken: "wrong",
  condition_broken: "wrong",
  unplanned_property: "unplanned",
};

// Rows that need attention come first, what the plan would have allowed but did not come last.
const ORDER = ["wrong", "missing", "empty", "unplanned", "valid", "unjudged", "absent"];

export const STATUS_WORDS = {
  valid: "Valid",
  wrong: "Wrong",
  missing: "Missing",
  empty: "Empty",
  unplanned: "Not in the plan",
  unjudged: "No rule",
  absent: "Not sent",
};

// payload: object; expected: [{path, type, required}]; violations: as in /events.
// Returns {rows: [{path, status, severity, expected, received, value, isSent, violations}], omitted: number}.
export function mergeFields(payload, expected, violations) {
  const plan = planIndex(expected);
  const wrong = groupByPath(violations);
  const seen = new Set(wrong.keys());
  const rows = [];
  walk(payload, (path, rulePath, value) => {
    const field = plan.find(rulePath);
    const here = wrong.get(path) ?? [];
    const isLeaf = !isContainer(value) || Object.keys(value).length === 0;
    if (isLeaf || field || here.length) rows.push(sentRow(path, value, field, here));
    wrong.delete(path);
    seen.add(rulePath).add(relaxed(rulePath));
  });
  wrong.delete(""); // of the event as a whole, not of a field
  for (const [path, here] of wrong) rows.push(unsentRow(path, plan.find(path), here));
  for (const field of expected) {
    if (!seen.has(field.path) && !seen.has(relaxed(field.path))) rows.push(unsentRow(field.path, field, []));
  }
  rows.sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status)); // stable: payload order within a status
  return { rows: rows.slice(0, MOST_ROWS), omitted: Math.max(0, rows.length - MOST_ROWS) };
}

function planIndex(expected) {
  const exact = new Map(expected.map((field) => [field.path, field]));
  const loose = new Map(expected.map((field) => [relaxed(field.path), field]));
  return { find: (rulePath) => exact.get(rulePath) ?? loose.get(relaxed(rulePath)) ?? null };
}

function groupByPath(violations) {
  const groups = new Map();
  for (const violation of violations) {
    const path = violation.path ?? "";
    groups.set(path, [...(groups.get(path) ?? []), violation]);
  }
  return groups;
}

function sentRow(path, value, field, violations) {
  const status = violations.length ? worst(violations) : field ? "valid" : "unjudged";
  return {
    path,
    status,
    severity: severity(violations),
    expected: expectation(field, violations),
    received: received(value, field, violations),
    value,
    isSent: true,
    violations,
  };
}

function unsentRow(path, field, violations) {
  return {
    path,
    status: violations.length ? worst(violations) : "absent",
    severity: severity(violations),
    expected: expectation(field, violations),
    received: "nothing",
    value: undefined,
    isSent: false,
    violations,
  };
}

// The judge's word for the type where it has one ("datetime"); a broken constraint's `received` is the value itself.
function received(value, field, violations) {
  const told = violations.find((violation) => violation.kind === "type_mismatch")?.received;
  if (typeof told === "string") return told;
  const isFittingDate = !violations.length && typeof value === "string" && /^date(time)?$/.test(field?.type);
  return isFittingDate ? field.type : typeOf(value);
}

function worst(violations) {
  const statuses = violations.map((violation) => STATUS_OF_KIND[violation.kind] ?? "wrong");
  return ORDER.find((status) => statuses.includes(status));
}

function severity(violations) {
  if (!violations.length) return null;
  return violations.some((violation) => violation.severity === "error") ? "error" : "warning";
}

function expectation(field, violations) {
  const told = violations.find((violation) => violation.kind !== "unplanned_property")?.expected;
  return told ?? field?.type ?? null;
}
