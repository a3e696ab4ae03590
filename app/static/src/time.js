// Moments in the viewer's zone. The server always sends UTC.

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
  hourCycle: "h23",
});
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const minute = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

const STEPS = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86400, "hour", 3600],
  [86400 * 30, "day", 86400],
  [86400 * 365, "month", 86400 * 30],
  [Infinity, "year", 86400 * 365],
];

export function clockTime(iso) {
  const moment = new Date(iso);
  const time = clock.format(moment);
  return moment.toDateString() === new Date().toDateString() ? time : `${day.format(moment)} ${time}`;
}

export function minuteTime(iso) {
  return minute.format(new Date(iso));
}

export function fullTime(iso) {
  return full.format(new Date(iso));
}

export function ago(iso, now = Date.now()) {
  const seconds = Math.round((new Date(iso).getTime() - now) / 1000);
  const [, unit, size] = STEPS.find(([limit]) => Math.abs(seconds) < limit);
  return relative.format(Math.round(seconds / size), unit);
}

// Turns <time datetime data-show="ago|clock|minute|full"> into the viewer's words; the exact moment becomes its title.
export function localise(root = document) {
  for (const element of root.querySelectorAll("time[data-show]")) {
    const show = { ago, clock: clockTime, minute: minuteTime, full: fullTime }[element.dataset.show];
    element.textContent = show(element.dateTime);
    element.title = fullTime(element.dateTime);
  }
}
