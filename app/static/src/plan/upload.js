// Sends the chosen plan file, and shows what is wrong with it by line, or that it is published.

import { byId, h, icon } from "../dom.js";

const form = byId("plan-upload");
const input = byId("plan-file");
const drop = byId("plan-drop");
const result = byId("plan-result");

const FORMATS = { csv: "csv", tsv: "csv", xlsx: "xlsx", json: "json-schema" };
const TYPES = {
  csv: "text/csv",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
};

export function listenToUpload() {
  form.addEventListener("submit", (submit) => {
    submit.preventDefault();
    if (input.files.length) publish(input.files[0]);
  });
  input.addEventListener("change", showChosen);
  for (const name of ["dragover", "dragleave", "drop"]) drop.addEventListener(name, onDrag);
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

async function publish(file) {
  const button = form.querySelector("button[type=submit]");
  const url = new URL(form.action);
  url.searchParams.set("format", form.elements.format.value);
  url.searchParams.set("publish", "true");
  if (form.elements.merge.checked) url.searchParams.set("mode", "merge");
  button.disabled = true;
  result.replaceChildren(h("p", { class: "text-secondary" }, "Reading the file…"));
  try {
    show(await send(url, file), file.name);
  } catch {
    show({ isOk: false, body: { message: "The server could not be reached. Try again." } }, file.name);
  } finally {
    button.disabled = false;
  }
}

async function send(url, file) {
  const headers = {
    Accept: "application/json",
    "Content-Type": TYPES[url.searchParams.get("format")] ?? "application/json",
    "X-CSRF-Token": form.elements.csrf_token.value,
  };
  const answer = await fetch(url, { method: "POST", headers, body: file });
  return { isOk: answer.ok, body: await answer.json() };
}

function show({ isOk, body }, name) {
  const problems = body.problems ?? body.detail?.problems ?? [];
  const title = isOk
    ? `Published version ${body.plan_version}: ${body.events} events, ${body.rules} rules. It is in force now.`
    : body.message;
  const notes = [...problems, ...(body.warnings ?? []), ...(body.loss ?? [])];
  result.replaceChildren(
    h(
      "div",
      { class: `findings findings-${isOk ? "valid" : "invalid"}`, role: isOk ? "status" : "alert" },
      icon(isOk ? "circle-check" : "alert-circle"),
      h("div", {}, h("strong", {}, title), isOk && h("div", {}, h("a", { href: location.href }, "Show the new version"))),
    ),
    notes.length ? problemTable(notes, name) : "",
  );
}

function problemTable(problems, name) {
  const rows = problems.map((problem) =>
    h(
      "tr",
      {},
      h("td", { class: "text-end" }, problem.line === undefined ? "" : String(problem.line)),
      h("td", { dir: "auto" }, problem.path ?? ""),
      h("td", { dir: "auto" }, problem.message ?? String(problem)),
    ),
  );
  return h(
    "div",
    { class: "table-responsive" },
    h(
      "table",
      { class: "table table-sm problem-table" },
      h("caption", { class: "visually-hidden" }, `Problems in ${name}`),
      h("thead", {}, h("tr", {}, h("th", { scope: "col", class: "text-end" }, "Line"), h("th", { scope: "col" }, "Path"), h("th", { scope: "col" }, "What is wrong"))),
      h("tbody", {}, rows),
    ),
  );
}
