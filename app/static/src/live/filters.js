// The filters, kept in the URL: a link shows what its sender saw. The server applies them, to the list and the stream.

import { byId, h, icon } from "../dom.js";

const NAMES = ["event", "verdict", "origin", "q", "kind", "path", "app_version", "platform", "session", "device", "identity"];
// These have a control of their own in sight; the others stand as chips once they are set.
const IN_SIGHT = new Set(["event", "verdict", "origin", "q"]);
const TYPING_MS = 300;

// onChange(): another set of events is asked for.
export function makeFilters(onChange) {
  const select = byId("filter-event");
  const search = byId("filter-q");
  const more = byId("filter-more");
  const buttons = [...document.querySelectorAll("[data-filter]")];
  let chosen = fromUrl();
  let typing = null;

  function fromUrl() {
    const query = new URLSearchParams(location.search);
    return Object.fromEntries(NAMES.map((name) => [name, query.get(name) ?? ""]));
  }

  // remember: "push" makes a step for the back button, "replace" none.
  function change(part, remember = "push") {
    clearTimeout(typing);
    const changed = Object.entries(part).some(([name, value]) => chosen[name] !== value);
    if (!changed) return;
    chosen = { ...chosen, ...part };
    const address = `${location.pathname}${query("?")}`;
    if (remember === "push") history.pushState(null, "", address);
    if (remember === "replace") history.replaceState(null, "", address);
    show();
    onChange();
  }

  function set() {
    return Object.entries(chosen).filter(([, value]) => value);
  }

  function query(start) {
    return set().length ? `${start}${new URLSearchParams(set())}` : "";
  }

  function show() {
    if (chosen.event && ![...select.options].some((option) => option.value === chosen.event)) {
      select.append(h("option", { value: chosen.event }, chosen.event));
    }
    select.value = chosen.event;
    if (document.activeElement !== search) search.value = chosen.q;
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(chosen[button.dataset.filter] === button.dataset.value));
    }
    for (const field of more.elements) if (field.name) field.value = chosen[field.name];
    byId("filter-chips").replaceChildren(...set().filter(([name]) => !IN_SIGHT.has(name)).map(chip));
    if (chosen.origin) tellSystemEvents();
    byId("filter-clear").hidden = !query("?");
  }

  function chip([name, value]) {
    const words = `${name.replace("_", " ")}: ${value}`;
    const remove = () => change({ [name]: "" });
    const button = { type: "button", class: "icon-button", "aria-label": `Remove the filter ${words}`, onclick: remove };
    return h("span", { class: "chip filter-chip", dir: "auto" }, h("span", {}, words), h("button", button, icon("x")));
  }

  // The events of the summary become the choices, by name; the chosen one stays chosen.
  function offer(events) {
    const names = events.map((event) => event.name).sort((a, b) => a.localeCompare(b));
    const options = names.map((name) => h("option", { value: name }, name));
    select.replaceChildren(select.options[0], ...options);
    show();
  }

  // The choice between user and system events is there once there is something to choose.
  function tellSystemEvents() {
    byId("origins").hidden = false;
  }

  select.addEventListener("change", () => change({ event: select.value }));
  search.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => change({ q: search.value.trim() }, "replace"), TYPING_MS);
  });
  for (const button of buttons) {
    button.addEventListener("click", () => change({ [button.dataset.filter]: button.dataset.value }));
  }
  more.addEventListener("change", (event) => change({ [event.target.name]: event.target.value.trim() }));
  more.addEventListener("submit", (event) => {
    event.preventDefault(); // Enter in a field: its change came before
    more.closest("details").open = false;
  });
  byId("filter-clear").addEventListener("click", () => {
    search.value = "";
    change(Object.fromEntries(NAMES.map((name) => [name, ""])));
  });
  addEventListener("popstate", () => change(fromUrl(), "not"));

  show();
  return { offer, query, tellSystemEvents, isSet: () => query("?") !== "" };
}
