// The editor of a plan's draft: the table, its filters, bulk changes, and what keys do.

import { byId, h, isTyping, pageData } from "../../dom.js";
import { editCell } from "./cells.js";
import { Draft } from "./draft.js";
import { openEvent } from "./event_dialog.js";
import { keyOf, ofKey, passing } from "./filter.js";
import { clearNotice, showTrouble } from "./notice.js";
import { openPlan } from "./plan_dialog.js";
import { openRule } from "./rule_dialog.js";
import { draw, focusOn, walk, whereIs } from "./table.js";
import { listenToTry } from "./try.js";

const STEP_ROWS = 200;
const facts = pageData();
const draft = new Draft(facts, byId("csrf").value);
const table = byId("rules");
const filters = byId("edit-filters");
const bulk = byId("bulk");
const selected = new Set();
let most = STEP_ROWS;
let groups = [];

for (const form of [filters, bulk]) {
  form.elements.type.append(...facts.types.map((type) => h("option", { value: type }, type)));
  form.elements.severity.append(...facts.severities.map((severity) => h("option", { value: severity }, severity)));
}
listenToTry(draft);
load();

// ── what is there ────────────────────────────────────────────────────────────────────────────────────────────────────

async function load() {
  const answer = await draft.load();
  if (!answer.ok) return showTrouble(answer, { reload: load });
  clearNotice();
  return show();
}

function show() {
  const asked = Object.fromEntries(["q", "type", "required", "severity"].map((name) => [name, filters.elements[name].value]));
  groups = passing(draft.events, asked);
  const there = new Set(groups.flatMap(({ name, rules }) => rules.map((rule) => keyOf(name, rule.path))));
  for (const key of selected) if (!there.has(key)) selected.delete(key);
  const total = draw(groups, selected, most);
  byId("edit-more").hidden = total <= most;
  byId("edit-empty").hidden = groups.length > 0;
  byId("pick-all").checked = there.size > 0 && selected.size === there.size;
  byId("pick-all").indeterminate = selected.size > 0 && selected.size < there.size;
  bulk.hidden = selected.size === 0;
  byId("bulk-count").textContent = `${selected.size} selected`;
  byId("undo").disabled = !draft.about.exists;
  const rules = groups.reduce((sum, group) => sum + group.rules.length, 0);
  byId("edit-state").textContent = `${rules} rule${rules === 1 ? "" : "s"} of ${groups.length} event${groups.length === 1 ? "" : "s"} shown. ${state()}`;
}

function state() {
  const { exists, current_version: version } = draft.about;
  if (exists) return "This is the draft; it judges nothing until it is published.";
  return version ? `As in version ${version}; the first change begins a draft.` : "Nothing is published yet; the first change begins a draft.";
}

// ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

// Resolves to null where it was done, else to what is wrong, in words.
async function change(operations) {
  const answer = await draft.change(operations);
  if (answer.ok) {
    clearNotice();
    show();
    return null;
  }
  if (answer.status === 422) return reasons(answer.body);
  byId("rule-dialog").close();
  byId("event-dialog").close();
  byId("plan-dialog").close();
  show();
  const again = async () => {
    await load();
    tell(await change(operations));
  };
  showTrouble(answer, { reload: load, again });
  return null;
}

function reasons({ problems, message }) {
  return problems?.length ? problems.map((problem) => problem.message.replaceAll("`", "")).join(" ") : message;
}

function tell(wrong) {
  if (wrong !== null) showTrouble({ status: 422, body: { message: wrong } }, {});
}

async function undo() {
  byId("undo").setAttribute("aria-busy", "true");
  const answer = await draft.undo();
  byId("undo").removeAttribute("aria-busy");
  if (answer.ok) {
    clearNotice();
    show();
  } else showTrouble(answer, { reload: load });
}

const ruleOf = ({ event, path }) => draft.events[event].rules.find((rule) => rule.path === path);

function editRule(place) {
  openRule({
    event: place.event,
    rule: ruleOf(place),
    facts,
    save: (event, set) => change([{ op: "set_rule", event, path: place.path, set }]),
    done: (event, { path }) => focusOn({ ...place, path }),
  });
}

function addRule(event) {
  const events = Object.keys(draft.events).filter((name) => !("schema" in draft.events[name]));
  if (!events.length) return addEvent();
  return openRule({
    event: events.includes(event) ? event : events[0],
    rule: null,
    events,
    facts,
    save: (into, rule) => change([{ op: "add_rule", event: into, rule }]),
    done: (into, { path }) => focusOn({ event: into, path, member: "path" }),
  });
}

const problemsOf = async (operations) => {
  const { ok, body } = await draft.rehearse(operations);
  return ok ? [] : (body.problems ?? [{ message: body.message }]);
};

