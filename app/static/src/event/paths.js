// Paths into a payload, written as the judge writes them (app/validation/paths.py): `items[0].price`, `a["odd.key"]`.
// A rule's path has `[]` for every element, and keys with spaces bare: `items[].Unit Price`.

import { isContainer } from "./json.js";

const PLAIN_KEY = /^[^\s.[\]"]+$/;
const RULE_KEY = /^[^.[\]"]+$/;
const MOST_KEY_CHARACTERS = 200;

export function child(base, key) {
  const name = key.length > MOST_KEY_CHARACTERS ? `${key.slice(0, MOST_KEY_CHARACTERS)}…` : key;
  return join(base, name, PLAIN_KEY.test(name));
}

export function element(base, index) {
  return `${base}[${index}]`;
}

function ruleChild(base, key) {
  return join(base, key, RULE_KEY.test(key) && key === key.trim());
}

function join(base, key, isPlain) {
  if (!isPlain) return `${base}[${JSON.stringify(key)}]`;
  return base ? `${base}.${key}` : key;
}

// Sheets are matched relaxed: case doesn't count, and a space is an underscore.
export function relaxed(path) {
  return path.toLowerCase().replaceAll(" ", "_");
}

// Calls visit(path, rulePath, value) for every place in the payload, containers before what is in them.
export function walk(value, visit, path = "", rulePath = "") {
  const places = Array.isArray(value)
    ? value.map((item, index) => [element(path, index), `${rulePath}[]`, item])
    : Object.entries(value).map(([key, item]) => [child(path, key), ruleChild(rulePath, key), item]);
  for (const [place, rulePlace, item] of places) {
    visit(place, rulePlace, item);
    if (isContainer(item)) walk(item, visit, place, rulePlace);
  }
}
