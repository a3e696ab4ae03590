// The live page: reads the newest events, then adds what arrives, and opens any of them beside the list.

import { byId, pageData } from "../dom.js";
import { renderDetail } from "../event/detail.js";
import { exactly, parseEntries } from "../event/json.js";
import { makeClock } from "./clock.js";
import { makeFilters } from "./filters.js";
import { listenToKeys } from "./keys.js";
import { makePainter } from "./painter.js";
import { makeRows } from "./rows.js";
import { makeShare } from "./share.js";
import { makeState } from "./state.js";
import { watch } from "./stream.js";
import { makeTiles } from "./tiles.js";

const PAGE = 50;
const ANNOUNCE_MS = 10_000;
// A filtered stream does not tell all that the tiles count.
const RECOUNT_MS = 5_000;
// Browsers allow six connections to one HTTP/1.1 server: hidden pages give theirs back.
const HIDDEN_MS = 60_000;

const page = pageData();
const body = byId("rows");
const workspace = byId("workspace");
const panel = byId("event-panel");

const rows = makeRows(body, page.eventUrl, openEvent);
const state = makeState(page.serverNow, makeClock(page.clockUrl, page.csrfToken));
const filters = makeFilters(askAnew);
const tiles = makeTiles(page.summaryUrl, page.counts, filters.offer);
const painter = makePainter(paint, showWaiting);
filters.offer(page.events);

let older = null;
let reading = 0;
let opened = null;
let hiddenTimer = null;
let isCleared = false;
let unannounced = { count: 0, invalid: 0 };

const stream = watch(page.liveUrl, filters.query, page.cursor, {
  onEntries(entries) {
    if (!entries.length) return; // the server says how far it has got
    if (!filters.isSet()) tiles.add(entries);
    state.arrived(entries);
    painter.push(entries);
    noticeSystemEvents(entries);
  },
  onState: state.line,
  onFresh() {
    readList();
    tiles.reconcile();
  },
});
readList();
makeShare(page.qrUrl, filters.query);

// Other filters: nothing that the old ones let through may stay, and the list is read once the new line stands.
function askAnew() {
  reading += 1; // an answer that is on its way is not wanted any more
  painter.hold("reading", true);
  painter.drop();
  stream.renew();
}

function noticeSystemEvents(entries) {
  if (entries.some((entry) => entry.origin === "system")) filters.tellSystemEvents();
}

function paint(entries) {
  rows.prepend(entries);
  unannounced.count += entries.length;
  unannounced.invalid += entries.filter((entry) => entry.verdict === "invalid").length;
  showEmptiness();
}

// Reads the newest events that pass the filters. What waited is in the answer; what arrives meanwhile is held back
// and painted after it, and ids keep it single.
async function readList() {
  const number = ++reading;
  painter.hold("reading", true);
  painter.drop();
  const list = await fetchEvents("");
  if (number !== reading) return; // a later reading overtook this one
  if (list) {
    isCleared = false;
    rows.clear();
    rows.append(list.entries);
    noticeSystemEvents(list.entries);
    showOlder(list.nextCursor);
    holdForOlder(false);
  }
  painter.hold("reading", false);
  showEmptiness();
}

async function fetchEvents(cursor) {
  const url = new URL(`${page.eventsUrl}?limit=${PAGE}${filters.query("&")}`, location.href);
  if (cursor) url.searchParams.set("cursor", cursor);
  const answer = await fetch(url, { headers: { Accept: "application/json" } }).catch(() => null);
  byId("list-error").hidden = Boolean(answer?.ok);
  return answer?.ok ? parseEntries(await answer.text()) : null;
}

async function readOlder(click) {
  const button = click.currentTarget;
  const number = reading;
  button.disabled = true;
  const list = await fetchEvents(older);
  button.disabled = false;
  if (!list || number !== reading) return;
  // The list holds so many rows; once the newest made room for older ones, adding what arrives would leave a gap.
  if (rows.append(list.entries)) holdForOlder(true);
  showOlder(list.nextCursor);
}

function showOlder(cursor) {
  older = cursor;
  byId("older").hidden = !cursor;
}

function holdForOlder(isHeld) {
  byId("back-to-newest").hidden = !isHeld;
  painter.hold("older", isHeld);
}

function togglePause() {
  const isPaused = !painter.isHeld("paused");
  const button = byId("pause");
  button.setAttribute("aria-pressed", String(isPaused));
  button.querySelector("[data-label]").textContent = isPaused ? "Resume" : "Pause";
  workspace.classList.toggle("is-paused", isPaused);
  painter.hold("paused", isPaused);
}

// An empty list for the next try; nothing is deleted, and what waits is left out too.
function clearView() {
  closeEvent();
  reading += 1; // an answer that is on its way is not wanted any more
  isCleared = true;
  rows.clear();
  painter.drop();
  painter.hold("reading", false);
  holdForOlder(false);
  showOlder(null);
  showEmptiness();
}

function showWaiting(count) {
  byId("waiting").hidden = count === 0;
  byId("waiting").textContent = `${count} waiting`;
}

function showEmptiness() {
  const isEmpty = rows.size === 0;
  byId("list").hidden = isEmpty;
  byId("empty-cleared").hidden = !(isEmpty && isCleared);
  byId("empty-filtered").hidden = !(isEmpty && !isCleared && filters.isSet());
  byId("empty").hidden = !(isEmpty && !isCleared && !filters.isSet());
}

function openEvent(entry, row) {
  opened?.row.removeAttribute("aria-current");
  opened = { row };
  row.setAttribute("aria-current", "true");
  byId("event-detail").replaceChildren(renderDetail(exactly(entry), page));
  panel.hidden = false;
  panel.scrollTop = 0;
  workspace.classList.add("has-panel");
  if (matchMedia("(max-width: 991px)").matches) byId("panel-close").focus();
}

function closeEvent() {
  if (!opened) return;
  opened.row.removeAttribute("aria-current");
  if (opened.row.isConnected) opened.row.querySelector(".row-name").focus();
  opened = null;
  panel.hidden = true;
  workspace.classList.remove("has-panel");
}

// With an event open, walking the list opens the next one: reading a series takes one key each.
function afterMove(row) {
  if (opened && opened.row !== row) row.querySelector(".row-name").click();
}

function announce() {
  if (!unannounced.count) return;
  const { count, invalid } = unannounced;
  byId("announcer").textContent = `${count} new events, ${invalid} invalid`;
  unannounced = { count: 0, invalid: 0 };
}

function rest() {
  clearTimeout(hiddenTimer);
  if (document.hidden) hiddenTimer = setTimeout(stream.close, HIDDEN_MS);
  else if (!stream.isOpen()) stream.open();
}

byId("pause").addEventListener("click", togglePause);
byId("panel-close").addEventListener("click", closeEvent);
byId("older").addEventListener("click", readOlder);
byId("newest").addEventListener("click", readList);
byId("clear-view").addEventListener("click", clearView);
byId("show-again").addEventListener("click", readList);
byId("list-retry").addEventListener("click", readList);
document.addEventListener("visibilitychange", rest);
setInterval(announce, ANNOUNCE_MS);
setInterval(() => filters.isSet() && !document.hidden && tiles.reconcile(), RECOUNT_MS);
listenToKeys({ body, togglePause, close: closeEvent, afterMove });
