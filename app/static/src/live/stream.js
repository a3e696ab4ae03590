// The open line to the server. Reconnects by cursor, so that no event is missed and none comes twice.

import { parseEntries } from "../event/json.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
// After a longer silence (a laptop that slept) the page starts afresh instead of replaying all that happened.
const REPLAY_LIMIT_MS = 120_000;

// narrow: [[filter, value]] that the server applies. Calls onEntries(entries), onState("connecting"|"live"|"reconnecting"|"signed-out"|"gone") and, when it begins anew
// without a cursor, onFresh(): then the caller reads the list again. Returns {close, open}.
export function watch(address, narrow, cursor, { onEntries, onState, onFresh }) {
  let source = null;
  let timer = null;
  let wait = FIRST_WAIT_MS;
  let last = cursor;
  let heardAt = Date.now();

  function open() {
    close();
    const isFresh = !last || Date.now() - heardAt > REPLAY_LIMIT_MS;
    const url = new URL(address, location.href);
    for (const [name, value] of narrow) url.searchParams.set(name, value);
    if (!isFresh) url.searchParams.set("cursor", last);
    source = new EventSource(url);
    source.addEventListener("open", () => {
      wait = FIRST_WAIT_MS;
      heardAt = Date.now();
      onState("live");
      if (isFresh) onFresh();
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

  addEventListener("online", open);
  onState("connecting");
  open();
  return { open, close, isOpen: () => source !== null };
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
