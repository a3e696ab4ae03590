// Which rules are shown, and which are selected.

import { SEVERITY } from "./words.js";

export const keyOf = (event, path) => JSON.stringify([event, path]);
export const ofKey = (key) => {
  const [event, path] = JSON.parse(key);
  return { event, path };
};

// Per event that has something to show: its name, definition, and the rules that pass.
export function passing(events, asked) {
  const wanted = asked.q.trim().toLowerCase();
  const isFiltered = wanted || asked.type || asked.required || asked.severity;
  const groups = [];
  for (const [name, definition] of Object.entries(events)) {
    const inName = wanted && name.toLowerCase().includes(wanted);
    const rules = (definition.rules ?? []).filter(
      (rule) =>
        (!asked.type || rule.type === asked.type) &&
        (!asked.required || Boolean(rule.required) === (asked.required === "yes")) &&
        (!asked.severity || (rule.severity ?? SEVERITY) === asked.severity) &&
        (!wanted || inName || `${rule.path} ${rule.description ?? ""}`.toLowerCase().includes(wanted)),
    );
    const isBare = !asked.type && !asked.required && !asked.severity && (inName || !wanted);
    if (rules.length || !isFiltered || (isBare && inName)) groups.push({ name, definition, rules });
  }
  return groups;
}