function editEvent(name) {
  openEvent({ name, definition: draft.events[name], save: change, check: problemsOf, done: (event) => focusOn({ event }) });
}

function addEvent() {
  openEvent({ name: null, definition: {}, save: change, check: problemsOf, done: (event) => focusOn({ event }) });
}

async function remove(places) {
  tell(await change(places.map(({ event, path }) => (path === undefined ? { op: "delete_event", event } : { op: "delete_rule", event, path }))));
}

function editAt(cell) {
  const place = whereIs(cell);
  const rule = ruleOf(place);
  if (place.member === "constraints") return editRule(place);
  const set = (value) => change([{ op: "set_rule", event: place.event, path: place.path, set: { [place.member]: value } }]);
  if (place.member === "required") return set(!rule.required || null).then(tell);
  return editCell(cell, rule, facts, {
    commit: async (typed) => {
      const wrong = await set(typed || null);
      if (wrong === null) focusOn({ ...place, path: place.member === "path" ? typed : place.path });
      return wrong;
    },
    cancel: () => {
      show();
      focusOn(place);
    },
  });
}

function pick({ event, path }, isPicked) {
  const key = keyOf(event, path);
  if (isPicked ?? !selected.has(key)) selected.add(key);
  else selected.delete(key);
  show();
}

// ── listening ────────────────────────────────────────────────────────────────────────────────────────────────────────

table.addEventListener("click", (click) => {
  const act = click.target.closest("[data-act]")?.dataset.act;
  const place = whereIs(click.target);
  if (!place) return;
  if (act) return ACTS[act](place);
  if (click.target.matches("input[type=checkbox]")) return pick(place, click.target.checked);
  const cell = click.target.closest("[data-member]");
  if (cell && !isTyping(click.target)) editAt(cell);
});

const ACTS = {
  add: ({ event }) => addRule(event),
  event: ({ event }) => editEvent(event),
  remove: ({ event }) => remove([{ event }]),
};

table.addEventListener("keydown", (key) => {
  if (key.ctrlKey || key.metaKey || key.altKey || !key.target.closest("tbody [data-stop]")) return;
  const place = whereIs(key.target);
  if (walk(key.key, key.target)) return key.preventDefault();
  if (key.key === "Delete") {
    key.preventDefault();
    return remove(selected.size ? [...selected].map(ofKey) : [place]);
  }
  if (!key.target.dataset.member) return;
  if (key.key === "Enter" || key.key === "F2") {
    key.preventDefault();
    editAt(key.target);
  } else if (key.key === " ") {
    key.preventDefault();
    pick(place);
  }
});

addEventListener("keydown", (key) => {
  if (document.querySelector("dialog[open]")) return;
  if ((key.ctrlKey || key.metaKey) && key.key.toLowerCase() === "z" && !key.shiftKey) {
    if (isText(key.target) || byId("undo").disabled) return;
    key.preventDefault();
    undo();
  } else if (key.ctrlKey || key.metaKey || key.altKey || isText(key.target)) {
    return;
  } else if (key.key === "/") {
    key.preventDefault();
    byId("edit-q").focus();
  } else if (key.key.toLowerCase() === "n") {
    key.preventDefault();
    addRule(whereIs(key.target)?.event);
  }
});

const isText = (target) => isTyping(target) && target.type !== "checkbox";

filters.addEventListener("input", () => {
  most = STEP_ROWS;
  show();
});
filters.addEventListener("submit", (submit) => submit.preventDefault());
byId("edit-more").addEventListener("click", () => {
  most += STEP_ROWS;
  show();
});
byId("undo").addEventListener("click", undo);
byId("add-rule").addEventListener("click", () => addRule());
byId("add-event").addEventListener("click", addEvent);
byId("plan-options").addEventListener("click", () => openPlan({ content: draft.content, options: facts.options, save: change }));
byId("pick-all").addEventListener("change", (change_) => {
  selected.clear();
  if (change_.target.checked) for (const { name, rules } of groups) for (const rule of rules) selected.add(keyOf(name, rule.path));
  show();
});
byId("bulk-none").addEventListener("click", () => {
  selected.clear();
  show();
});
byId("bulk-delete").addEventListener("click", () => remove([...selected].map(ofKey)));
bulk.addEventListener("submit", async (submit) => {
  submit.preventDefault();
  const { required, type, severity } = bulk.elements;
  const set = {
    ...(required.value ? { required: required.value === "yes" || null } : {}),
    ...(type.value ? { type: type.value } : {}),
    ...(severity.value ? { severity: severity.value === "error" ? null : severity.value } : {}),
  };
  if (!Object.keys(set).length) return;
  const wrong = await change([...selected].map((key) => ({ op: "set_rule", ...ofKey(key), set })));
  if (wrong === null) bulk.reset();
  tell(wrong);
});
