// Sends the chosen plan file, and shows what was understood of it: what is wrong by line, what would change, what is lost.

import { byId, h, icon } from "../dom.js";
import { follow, unfinished } from "./progress.js";

const form = byId("plan-upload");
const input = byId("plan-file");
const drop = byId("plan-drop");
const result = byId("plan-result");

const FORMATS = { csv: "csv", tsv: "csv", xlsx: "xlsx", json: "json-schema" };
const TYPES = {
  csv: "text/csv",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
};
const MOST_SHOWN = 200;

export async function listenToUpload() {
  form.addEventListener("submit", (submit) => {
    submit.preventDefault();
    if (input.files.length) take(input.files[0], submit.submitter?.name === "dry_run");
  });
  input.addEventListener("change", showChosen);
  for (const name of ["dragover", "dragleave", "drop"]) drop.addEventListener(name, onDrag);
  const url = await unfinished(form.dataset.imports); // a file that was sent before the page was opened anew
  if (url) await busily(async () => show(await follow(url, result), "the file"));
}

function onDrag(drag) {
  drag.preventDefault();
  drop.classList.toggle("is-over", drag.type === "dragover");
  if (drag.type !== "drop" || !drag.dataTransfer.files.length) return;
  input.files = drag.dataTransfer.files;
  showChosen();
}

function showChosen() {
  const [file] = input.files;
  byId("plan-chosen").textContent = file ? file.name : "No file chosen";
  const extension = file?.name.split(".").pop().toLowerCase();
  if (FORMATS[extension]) form.elements.format.value = FORMATS[extension];
}

async function take(file, isDry) {
  const url = new URL(form.action);
  url.searchParams.set("format", form.elements.format.value);
  url.searchParams.set(isDry ? "dry_run" : "publish", "true");
  if (form.elements.merge.checked) url.searchParams.set("mode", "merge");
  result.replaceChildren(h("p", { class: "text-secondary" }, "Reading the file…"));
  await busily(async () => {
    const sent = await send(url, file);
    show(sent.status === 202 ? await follow(sent.body.status_url, result) : sent, file.name);
  });
}

async function busily(work) {
  const buttons = form.querySelectorAll("button[type=submit]");
  for (const button of buttons) button.disabled = true;
  try {
    await work();
  } catch {
    show({ isOk: false, body: { message: "The server could not be reached. Try again." } }, "the file");
  } finally {
    for (const button of buttons) button.disabled = false;
  }
}

async function send(url, file) {
  const headers = {
    Accept: "application/json",
    "Content-Type": TYPES[url.searchParams.get("format")] ?? "application/json",
    "X-CSRF-Token": form.elements.csrf_token.value,
  };
  const answer = await fetch(url, { method: "POST", headers, body: file });
  return { isOk: answer.ok, status: answer.status, body: await answer.json() };
}

function show({ isOk, body }, name) {
  const isPublished = isOk && body.plan_version !== null;
  result.replaceChildren(
    h(
      "div",
      { class: `findings findings-${isOk ? "valid" : "invalid"}`, role: isOk ? "status" : "alert" },
      icon(isOk ? "circle-check" : "alert-circle"),
      h(
        "div",
        {},
        h("strong", {}, title(isOk, body)),
        isPublished && h("div", {}, h("a", { href: location.pathname }, "Show the new version")),
      ),
    ),
    noteTable("What is wrong", "Problems", body.problems, name, body.problems?.length && body.problems_url),
    noteTable("What it would change", "Changes", body.changes?.changes, name),
    noteTable("Look at these", "Warnings", body.warnings, name),
    noteTable("What no plan holds of it", "Not kept", body.loss, name),
  );
}

function title(isOk, body) {
  if (!isOk) return body.message;
  const held = `${count(body.events, "event")}, ${count(body.rules, "rule")}`;
  if (body.plan_version !== null) return `Published version ${body.plan_version}: ${held}. It is in force now.`;
  if (body.draft_revision !== null) return `Set aside as the draft: ${held}.`;
  const { breaking, loosening, neutral } = body.changes.counts;
  if (!breaking && !loosening && !neutral) return `The file is right: ${held}. It changes nothing.`;
  return `The file is right: ${held}. Changes: ${breaking} breaking, ${loosening} loosening, ${neutral} neutral.`;
}

function count(number, noun) {
  return `${number.toLocaleString()} ${noun}${number === 1 ? "" : "s"}`;
}

function noteTable(heading, caption, notes, name, url) {
  if (!notes?.length) return "";
  const hasLines = notes.some((note) => note.line !== undefined);
  const hasPaths = notes.some((note) => note.path);
  const rows = notes.slice(0, MOST_SHOWN).map((note) =>
    h(
      "tr",
      {},
      hasLines && h("td", { class: "text-end" }, note.line === undefined ? "" : String(note.line)),
      hasPaths && h("td", { dir: "auto" }, note.path ?? ""),
      h("td", { dir: "auto" }, note.message ?? String(note)),
    ),
  );
  const heads = h(
    "tr",
    {},
    hasLines && h("th", { scope: "col", class: "text-end" }, "Line"),
    hasPaths && h("th", { scope: "col" }, "Path"),
    h("th", { scope: "col" }, heading),
  );
  const rest = notes.length - rows.length;
  return h(
    "div",
    { class: "table-responsive mt-3", tabindex: "0", role: "region", "aria-label": `${caption} in ${name}` },
    h("table", { class: "table table-sm problem-table" }, h("thead", {}, heads), h("tbody", {}, rows)),
    rest > 0 && h("p", { class: "text-secondary" }, `And ${rest.toLocaleString()} more.`),
    url && h("p", {}, h("a", { href: url }, "All of them as a file")),
  );
}
