// What every page has: menus that close, copy buttons, times in the viewer's zone, forms that send once.

import { copyFrom } from "./copy.js";
import { byId, isTyping } from "./dom.js";
import { localise } from "./time.js";

const AGO_REFRESH_MS = 30_000;

localise();
setInterval(() => localise(), AGO_REFRESH_MS);

addEventListener("click", (click) => {
  closeMenus(click.target);
  const button = click.target.closest("[data-copy]");
  if (button) copyFrom(button);
  const reveal = click.target.closest("[data-reveal]");
  if (reveal) revealPassword(reveal);
});

addEventListener("keydown", (key) => {
  if (key.key !== "Escape") return;
  const open = document.querySelector("details.menu[open]");
  if (!open) return;
  open.open = false;
  open.querySelector("summary").focus();
});

// The live page has a keyboard of its own (live/keys.js).
addEventListener("keydown", (key) => {
  if (key.ctrlKey || key.metaKey || key.altKey || isTyping(key.target) || document.querySelector("dialog[open], .page-live")) return;
  const target = { "?": byId("keyboard-help"), "/": document.querySelector("main [type=search], main [name=q], .scope-form input") }[key.key];
  if (!target) return;
  key.preventDefault();
  if (key.key === "?") target.showModal();
  else target.focus();
});

addEventListener("submit", (submit) => {
  const form = submit.target;
  if (!("once" in form.dataset)) return;
  // After the form's values were read: a disabled button's own value would not be sent.
  queueMicrotask(() => {
    for (const button of form.querySelectorAll("button[type=submit]")) {
      button.disabled = true;
      button.classList.add("btn-loading");
    }
  });
});

// Back button: the page comes out of the browser's cache as it was left, buttons disabled and all.
addEventListener("pageshow", (shown) => {
  if (!shown.persisted) return;
  for (const button of document.querySelectorAll("form[data-once] .btn-loading")) {
    button.disabled = false;
    button.classList.remove("btn-loading");
  }
});

for (const input of document.querySelectorAll("input[data-code]")) keepDigits(input);

// After a refusal one stands where something is to be mended, and hears what.
document.querySelector("[aria-invalid=true]")?.focus();

function closeMenus(target) {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(target)) menu.open = false;
  }
}

function revealPassword(button) {
  const input = document.getElementById(button.getAttribute("aria-controls"));
  const show = input.type === "password";
  input.type = show ? "text" : "password";
  button.setAttribute("aria-pressed", String(show));
}

// A code pasted from a mail brings spaces and dashes along; the server wants the digits.
function keepDigits(input) {
  input.addEventListener("input", () => {
    const digits = input.value.replace(/\D/g, "").slice(0, Number(input.dataset.code));
    if (digits !== input.value) input.value = digits;
  });
}
