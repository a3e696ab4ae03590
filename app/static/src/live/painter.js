// Gathers what arrives and paints it once per animation frame; holds it back while the list is paused or being read.

import { MOST_ROWS } from "./rows.js";

// paint(entries): oldest first. onWaiting(count): how many are held back.
export function makePainter(paint, onWaiting) {
  const holds = new Set();
  let queue = [];
  let waiting = 0;
  let frame = null;

  function push(entries) {
    // What would be trimmed at once is not kept; it is counted all the same.
    queue = queue.concat(entries).slice(-MOST_ROWS);
    if (holds.size) onWaiting((waiting += entries.length));
    schedule();
  }

  function schedule() {
    if (holds.size || frame !== null || !queue.length) return;
    frame = requestAnimationFrame(() => {
      frame = null;
      if (holds.size) return;
      const entries = queue;
      queue = [];
      paint(entries);
    });
  }

  function drop() {
    queue = [];
    onWaiting((waiting = 0));
  }

  // reason: "paused", "older" or "reading"; painting goes on when the last hold is gone.
  function hold(reason, isHeld) {
    if (isHeld) holds.add(reason);
    else holds.delete(reason);
    if (holds.size) return;
    onWaiting((waiting = 0));
    schedule();
  }

  return { push, drop, hold, isHeld: (reason) => holds.has(reason) };
}
