// The open line to the server. Reconnects by cursor, so that no event is missed and none comes twice.

import { parseEntries } from "../event/json.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
// After a longer silence (a laptop that slept) the page starts afresh instead of replaying all that happened.
const REPLAY_LIMIT_MS = 120_000;

// query(start): the filters, which the server applies. Calls onEntries(entries),
// onState("connecting"|"live"|"reconnecting"|"signed-out"|"gone") and, when it begins anew without a cursor, onFresh():
// then the caller reads the list. Returns {close, open, renew}; renew() begins anew, for other filters.
export function watch(address, query, cursor, { onEntries, onState, onFresh }) {
  let source = null;
  let timer = null;
  let wait = FIRST_WAIT_MS;
  let last = cursor;
  let heardAt = Date.now();
  let isListDue = false;

  function open() {
    close();
    const isFresh = !last || Date.now() - heardAt > REPLAY_LIMIT_MS;
    if (isFresh) last = null;
    const url = new URL(`${address}${query("?")}`, location.href);
    if (!isFresh) url.searchParams.set("cursor", last);
    source = new EventSource(url);
    source.addEventListener("open", () => {
      wait = FIRST_WAIT_MS;
      heardAt = Date.now();
      onState("live");
      // Only now: what is committed after this answer began is on the stream, what was before is in the list.
      if (isFresh) onFresh();
      isListDue = false;
    });
    source.addEventListener("log_entry", (frame) => {
      heardAt = Date.now();
      if (frame.lastEventId) last = frame.lastEventId;
      onEntries(parseEntries(frame.data).entries);
    });
    source.addEventListener("error", retry);
  }

  // Road not taken: the browser's own reconnect. It gives up for ever at the first 502 of a restarting server.
  async function retry() {
    close();
    onState("reconnecting");
    if (isListDue) onFresh(); // the list can be read without the line
    isListDue = false;
    const refusal = await whyRefused(address);
    if (refusal) return onState(refusal);
    clearTimeout(timer);
    timer = setTimeout(open, wait * (0.5 + Math.random()));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function renew() {
    last = null;
    isListDue = true;
    onState("connecting");
    open();
  }

  addEventListener("online", open);
  onState("connecting");
  open();
  return { open, close, renew, isOpen: () => source !== null };
}

// An EventSource doesn't tell the status of a refusal: ask the list of the same app.
async function whyRefused(address) {
  try {
    const url = new URL(address.replace(/live$/, "events?limit=1"), location.href);
    const answer = await fetch(url, { headers: { Accept: "application/json" } });
    return { 401: "signed-out", 403: "gone", 404: "gone" }[answer.status] ?? null;
  } catch {
    return null; // no network: go on trying
  }
}
