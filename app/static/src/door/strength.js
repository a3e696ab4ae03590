// How hard a password is to guess, said while it is typed. It advises; the server decides by the same rules
// (app/auth/passwords.py). Nothing of it leaves the browser.

const SHORTEST = 12;
const ENOUGH = 3;
const LONGEST_JUDGED = 72; // the work grows with the square
const PAUSE_MS = 250; // a screen reader hears the pause's word, not every key's
const OUR_NAMES = ["live", "validation", "dashboard"];

// line: the element that says it; `data-strength` is the id of the field that it watches.
export function watchStrength(line) {
  const input = document.getElementById(line.dataset.strength);
  let waiting;
  // The lists are large, so they come when somebody is about to type, and stay in the browser's cache.
  input.addEventListener("focus", () => import("./guesses.js"), { once: true });
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(async () => show(line, await judge(input)), PAUSE_MS);
  });
}

async function judge(input) {
  const password = input.value;
  if (password === "") return { score: 0, words: "" };
  const missing = SHORTEST - [...password].length;
  if (missing > 0) return { score: 0, words: `${missing} more ${missing === 1 ? "character" : "characters"}.` };
  const { check } = await import("./guesses.js");
  const { score, feedback } = check(password.slice(0, LONGEST_JUDGED), namesOf(input.form));
  if (score < ENOUGH) return { score, words: `${feedback.warning ?? ""} Add another word or two.`.trim() };
  return { score, words: score === ENOUGH ? "Good." : "Strong." };
}

// What a stranger would try first.
function namesOf(form) {
  const address = (form.elements.email ?? form.elements.username)?.value ?? "";
  return [address, ...address.split(/[@.]/), ...OUR_NAMES].filter(Boolean);
}

function show(line, { score, words }) {
  line.dataset.score = words === "" ? "" : String(score);
  line.querySelector("[data-words]").textContent = words;
}
