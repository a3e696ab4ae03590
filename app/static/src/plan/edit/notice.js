// What went wrong with a change: the reasons, and after somebody else's change what it was and how to go on.

import { byId, h, icon } from "../../dom.js";

const place = byId("edit-notice");

export function clearNotice() {
  place.replaceChildren();
}

// again: repeats the refused change on what is there now.
export function showTrouble({ status, body }, { reload, again }) {
  const parts = [h("p", { class: "mb-1" }, body.message ?? "Something went wrong. Try again.")];
  const reasons = body.problems ?? body.detail?.changes ?? [];
  if (reasons.length) parts.push(h("ul", { class: "mb-1" }, reasons.map((reason) => h("li", {}, words(reason)))));
  if (status === 409 && body.code === "plan_changed") {
    parts.push(
      h(
        "div",
        { class: "d-flex flex-wrap gap-2 mt-2" },
        h("button", { type: "button", class: "btn btn-sm btn-primary", onclick: reload }, "Load their version"),
        again && h("button", { type: "button", class: "btn btn-sm", onclick: again }, "Load it and do my change on it"),
      ),
    );
  } else {
    parts.push(h("button", { type: "button", class: "btn btn-sm mt-1", onclick: clearNotice }, "Close"));
  }
  place.replaceChildren(h("div", { class: "findings findings-invalid mb-3" }, icon("alert-circle"), h("div", {}, parts)));
  place.scrollIntoView({ block: "nearest" });
}

function words({ path, message }) {
  return path && !message.includes("`") ? `${path}: ${message}` : message.replaceAll("`", "");
}
