// "Try it": an event is pasted, and the draft's verdict comes back, with reasons and the payload that was meant.

import { byId, h, icon } from "../../dom.js";

const VERDICTS = { valid: ["Valid", "circle-check"], invalid: ["Invalid", "circle-x"], unplanned: ["Unplanned", "question-mark"], exempt: ["Exempt", "circle-minus"] };
const form = byId("try");
const text = byId("try-event");
const result = byId("try-result");

export function listenToTry(draft) {
  form.addEventListener("submit", async (submit) => {
    submit.preventDefault();
    let event;
    try {
      event = JSON.parse(text.value);
    } catch (error) {
      return show(refused(`This is not JSON yet: ${error.message}`));
    }
    const answer = await draft.tryOut(event);
    return show(answer.ok ? judged(answer.body) : refused(answer.body.message));
  });
}

function show(...parts) {
  result.replaceChildren(...parts.flat());
}

function refused(message) {
  return h("div", { class: "findings findings-invalid" }, icon("alert-circle"), h("span", {}, message));
}

function judged({ verdict, violations, violations_omitted: omitted, corrected }) {
  const [word, symbol] = VERDICTS[verdict];
  return [
    h("p", {}, h("span", { class: `verdict verdict-${verdict}` }, icon(symbol), word)),
    violations.length ? h("ul", { class: "changes" }, violations.map(reason)) : h("p", { class: "text-secondary" }, "The draft has nothing to say against it."),
    omitted ? h("p", { class: "text-secondary" }, `And ${omitted} more.`) : null,
    corrected
      ? h("div", {}, h("h3", { class: "form-label" }, "The payload as it was probably meant"), h("pre", { class: "try-corrected", tabindex: "0" }, JSON.stringify(corrected, null, 2)))
      : null,
  ].filter(Boolean);
}

function reason({ message, severity, rule }) {
  const weight = severity === "error" ? "breaking" : severity === "warning" ? "loosening" : "neutral";
  const said = rule?.description ? h("div", { class: "text-secondary" }, rule.description) : null;
  return h("li", {}, h("span", { class: `weight weight-${weight}` }, severity ?? "error"), h("div", {}, marked(message), said));
}

function marked(message) {
  return message.split("`").map((part, index) => (index % 2 ? h("code", { dir: "auto" }, part) : part));
}
