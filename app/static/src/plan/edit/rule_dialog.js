// One rule with all its parts, in a dialog: a new one, or one to be changed.

import { byId, h, icon } from "../../dom.js";
import { FLAGS, LISTS, SEVERITY, readLimit, writeLimit } from "./words.js";

const dialog = byId("rule-dialog");

// save(event, rule): resolves to null, or to what is wrong, in words; then done(event, rule). rule: null for a new one.
export function openRule({ event, rule, events, facts, save, done }) {
  const told = rule ?? { path: "", type: "text" };
  const input = (name, label, value, more = {}) =>
    h("label", {}, h("span", {}, label), h("input", { class: "form-control", name, value: value ?? "", autocomplete: "off", dir: "auto", ...more }));
  const choice = (name, label, values, value) =>
    h("label", {}, h("span", {}, label), h("select", { class: "form-select", name }, values.map((each) => h("option", { value: each, selected: each === value }, each))));
  const check = (name, label, value) =>
    h("label", { class: "form-check" }, h("input", { class: "form-check-input", type: "checkbox", name, checked: Boolean(value) }), h("span", { class: "form-check-label" }, label));
  const limits = h("div", { class: "edit-limits" });
  const said = h("div", { class: "field-error mb-2", role: "alert" });
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { class: "panel-title", id: "rule-dialog-title" }, rule ? `Rule ${rule.path} of ${event}` : "New rule"),
    h(
      "div",
      { class: "edit-fields" },
      rule ? null : choice("event", "Event", events, event),
      input("path", "Property", told.path, { required: true, placeholder: "items[].price" }),
      choice("type", "Type", facts.types, told.type),
      choice("severity", "Severity", facts.severities, told.severity ?? SEVERITY),
      input("description", "Description", told.description),
      input("owner", "Owner", told.owner),
    ),
    h("div", { class: "edit-checks" }, check("required", "Required", told.required), check("nullable", "May be null", told.nullable), check("private", "Private: values are never shown", told.private)),
    h("fieldset", {}, h("legend", { class: "form-label" }, "Constraints"), limits),
    said,
    h(
      "div",
      { class: "d-flex justify-content-end gap-2" },
      h("button", { type: "button", class: "btn", onclick: () => dialog.close() }, "Cancel"),
      h("button", { type: "submit", class: "btn btn-primary" }, rule ? "Save" : "Add"),
    ),
  );

  const field = (name) => form.elements[name];
  const given = { ...told.constraints };

  function drawLimits() {
    const type = field("type").value;
    const fitting = Object.keys(facts.constraints).filter((name) => facts.constraints[name].includes(type) || name in given);
    limits.replaceChildren(...fitting.map((name) => limitField(name)));
  }

  function limitField(name) {
    const label = name.replaceAll("_", " ");
    const at = `limit-${name}`;
    if (FLAGS.has(name)) return check(at, label, given[name]);
    const value = name in given ? writeLimit(name, given[name]) : "";
    if (LISTS.has(name)) {
      return h("label", {}, h("span", {}, `${label}, one value a line`), h("textarea", { class: "form-control", name: at, rows: "3", dir: "auto" }, value));
    }
    if (name === "format") return choice(at, label, ["", ...facts.formats], value);
    return input(at, label, value);
  }

  function keepTyped() {
    for (const name of Object.keys(facts.constraints)) {
      const typed = field(`limit-${name}`);
      if (!typed) continue;
      const limit = readLimit(name, field("type").value, FLAGS.has(name) ? typed.checked : typed.value);
      if (limit === undefined) delete given[name];
      else given[name] = limit;
    }
  }

  function read() {
    keepTyped();
    const text = (name) => field(name).value.trim() || null;
    const flag = (name) => field(name).checked || null;
    return {
      path: field("path").value.trim(),
      type: field("type").value,
      required: flag("required"),
      nullable: flag("nullable"),
      private: flag("private"),
      severity: field("severity").value === SEVERITY ? null : field("severity").value,
      description: text("description"),
      owner: text("owner"),
      constraints: Object.keys(given).length ? given : null,
    };
  }

  field("type").addEventListener("change", () => {
    keepTyped();
    drawLimits();
  });
  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    const [into, made] = [rule ? event : field("event").value, read()];
    const wrong = await save(into, made);
    if (wrong === null) {
      dialog.close(); // gives the focus back to what may be gone by now
      done(into, made);
    } else said.replaceChildren(icon("alert-circle"), h("span", {}, wrong));
  });
  drawLimits();
  dialog.replaceChildren(form);
  dialog.showModal();
  field(rule ? "type" : "path").focus();
}
