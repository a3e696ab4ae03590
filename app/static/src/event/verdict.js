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

// Envelope members have several accepted spellings; the first that is there counts.
const SPELLINGS = {
  version: ["appVersion", "app_version"],
  platform: ["platform"],
  device: ["deviceId", "device_id", "anonymousId", "anonymous_id"],
  session: ["sessionId", "session_id"],
};

export function envelopeValue(entry, member) {
  const envelope = entry.envelope ?? {};
  for (const spelling of SPELLINGS[member]) {
    const value = envelope[spelling];
    if (value !== undefined && value !== null && typeof value !== "object") return String(value);
  }
  return "";
}
