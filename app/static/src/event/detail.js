// Everything about one event: what is wrong, every field, the payload, the raw JSON, the envelope.

import { copy } from "../copy.js";
import { h, icon } from "../dom.js";
import { clockTime, fullTime } from "../time.js";
import { expectedFields } from "./expected.js";
import { mergeFields, STATUS_WORDS } from "./fields.js";
import { pretty, show } from "./json.js";
import { renderPayload } from "./payload.js";
import { sentence } from "./sentence.js";
import { renderTabs } from "./tabs.js";
import { verdictBadge } from "./verdict.js";

const LONGEST_VALUE = 300;

// page: {expectedUrl, ingestUrl, eventUrl, livePageUrl}; entry: as in /events, read exactly.
export function renderDetail(entry, page) {
  const fields = h("div", { class: "event-fields" }, h("p", { class: "text-secondary p-3" }, "Reading the plan…"));
  expectedFields(page.expectedUrl, entry).then((expected) => {
    fields.replaceChildren(
      fieldTable(mergeFields(entry.payload, expected.fields, entry.violations)),
      otherVersion(entry, expected.plan_version) ?? "",
    );
  });
  return h(
    "article",
    { class: "event-detail", "aria-label": `Event ${entry.name}` },
    head(entry, page),
    actions(entry, page),
    findings(entry),
    renderTabs(
      [
        { label: "Fields", render: () => fields },
        { label: "Payload", render: () => renderPayload(entry.payload, entry.violations) },
        ...(entry.corrected ? [{ label: "Corrected", render: () => renderPayload(entry.corrected, []) }] : []),
        { label: "Raw JSON", render: () => raw(entry) },
        { label: "Envelope", render: () => envelope(entry) },
      ],
      "Parts of the event",
    ),
  );
}

