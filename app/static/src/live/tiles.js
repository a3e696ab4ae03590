// The counts above the list: exact at the start, counted on as events come, and set right again from the server.

import { byId } from "../dom.js";

const RECONCILE_QUIET_MS = 3_000;
const RECONCILE_BUSY_MS = 60_000;

const whole = new Intl.NumberFormat();
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });

// address: the summary's. onEvents([{name, …}]): the event names known, after each reconciliation.
export function makeTiles(address, counts, onEvents) {
  let shown = { valid: 0, invalid: 0, unplanned: 0, exempt: 0, ...counts };
  let quiet = null;
  let reconciledAt = Date.now();

  function render() {
    const judged = shown.valid + shown.invalid;
    const received = judged + shown.unplanned + shown.exempt;
    byId("tile-received").textContent = whole.format(received);
    for (const verdict of ["valid", "invalid", "unplanned", "exempt"]) {
      byId(`tile-${verdict}`).textContent = whole.format(shown[verdict]);
    }
    byId("tile-exempt-note").hidden = shown.exempt === 0;
    byId("tile-pass").textContent = judged ? floorPercent(shown.valid, judged) : "–";
    byId("pass-bar").value = judged ? shown.valid / judged : 0;
  }

  function add(entries) {
    for (const entry of entries) shown[entry.verdict] = (shown[entry.verdict] ?? 0) + 1;
    render();
    clearTimeout(quiet);
    const isOverdue = Date.now() - reconciledAt > RECONCILE_BUSY_MS;
    quiet = setTimeout(reconcile, isOverdue ? 0 : RECONCILE_QUIET_MS);
  }

  async function reconcile() {
    reconciledAt = Date.now();
    const answer = await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) return;
    const summary = await answer.json();
    shown = { valid: 0, invalid: 0, unplanned: 0, exempt: 0, ...summary.verdicts };
    render();
    onEvents(summary.events);
  }

  render();
  return { add, reconcile };
}

// 9,999 of 10,000 is 99.9 %, not 100 %: a perfect score is shown only when it is one.
function floorPercent(part, whole) {
  return percent.format(Math.floor((part / whole) * 1000) / 1000);
}
