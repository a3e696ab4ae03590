// A payload as indented JSON with the wrong places marked where they are, and the missing ones where they should be.

import { h } from "../dom.js";
import { isContainer, show, typeOf } from "./json.js";
import { child, element } from "./paths.js";
import { plainSentence } from "./sentence.js";

const INDENT = "  ";

export function renderPayload(payload, violations) {
  const marks = new Map();
  for (const violation of violations) {
    const path = violation.path ?? "";
    marks.set(path, [...(marks.get(path) ?? []), violation]);
  }
  const lines = [];
  write(payload, { path: "", depth: 0, lead: [], comma: "", marks, lines });
  return h("pre", { class: "json", tabindex: "0", "aria-label": "Payload" }, h("code", {}, lines));
}

function write(value, place) {
  if (isContainer(value)) writeContainer(value, place);
  else line(place, [h("span", { class: `json-${typeOf(value)}` }, show(value))]);
}

function writeContainer(value, place) {
  const { path, depth, marks, lines } = place;
  const isArray = Array.isArray(value);
  const entries = isArray
    ? value.map((item, index) => [null, item, element(path, index)])
    : Object.entries(value).map(([key, item]) => [key, item, child(path, key)]);
  const missing = isArray ? [] : missingBelow(path, entries, marks);
  const [open, close] = isArray ? ["[", "]"] : ["{", "}"];
  if (!entries.length && !missing.length) return line(place, [open + close]);

  line({ ...place, comma: "" }, [open]);
  entries.forEach(([key, item, itemPath], index) => {
    const isLast = index === entries.length - 1;
    const lead = key === null ? [] : [h("span", { class: "json-key" }, show(key)), ": "];
    write(item, { path: itemPath, depth: depth + 1, lead, comma: isLast ? "" : ",", marks, lines });
  });
  for (const [key, violations] of missing) ghost(key, violations, depth + 1, lines);
  lines.push(h("span", { class: "json-line" }, INDENT.repeat(depth), close, place.comma, "\n"));
}

// Properties that a violation names, directly below this object, and that did not come.
function missingBelow(path, entries, marks) {
  const present = new Set(entries.map(([, , itemPath]) => itemPath));
  const start = path ? `${path}.` : "";
  return [...marks]
    .filter(([at]) => at && at.startsWith(start) && !present.has(at))
    .map(([at, violations]) => [at.slice(start.length), violations])
    .filter(([key, violations]) => !/[.[]/.test(key) && violations[0].kind === "missing_property");
}

function line({ path, depth, lead, comma, marks, lines }, content) {
  const violations = path ? marks.get(path) : undefined;
  const body = violations ? h("mark", { class: "json-mark" }, lead, content) : [...lead, ...content];
  lines.push(
    h(
      "span",
      { class: violations ? "json-line json-line-wrong" : "json-line" },
      INDENT.repeat(depth),
      body,
      comma,
      violations && note(violations),
      "\n",
    ),
  );
}

function ghost(key, violations, depth, lines) {
  lines.push(
    h(
      "span",
      { class: "json-line json-line-wrong" },
      INDENT.repeat(depth),
      h("mark", { class: "json-mark json-ghost" }, show(key)),
      note(violations),
      "\n",
    ),
  );
}

function note(violations) {
  return h("span", { class: "json-note" }, ` ← ${violations.map((violation) => plainSentence(violation.message)).join(" ")}`);
}
