// The verdict's badge: a colour, a shape and a word, so that none of them is needed alone.

import { h, icon } from "../dom.js";

export const VERDICTS = {
  valid: { word: "Valid", icon: "circle-check" },
  invalid: { word: "Invalid", icon: "circle-x" },
  unplanned: { word: "Unplanned", icon: "question-mark" },
  exempt: { word: "Exempt", icon: "circle-minus" },
};

export function verdictBadge(verdict) {
  const known = VERDICTS[verdict] ?? { word: verdict, icon: "question-mark" };
  return h("span", { class: `verdict verdict-${verdict in VERDICTS ? verdict : "exempt"}` }, icon(known.icon), known.word);
}
