// How the whole plan judges beyond its rules: how names are compared, what text may stand for, what is unplanned.

import { byId, h, icon } from "../../dom.js";

const dialog = byId("plan-dialog");

// save(operations): resolves to null, or to what is wrong, in words. options: part → member → its words, default first.
export function openPlan({ content, options, save }) {
  const said = h("div", { class: "field-error mb-2", role: "alert" });
  const choice = (part, member, label) => {
    const words = options[part][member];
    const value = content[part]?.[member] ?? words[0];
    const shown = words.map((word) => h("option", { value: word, selected: word === value }, word));
    return h("label", {}, h("span", {}, label), h("select", { class: "form-select", name: `${part}.${member}` }, shown));
  };
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", { class: "panel-title", id: "plan-dialog-title" }, "How the plan judges"),
    h(
      "div",
      { class: "edit-fields" },
      choice("judging", "types", "Types (lenient: \"12\" will do for 12)"),
      choice("judging", "unplanned_events", "An event that is not planned"),
      choice("judging", "unplanned_properties", "A property that is not planned"),
      choice("matching", "events", "Names of events (relaxed: case and _ don't count)"),
      choice("matching", "properties", "Names of properties"),
    ),
    h("p", { class: "form-hint" }, "JSON Schemas say these things themselves, but for unplanned events."),
    said,
    h(
      "div",
      { class: "d-flex justify-content-end gap-2" },
      h("button", { type: "button", class: "btn", onclick: () => dialog.close() }, "Cancel"),
      h("button", { type: "submit", class: "btn btn-primary" }, "Save"),
    ),
  );

  // A part of which nothing changed is left as it is, a default that nobody chose included.
  function changed() {
    const set = {};
    for (const [part, members] of Object.entries(options)) {
      for (const [member, words] of Object.entries(members)) {
        const chosen = form.elements[`${part}.${member}`].value;
        if (chosen !== (content[part]?.[member] ?? words[0])) (set[part] ??= { ...content[part] })[member] = chosen;
      }
    }
    return set;
  }

  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    const set = changed();
    const wrong = Object.keys(set).length ? await save([{ op: "set_plan", set }]) : null;
    if (wrong === null) dialog.close();
    else said.replaceChildren(icon("alert-circle"), h("span", {}, wrong));
  });
  dialog.replaceChildren(form);
  dialog.showModal();
}
