// The keyboard: j/k walk the list, Enter opens (the row's link does that), space pauses, / searches, ? tells.

import { byId, isTyping } from "../dom.js";

export function listenToKeys({ body, togglePause, close, afterMove }) {
  const help = byId("keyboard-help");

  function move(step) {
    const links = [...body.querySelectorAll(".row-name")];
    const now = links.indexOf(document.activeElement);
    const open = links.indexOf(body.querySelector("tr[aria-current] .row-name"));
    const from = now >= 0 ? now : open;
    const next = links[Math.min(Math.max(from + step, 0), links.length - 1)];
    if (!next) return;
    next.focus({ preventScroll: true });
    next.closest("tr").scrollIntoView({ block: "nearest" });
    afterMove(next.closest("tr"));
  }

  const commands = {
    j: () => move(1),
    k: () => move(-1),
    "/": () => byId("filter-q").focus(),
    "?": () => (help.open ? help.close() : help.showModal()),
    " ": togglePause,
    Escape: close,
  };

  addEventListener("keydown", (key) => {
    if (key.ctrlKey || key.metaKey || key.altKey || isTyping(key.target) || (help.open && key.key !== "?")) return;
    const command = commands[key.key];
    // On a button, a link or a tab, space belongs to the button.
    if (!command || (key.key === " " && key.target.closest("button, summary, [role=tab]"))) return;
    key.preventDefault();
    command();
  });
  byId("keyboard-button").addEventListener("click", () => help.showModal());
}
