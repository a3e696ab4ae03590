// JSON as it was sent: 12.0 stays 12.0 and a 20-digit id keeps its digits, which plain JSON.parse would lose.

const texts = new WeakMap();

// Parses an array of entries fast; remembers the text, so that the few that get opened can be read exactly.
export function parseEntries(text) {
  const parsed = JSON.parse(text);
  const entries = Array.isArray(parsed) ? parsed : parsed.events;
  for (const entry of entries) texts.set(entry, text);
  return { entries, nextCursor: parsed.next_cursor ?? null, searchedTo: parsed.searched_to ?? null };
}

export function exactly(entry) {
  const text = texts.get(entry);
  if (!text) return entry;
  const parsed = parseExactly(text);
  const entries = Array.isArray(parsed) ? parsed : parsed.events;
  return entries.find((candidate) => candidate.event_id === entry.event_id) ?? entry;
}

export function parseExactly(text) {
  return JSON.parse(text, keepDigits);
}

// Browsers without JSON.rawJSON (before 2025) show the number as JavaScript reads it.
function keepDigits(key, value, context) {
  if (typeof value !== "number" || !context || !JSON.rawJSON) return value;
  return String(value) === context.source ? value : JSON.rawJSON(context.source);
}

function isRaw(value) {
  return Boolean(JSON.isRawJSON?.(value));
}

export function isContainer(value) {
  return typeof value === "object" && value !== null && !isRaw(value);
}

// The type in the product's words (app/validation/types.py).
export function typeOf(value) {
  if (value === null) return "null";
  if (typeof value === "string") return "text";
  if (Array.isArray(value)) return "array";
  if (isRaw(value)) return /^-?\d+$/.test(value.rawJSON) ? "integer" : "number";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

export function show(value) {
  return JSON.stringify(value);
}

export function pretty(value) {
  return JSON.stringify(value, null, 2);
}
