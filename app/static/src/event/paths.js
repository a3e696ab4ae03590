// Paths into a payload, as violations write them: `items[0].price`. A plan's own path says `items[].price`.

export function child(base, key) {
  return base ? `${base}.${key}` : key;
}

export function element(base, index) {
  return `${base}[${index}]`;
}

export function general(path) {
  return path.replace(/\[\d+\]/g, "[]");
}

// Sheets are matched relaxed: case and spaces don't count.
export function relaxed(path) {
  return path.toLowerCase().replaceAll(" ", "_");
}

// Calls visit(path, value, key) for the payload's every place, containers before what is in them.
export function walk(value, visit, path = "") {
  const places = Array.isArray(value)
    ? value.map((item, index) => [element(path, index), item])
    : Object.entries(value).map(([key, item]) => [child(path, key), item]);
  for (const [place, item] of places) {
    if (visit(place, item) === false) return;
    if (typeof item === "object" && item !== null && !JSON.isRawJSON?.(item)) walk(item, visit, place);
  }
}
