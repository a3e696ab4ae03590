// The history: reads page after page of stored events as the reader comes to the end of the list.

import { byId, pageData } from "../dom.js";
import { parseEntries } from "../event/json.js";
import { makeRows } from "../live/rows.js";
import { fullTime } from "../time.js";
import { keepMoments } from "./moments.js";

const PAGE = 50;
// So many rows come by themselves; beyond them each page is asked for, or a page left open would never end.
const MOST_UNASKED = 500;

const page = pageData();
const more = byId("more");
const rows = makeRows(byId("rows"), page.eventUrl, open, Infinity);
let cursor = null;
let isReading = false;
let isFull = true; // was the last page full? Then more is likely near.

async function read() {
  if (isReading) return;
  isReading = true;
  more.disabled = true;
  byId("history").setAttribute("aria-busy", "true");
  const list = await fetchEvents();
  byId("history").removeAttribute("aria-busy");
  more.disabled = false;
  isReading = false;
  byId("list-error").hidden = Boolean(list);
  if (!list) return offer("Try again");
  rows.append(list.entries);
  cursor = list.nextCursor;
  isFull = list.entries.length === PAGE;
  show(list.searchedTo);
}

async function fetchEvents() {
  const url = new URL(page.eventsUrl, location.href);
  url.search = location.search;
  url.searchParams.set("limit", PAGE);
  if (cursor) url.searchParams.set("cursor", cursor);
  else url.searchParams.delete("cursor");
  const answer = await fetch(url, { headers: { Accept: "application/json" } }).catch(() => null);
  return answer?.ok ? parseEntries(await answer.text()) : null;
}

function show(searchedTo) {
  byId("list").hidden = rows.size === 0;
  byId("empty").hidden = rows.size > 0 || Boolean(cursor);
  byId("looked").textContent = cursor && !isFull ? `Looked back to ${fullTime(searchedTo)}.` : cursor || !rows.size ? "" : "That is all.";
  if (cursor) offer(isFull ? "Load more" : "Look further back");
  else more.hidden = true;
  watcher.disconnect();
  if (cursor && isFull && rows.size < MOST_UNASKED) watcher.observe(more); // anew: it tells at once if it is in sight
}

function offer(label) {
  more.hidden = false;
  more.querySelector("[data-label]").textContent = label;
}

function open(entry) {
  location.assign(page.eventUrl.replace("EVENT_ID", encodeURIComponent(entry.event_id)));
}

const watcher = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && read(), {
  rootMargin: "400px",
});
more.addEventListener("click", read);
keepMoments(byId("filters"));
read();
