// The plan page: shows a schema's fields when its event is opened, and takes a new version.

import { byId, h } from "../dom.js";
import { listenToExport } from "./take_out.js";
import { listenToUpload } from "./upload.js";

for (const event of document.querySelectorAll("details[data-expected]")) {
  event.addEventListener("toggle", () => showFields(event));
}
if (byId("plan-upload")) listenToUpload(); // who may not publish has no form
if (byId("plan-export")) listenToExport(); // nor has a plan that was never published

async function showFields(event) {
  const place = event.querySelector("[data-fields]");
  if (!event.open || !place || place.dataset.asked) return;
  place.dataset.asked = "yes";
  const answer = await fetch(event.dataset.expected, { headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok) {
    place.textContent = "The fields could not be read. Close and open it again.";
    delete place.dataset.asked;
    return;
  }
  const { fields } = await answer.json();
  if (fields.length) place.replaceWith(fieldTable(fields));
  else place.textContent = "The schema names no properties.";
}

function fieldTable(fields) {
  const row = (field) =>
    h(
      "tr",
      {},
      h("th", { scope: "row", class: "rule-path", dir: "auto" }, field.path),
      h("td", { "data-label": "Type" }, field.type),
      h("td", { "data-label": "Required" }, field.required ? "yes" : "no"),
    );
  const heads = ["Property", "Type", "Required"].map((title) => h("th", { scope: "col" }, title));
  return h(
    "table",
    { class: "table field-table" },
    h("thead", {}, h("tr", {}, heads)),
    h("tbody", {}, fields.map(row)),
  );
}
