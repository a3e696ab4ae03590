// Makes elements. Text goes in as text nodes only, so nothing that a stranger sent is ever read as markup.

const SVG = "http://www.w3.org/2000/svg";

// h("a", { class: "row", href: "/x", onclick: f }, "text", child, null): an element with attributes, listeners, children.
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) set(element, name, value);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (typeof value === "function") element.addEventListener(name.slice(2), value);
  else element.setAttribute(name, value === true ? "" : value);
}

export function icon(name, label) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else {
    svg.setAttribute("aria-hidden", "true");
  }
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${document.documentElement.dataset.icons}#${name}`);
  svg.append(use);
  return svg;
}

// The JSON that the server put in the page for this script.
export function pageData(id = "page-data") {
  return JSON.parse(document.getElementById(id).textContent);
}

export function byId(id) {
  return document.getElementById(id);
}

// Is the person typing? Then single keys are letters, not commands.
export function isTyping(target) {
  return target.closest?.("input, select, textarea, [contenteditable]") !== null;
}
