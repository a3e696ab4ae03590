// Tells the server how long events took to this screen: the overview shows it, the operator watches it.

const TELL_MS = 20_000;
const MOST = 50;
const LONGEST_MS = 60_000;

export function makeClock(address, token) {
  let measured = [];

  function tell() {
    if (!measured.length) return;
    const body = JSON.stringify({ milliseconds: measured });
    measured = [];
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": token };
    // keepalive: it arrives though the page is being left. Lost ones are not missed.
    fetch(address, { method: "POST", headers, body, keepalive: true }).catch(() => {});
  }

  setInterval(tell, TELL_MS);
  document.addEventListener("visibilitychange", () => document.hidden && tell());
  return (milliseconds) => (measured = [...measured, Math.min(milliseconds, LONGEST_MS)].slice(-MOST));
}
