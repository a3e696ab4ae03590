// A rule's parts as people read and write them.

export const SEVERITY = "error"; // where a rule says none

export const LISTS = new Set(["enum"]);
export const TEXTS = new Set(["pattern", "format"]);
export const FLAGS = new Set(["unique_items"]);

export function constraintWords(constraints = {}) {
  return Object.entries(constraints)
    .map(([name, limit]) => `${name.replaceAll("_", " ")}: ${Array.isArray(limit) ? limit.join(" | ") : limit}`)
    .join(", ");
}

// What was typed as a limit, as the plan has it; undefined where nothing was.
export function readLimit(name, type, typed) {
  if (FLAGS.has(name)) return typed ? true : undefined;
  if (LISTS.has(name)) {
    const values = typed.split("\n").map((line) => line.trim()).filter(Boolean);
    return values.length ? values.map((value) => readValue(type, value)) : undefined;
  }
  if (typed.trim() === "") return undefined;
  if (TEXTS.has(name)) return typed;
  return name === "const" ? readValue(type, typed) : readNumber(typed);
}

export function writeLimit(name, limit) {
  return LISTS.has(name) ? limit.join("\n") : String(limit);
}

function readValue(type, typed) {
  if (type === "number" || type === "integer") return readNumber(typed);
  if (type === "boolean" && (typed === "true" || typed === "false")) return typed === "true";
  return typed;
}

// What is no number stays text: the server says then what is wrong with it.
function readNumber(typed) {
  const number = Number(typed);
  return Number.isFinite(number) ? number : typed;
}