function head(entry, page) {
  const facts = [
    ["Received", h("time", { datetime: entry.received_at, title: fullTime(entry.received_at) }, clockTime(entry.received_at))],
    ["Plan", entry.plan_version === null ? "none" : `version ${entry.plan_version}`],
    ["App", entry.app_version],
    ["Platform", entry.platform],
    ["Origin", entry.origin === "system" && "system event"],
    ["Identity", entry.identity && followed("identity", entry.identity, page)],
    ["Device", entry.device_id && followed("device", entry.device_id, page)],
    ["Session", entry.session_id && followed("session", entry.session_id, page)],
  ].filter(([, value]) => value);
  return h(
    "header",
    { class: "event-head" },
    h("h2", { class: "event-name", dir: "auto" }, entry.name),
    verdictBadge(entry.verdict),
    h("dl", { class: "event-facts" }, facts.map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", { dir: "auto" }, value)))),
  );
}

// A device's or session's id, and the way to a live page that shows nothing else.
function followed(name, id, page) {
  const href = `${page.livePageUrl}?${new URLSearchParams({ [name]: id })}`;
  return [id, " ", h("a", { href, class: "follow", "aria-label": `Follow this ${name} live` }, "Follow")];
}

function actions(entry, page) {
  const link = new URL(page.eventUrl.replace("EVENT_ID", entry.event_id), location.href);
  return h(
    "div",
    { class: "event-actions" },
    copyButton("copy", "Copy JSON", () => pretty(sentEvent(entry))),
    copyButton("terminal-2", "Copy as curl", () => curl(entry, page.ingestUrl)),
    copyButton("link", "Copy link", () => link.href),
  );
}

function copyButton(symbol, label, text) {
  return h(
    "button",
    { type: "button", class: "btn btn-sm", onclick: (click) => copy(text(), click.currentTarget) },
    icon(symbol),
    h("span", { "data-label": true }, label),
  );
}

// What is wrong with the event as a whole; what is wrong with a field stands at the field.
function findings(entry) {
  const sentences = entry.violations.filter((violation) => !violation.path).map((violation) => sentence(violation.message));
  if (entry.violations_omitted) sentences.push(`${entry.violations_omitted} more problems are not listed.`);
  if (!sentences.length) return null;
  const tone = entry.verdict === "invalid" ? "invalid" : "unplanned";
  return notice(tone, tone === "invalid" ? "alert-circle" : "alert-triangle", sentences);
}

function notice(tone, symbol, sentences) {
  return h(
    "div",
    { class: `findings findings-${tone}` },
    icon(symbol),
    h("ul", { dir: "auto" }, sentences.map((sentence) => h("li", {}, sentence))),
  );
}

function fieldTable({ rows, omitted }) {
  if (!rows.length) return h("p", { class: "text-secondary p-3" }, "The payload is empty, and the plan asks for nothing.");
  return h(
    "div",
    { class: "table-responsive" },
    h(
      "table",
      { class: "table field-table" },
      h("caption", { class: "visually-hidden" }, "Fields of the event"),
      h("thead", {}, h("tr", {}, ["Field", "Expected", "Received", "Value", "Status"].map((title) => h("th", { scope: "col" }, title)))),
      h("tbody", {}, rows.map(fieldRow)),
    ),
    omitted > 0 && h("p", { class: "text-secondary p-3" }, `And ${omitted} more fields; the raw JSON has them all.`),
  );
}

// The rows' expectations are the plan's of today; the verdict is of the version that judged.
function otherVersion(entry, version) {
  if (version === null || version === entry.plan_version) return null;
  const words = `Judged by version ${entry.plan_version} of the plan; types expected of fields without problems are version ${version}'s.`;
  return h("p", { class: "text-secondary p-3 m-0" }, words);
}

function fieldRow(row) {
  const tone = row.severity === "warning" ? "warning" : row.status;
  return h(
    "tr",
    { class: `field field-${tone}`, "data-path": row.path, "data-status": row.status },
    h("th", { scope: "row", class: "field-path", dir: "auto" }, row.path),
    h("td", { "data-label": "Expected" }, words(row.expected)),
    h("td", { "data-label": "Received" }, words(row.received)),
    h("td", { "data-label": "Value", class: "field-value", dir: "auto" }, row.isSent ? shorten(show(row.value)) : "—"),
    h(
      "td",
      { "data-label": "Status" },
      h("span", { class: "field-status" }, STATUS_WORDS[row.status]),
      row.violations.map((violation) => h("div", { class: "field-sentence", dir: "auto" }, sentence(violation.message))),
      ruleOf(row),
    ),
  );
}

// What the plan tells people of the rule that was broken, and whom to ask.
function ruleOf(row) {
  const rule = row.violations.find((violation) => violation.rule)?.rule;
  const told = [rule?.description, rule?.owner && `Owner: ${rule.owner}`].filter(Boolean).join(" · ");
  return told ? h("div", { class: "field-sentence text-secondary", dir: "auto" }, told) : null;
}

// A type in words, or a value as JSON.
function words(value) {
  if (value === null || value === undefined) return "—";
  return typeof value === "string" ? value : shorten(show(value));
}

function shorten(text) {
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}

function raw(entry) {
  return h("pre", { class: "json", tabindex: "0", "aria-label": "Raw JSON" }, h("code", {}, pretty(entry)));
}

function envelope(entry) {
  const members = Object.entries({ messageId: entry.message_id, ...entry.envelope });
  return h(
    "dl",
    { class: "envelope" },
    members.map(([name, value]) => h("div", {}, h("dt", { dir: "auto" }, name), h("dd", { dir: "auto" }, words(value)))),
  );
}

// The event as a sender would send it again.
function sentEvent(entry) {
  return { eventName: entry.name, ...entry.envelope, payload: entry.payload };
}

function curl(entry, address) {
  // Without the message id, or the copy would be taken for a retry and kept only once.
  const { messageId, message_id, ...rest } = sentEvent(entry);
  const body = JSON.stringify(rest).replaceAll("'", String.raw`'\''`);
  return [
    `curl -X POST '${address}'`,
    `-H 'Authorization: Bearer <write key>'`,
    `-H 'Content-Type: application/json'`,
    `-d '${body}'`,
  ].join(" \\\n  ");
}
