// Says how the line is: live, reconnecting, behind; and how long an event takes from our receipt to this screen.

import { byId } from "../dom.js";

const BEHIND_MS = 3_000;
const KEPT = 50;

const WORDS = {
  connecting: "Connecting…",
  live: "Live",
  reconnecting: "Reconnecting…",
  behind: "Behind, catching up…",
  "signed-out": "Signed out",
  gone: "No longer reachable",
};

// serverNow: the server's clock, ms, when it wrote the page.
// onMeasured(ms): an event is on the screen.
export function makeState(serverNow, onMeasured) {
  const badge = byId("connection");
  const ahead = clockDifference(serverNow);
  let line = "connecting";
  let isBehind = false;
  let isMeasuring = false;
  let delays = [];

  function show() {
    const state = line === "live" && isBehind ? "behind" : line;
    badge.dataset.state = state;
    badge.querySelector("[data-words]").textContent = WORDS[state];
    byId("signed-out").hidden = line !== "signed-out";
    const delay = byId("delay");
    delay.hidden = state !== "live" || !delays.length;
    if (delays.length) delay.textContent = `${median(delays)} ms to screen`;
  }

  // Measured in the frame that paints the events; while the page is hidden nothing is painted.
  function measure(receivedAt) {
    const delay = Math.max(0, Math.round(Date.now() + ahead - new Date(receivedAt).getTime()));
    isBehind = delay > BEHIND_MS;
    onMeasured(delay);
    if (!isBehind) delays = [...delays, delay].slice(-KEPT);
    show();
  }

  return {
    line(state) {
      line = state;
      if (state !== "live") isBehind = false;
      show();
    },
    arrived(entries) {
      if (document.hidden || isMeasuring) return;
      isMeasuring = true;
      requestAnimationFrame(() => {
        isMeasuring = false;
        measure(entries.at(-1).received_at);
      });
    },
  };
}

// How far the server's clock is ahead of ours, ms. It was read between our request and its answer; where no
// difference would explain the reading, there is none.
function clockDifference(serverNow) {
  const [navigation] = performance.getEntriesByType("navigation");
  if (!navigation) return 0;
  const least = serverNow - (performance.timeOrigin + navigation.responseStart);
  const most = serverNow - (performance.timeOrigin + navigation.requestStart);
  return Math.max(Math.min(0, most), least);
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
