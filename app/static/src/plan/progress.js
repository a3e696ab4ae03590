// Follows a large plan file that a worker reads: a bar while it is read, then what a small one is answered at once.

import { h } from "../dom.js";

const EVERY_MS = 700;
const WORDS = { reading: "Reading", checking: "Checking", publishing: "Finishing" };

// The address of the app's newest file if it is still being read, or null.
export async function unfinished(listUrl) {
  const answer = await fetch(listUrl, { headers: { Accept: "application/json" } }).catch(() => null);
  const [newest] = answer?.ok ? (await answer.json()).imports : [];
  return newest && ["waiting", "working"].includes(newest.state) ? `${listUrl}/${newest.import_id}` : null;
}

// Shows the bar in `place` until the file is read; resolves to what `show` takes.
export async function follow(url, place) {
  const bar = h("progress", { class: "import-bar", max: "1", "aria-label": "How far the file is read" });
  const words = h("p", { class: "text-secondary m-0" }, "The file is safe. It waits to be read…");
  place.replaceChildren(words, bar);
  for (;;) {
    const found = await ask(url);
    if (found?.state === "done") return { isOk: true, body: found.result };
    if (found?.state === "refused") {
      return { isOk: false, body: { ...found.result, problems_url: found.problems_url } };
    }
    if (found?.state === "failed") return { isOk: false, body: { message: failed(found) } };
    if (found?.state === "working") tell(found, words, bar);
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

// An answer that does not come is asked for again: the file is safe, whatever becomes of this page.
async function ask(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } }).catch(() => null);
  if (answer && !answer.ok && answer.status < 500 && answer.status !== 429) throw new Error(`${answer.status}`);
  return answer?.ok ? answer.json() : null;
}

function tell(found, words, bar) {
  const what = WORDS[found.stage] ?? "Reading";
  const done = found.rows_done.toLocaleString();
  if (found.rows) words.textContent = `${what}: ${done} of ${found.rows.toLocaleString()} rows`;
  else words.textContent = found.rows_done ? `${what}: ${done} rows` : `${what}…`;
  if (found.progress === null) bar.removeAttribute("value");
  else bar.value = found.progress;
}

function failed(found) {
  return `The file could not be read (${found.error}). Nothing was changed. Send it again, or in parts.`;
}
