// Tabs by the ARIA pattern: one is in the tab order, arrows move between them.

import { h } from "../dom.js";

let made = 0;

// tabs: [{label, render: () => Node}]; a panel is made when first shown.
export function renderTabs(tabs, label) {
  const id = `tabs-${++made}`;
  const panel = h("div", { class: "tab-body", role: "tabpanel", id: `${id}-panel`, tabindex: "0" });
  const rendered = new Map();
  const buttons = tabs.map((tab, index) =>
    h(
      "button",
      {
        type: "button",
        class: "nav-link",
        role: "tab",
        id: `${id}-${index}`,
        "aria-controls": `${id}-panel`,
        onclick: () => select(index),
      },
      tab.label,
    ),
  );

  function select(index) {
    buttons.forEach((button, at) => {
      button.classList.toggle("active", at === index);
      button.setAttribute("aria-selected", String(at === index));
      button.tabIndex = at === index ? 0 : -1;
    });
    if (!rendered.has(index)) rendered.set(index, tabs[index].render());
    panel.setAttribute("aria-labelledby", `${id}-${index}`);
    panel.replaceChildren(rendered.get(index));
  }

  function move(key) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key.key];
    if (!step) return;
    const now = buttons.indexOf(document.activeElement);
    const next = (now + step + buttons.length) % buttons.length;
    key.preventDefault();
    select(next);
    buttons[next].focus();
  }

  select(0);
  const list = h("div", { class: "nav nav-tabs", role: "tablist", "aria-label": label, onkeydown: move }, buttons);
  return h("div", { class: "event-tabs" }, list, panel);
}
