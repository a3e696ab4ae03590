// The list on the page, newest first: at most `most` rows, whatever arrives.

import { verdictBadge } from "../event/verdict.js";
import { plainSentence } from "../event/sentence.js";
import { h } from "../dom.js";
import { clockTime } from "../time.js";

export const MOST_ROWS = 500;
// New rows are tinted for a second; in a flood that would cost more than the rows and tell nothing.
const MOST_TINTED = 5;

// body: the <tbody>; eventUrl: an address with EVENT_ID in it; onOpen(entry, row): a row was chosen.
export function makeRows(body, eventUrl, onOpen, most = MOST_ROWS) {
  const entries = new Map(); // event_id → entry, for exactly the rows that are there

  body.addEventListener("click", (click) => {
    const row = click.target.closest("tr[data-event]");
    if (!row || click.ctrlKey || click.metaKey || click.shiftKey) return; // a new tab: let the link be a link
    if (getSelection()?.toString() && !click.target.closest("a")) return; // selecting text is not opening
    click.preventDefault();
    onOpen(entries.get(row.dataset.event), row);
  });

  function fresh(batch) {
    return batch.filter((entry) => !entries.has(entry.event_id));
  }

  // batch: oldest first, as the stream sends it
  function prepend(batch) {
    const isCalm = batch.length <= MOST_TINTED;
    const rows = fresh(batch).slice(-most).reverse().map((entry) => make(entry, isCalm));
    body.prepend(...rows);
    trim(() => body.lastElementChild);
    return rows.length;
  }

  // batch: newest first, as the list sends it. Returns whether newer rows had to make room.
  function append(batch) {
    body.append(...fresh(batch).map((entry) => make(entry, false)));
    return trim(() => body.firstElementChild);
  }

  function trim(next) {
    let trimmed = false;
    while (body.childElementCount > most) {
      const row = next();
      entries.delete(row.dataset.event);
      row.remove();
      trimmed = true;
    }
    return trimmed;
  }

  function make(entry, isNew) {
    entries.set(entry.event_id, entry);
    return renderRow(entry, eventUrl.replace("EVENT_ID", encodeURIComponent(entry.event_id)), isNew);
  }

  return {
    prepend,
    append,
    clear() {
      entries.clear();
      body.replaceChildren();
    },
    get size() {
      return entries.size;
    },
  };
}

function renderRow(entry, address, isNew) {
  const device = entry.device_id || entry.session_id;
  const about = [entry.app_version, entry.platform, device].filter(Boolean).join(" · ");
  return h(
    "tr",
    { "data-event": entry.event_id, "data-verdict": entry.verdict, class: isNew ? "row-new" : null },
    h("td", { class: "row-time" }, h("time", { datetime: entry.received_at }, clockTime(entry.received_at))),
    h("td", { class: "row-verdict" }, verdictBadge(entry.verdict)),
    h(
      "td",
      { class: "row-event" },
      h("a", { href: address, class: "row-name", dir: "auto" }, entry.name),
      entry.origin === "system" && h("span", { class: "row-origin" }, "System"),
      about && h("div", { class: "row-about", dir: "auto" }, about),
    ),
    h("td", { class: "row-reason", dir: "auto" }, reason(entry)),
    h("td", { class: "row-extra", dir: "auto" }, entry.app_version),
    h("td", { class: "row-extra", dir: "auto" }, entry.platform),
    h("td", { class: "row-extra row-device", dir: "auto" }, device),
  );
}

function reason(entry) {
  if (!entry.violations.length) return "";
  const more = entry.violations.length - 1 + (entry.violations_omitted ?? 0);
  const first = plainSentence(entry.violations[0].message);
  return more > 0 ? `${first} +${more} more` : first;
}
