// One event: its name, what it is for, and its rules or its JSON Schema as JSON.

import { byId, h, icon } from "../../dom.js";

const dialog = byId("event-dialog");
const START = { type: "object", properties: {}, required: [] };
const PARTS = ["rules", "conditions", "unplanned_properties"];

// save(operations): resolves to null, or to what is wrong; then done(name). check(operations): resolves to the server's
// problems. name: null for a new event.
export function openEvent({ name, definition, save, check, done }) {
  const isNew = name === null;
  let isSchema = "schema" in definition;
  let code = null;
  const said = h("div", { class: "field-error mb-2", role: "alert" });
  const lines = h("ul", { class: "edit-lines", "aria-live": "polite", "aria-label": "Problems by line" });
  const host = h("div", { class: "edit-code" });
  const input = (field, label, value, more) =>
    h("label", {}, h("span", {}, label), h("input", { class: "form-control", name: field, value, autocomplete: "off", dir: "auto", ...more }));
  const kind = h(
    "select",
    { class: "form-select", name: "kind" },
    h("option", { value: "rules", selected: !isSchema }, "Rules"),
    h("option", { value: "schema", selected: isSchema }, "A JSON Schema"),
  );
  const part = h("details", { class: "mb-3" }, h("summary", {}, "As JSON"), host, lines);
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { class: "panel-title", id: "event-dialog-title" }, isNew ? "New event" : `Event ${name}`),
    h(
      "div",
      { class: "edit-fields" },
      input("name", "Name", name ?? "", { required: true, maxlength: "256" }),
      input("description", "Description", definition.description ?? ""),
      h("label", {}, h("span", {}, "Described by"), kind),
    ),
    part,
    said,
    h(
      "div",
      { class: "d-flex justify-content-end gap-2" },
      h("button", { type: "button", class: "btn", onclick: () => dialog.close() }, "Cancel"),
      h("button", { type: "submit", class: "btn btn-primary" }, isNew ? "Add" : "Save"),
    ),
  );

  const shown = () => {
    if (isSchema) return definition.schema ?? START;
    return Object.fromEntries(PARTS.filter((each) => each in definition || each === "rules").map((each) => [each, definition[each] ?? []]));
  };
  const inside = (value) => (isSchema ? { schema: value } : { conditions: null, unplanned_properties: null, ...value });
  const changesOf = (value) => {
    const set = { ...(value === undefined ? (isSchema === "schema" in definition ? {} : inside(shown())) : inside(value)) };
    const description = form.elements.description.value.trim();
    if (description !== (definition.description ?? "")) set.description = description || null;
    return set;
  };

  function operations(value) {
    const typed = form.elements.name.value.trim();
    const set = changesOf(value);
    if (isNew) {
      const made = Object.fromEntries(Object.entries({ ...(isSchema ? {} : { rules: [] }), ...set }).filter(([, each]) => each !== null));
      return [{ op: "add_event", event: typed, definition: made }];
    }
    const renamed = typed === name ? [] : [{ op: "rename_event", event: name, to: typed }];
    return Object.keys(set).length ? [...renamed, { op: "set_event", event: typed, set }] : renamed;
  }

  async function openEditor() {
    host.replaceChildren();
    const { openCode } = await import("./code.js");
    code = openCode(host, JSON.stringify(shown(), null, 2), `${isSchema ? "JSON Schema" : "Rules"} of ${name ?? "the new event"}`, {
      check: async (value) => {
        const wanted = operations(value);
        return wanted.length ? shortened(await check(wanted)) : [];
      },
      told: (list) => lines.replaceChildren(...list.map(({ line, message }) => h("li", {}, `Line ${line}: ${message.replaceAll("`", "")}`))),
    });
  }

  part.addEventListener("toggle", () => {
    if (part.open && !code) openEditor();
  });
  kind.addEventListener("change", () => {
    isSchema = kind.value === "schema";
    lines.replaceChildren();
    if (isSchema) part.open = true;
    if (part.open) openEditor();
  });
  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    let value;
    try {
      value = code ? JSON.parse(code.text()) : undefined;
    } catch {
      code.lint();
      return said.replaceChildren(icon("alert-circle"), h("span", {}, "This is not JSON yet: see the marked line."));
    }
    const wanted = operations(value);
    const wrong = wanted.length ? await save(wanted) : null;
    if (wrong === null) {
      dialog.close(); // gives the focus back to what may be gone by now
      return done(form.elements.name.value.trim());
    }
    code?.lint();
    return said.replaceChildren(icon("alert-circle"), h("span", {}, wrong));
  });
  dialog.replaceChildren(form);
  dialog.showModal();
  form.elements.name.focus();
  if (isSchema) part.open = true;
}

// The API names the event before the place in it.
function shortened(problems) {
  return problems.map(({ path, message }) => ({ message, path: path?.includes(": ") ? path.slice(path.indexOf(": ") + 2) : "" }));
}
