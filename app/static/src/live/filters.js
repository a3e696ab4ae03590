// The filters, kept in the URL: a link shows what its sender saw.

import { byId, h } from "../dom.js";

// Each filter: its name in the URL and the API, and how an entry passes it.
const PASSES = {
  event: (entry, value) => entry.name === value,
  verdict: (entry, value) => entry.verdict === value,
};

// These come with a link, and hold as long as the page is open: the server sends nothing else.
const NARROWING = ["app_version", "platform", "session", "kind", "path"];

export function makeFilters(onChange) {
  const select = byId("filter-event");
  const buttons = [...document.querySelectorAll("[data-filter-verdict]")];
  const given = new URLSearchParams(location.search);
  const narrow = NARROWING.map((name) => [name, given.get(name)]).filter(([, value]) => value);
  let chosen = fromUrl();

  function fromUrl() {
    const query = new URLSearchParams(location.search);
    return Object.fromEntries(Object.keys(PASSES).map((name) => [name, query.get(name) ?? ""]));
  }

  function change(part, { remember = true } = {}) {
    chosen = { ...chosen, ...part };
    if (remember) history.pushState(null, "", `${location.pathname}${query("?")}`);
    show();
    onChange();
  }

  function query(start) {
    const set = [...Object.entries(chosen), ...narrow].filter(([, value]) => value);
    return set.length ? `${start}${new URLSearchParams(set)}` : "";
  }

  function show() {
    if (chosen.event && ![...select.options].some((option) => option.value === chosen.event)) {
      select.append(h("option", { value: chosen.event }, chosen.event));
    }
    select.value = chosen.event;
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.filterVerdict === chosen.verdict));
    }
    byId("filter-narrow").textContent = narrow.map(([name, value]) => `${name.replace("_", " ")}: ${value}`).join(", ");
    byId("filter-clear").hidden = !query("?");
  }

  // The events of the summary become the choices, by name; the chosen one stays chosen.
  function offer(events) {
    const names = events.map((event) => event.name).sort((a, b) => a.localeCompare(b));
    const options = names.map((name) => h("option", { value: name }, name));
    select.replaceChildren(select.options[0], ...options);
    show();
  }

  select.addEventListener("change", () => change({ event: select.value }));
  for (const button of buttons) {
    button.addEventListener("click", () => change({ verdict: button.dataset.filterVerdict }));
  }
  byId("filter-clear").addEventListener("click", () => {
    if (narrow.length) location.assign(location.pathname);
    else change({ event: "", verdict: "" });
  });
  addEventListener("popstate", () => change(fromUrl(), { remember: false }));

  show();
  return {
    offer,
    query,
    narrow,
    isSet: () => query("?") !== "",
    passes: (entry) => Object.entries(PASSES).every(([name, pass]) => !chosen[name] || pass(entry, chosen[name])),
  };
}
