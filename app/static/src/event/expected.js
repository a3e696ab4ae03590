// What the app's plan expects of an event, asked once per event name and version that judged it.

const asked = new Map();

const NOTHING = { fields: [], plan_version: null };

// Answers {fields: [{path, type, required}], plan_version}: the version that the fields are from.
export function expectedFields(address, entry) {
  if (entry.plan_version === null) return Promise.resolve(NOTHING);
  const key = `${entry.plan_version} ${entry.name}`;
  if (!asked.has(key)) asked.set(key, ask(address, entry).catch(() => forget(key)));
  return asked.get(key);
}

async function ask(address, entry) {
  const url = new URL(address, location.href);
  url.searchParams.set("event", entry.name);
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`expected fields: ${answer.status}`);
  return answer.json();
}

// The event is shown without expectations now, and asked for again when it is next opened.
function forget(key) {
  asked.delete(key);
  return NOTHING;
}
