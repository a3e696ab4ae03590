// Says what the chosen format cannot hold of the plan, before it is downloaded.

import { byId, h, icon } from "../dom.js";

const MOST_SHOWN = 20;

export function listenToExport() {
  const form = byId("plan-export");
  const choice = form.elements.format;
  choice.addEventListener("change", () => showLoss(form));
  showLoss(form);
}

async function showLoss(form) {
  const place = byId("plan-loss");
  const url = new URL(form.action);
  for (const [name, value] of new FormData(form)) url.searchParams.set(name, value);
  url.searchParams.set("report", "true");
  const chosen = form.elements.format.value;
  place.setAttribute("aria-busy", "true");
  const answer = await fetch(url, { headers: { Accept: "application/json" } }).catch(() => null);
  const body = await answer?.json().catch(() => null);
  if (form.elements.format.value !== chosen) return; // another was chosen meanwhile
  place.removeAttribute("aria-busy");
  place.replaceChildren(body ? told(answer.ok, body) : note("What the file cannot hold could not be asked. Choose it again."));
}

function told(isOk, body) {
  if (!isOk) return finding("invalid", "alert-circle", body.message);
  if (!body.loss.length) return finding("valid", "circle-check", "The file holds the whole plan.");
  const shown = body.loss.slice(0, MOST_SHOWN).map((loss) => h("li", { dir: "auto" }, loss.message));
  const rest = body.loss.length - shown.length;
  return finding(
    "unplanned",
    "alert-triangle",
    `${body.loss.length === 1 ? "One thing is" : `${body.loss.length} things are`} not in the file as they are in the plan:`,
    h("ul", {}, shown, rest > 0 && h("li", {}, `… and ${rest} more; the API's report has all.`)),
  );
}

function finding(tone, symbol, text, list = null) {
  return h("div", { class: `findings findings-${tone}` }, icon(symbol), h("div", {}, text, list));
}

function note(text) {
  return h("p", { class: "text-secondary m-0" }, text);
}
