// Copies text and says that it did.

const SHOWN_MS = 1500;

// A button with data-copy="#id" copies that element's text; with data-text="…" the text itself.
export function copyFrom(button) {
  const source = button.dataset.copy && document.querySelector(button.dataset.copy);
  return copy(source ? source.textContent : button.dataset.text, button);
}

export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    say(button, "Copied");
  } catch {
    say(button, "Press Ctrl+C"); // no permission, or not a secure page: leave the text selected
    selectSource(button);
  }
}

function say(button, words) {
  const label = button.querySelector("[data-label]");
  const before = label ? label.textContent : button.getAttribute("aria-label");
  if (button.dataset.saying) return;
  button.dataset.saying = "yes";
  button.classList.add("copied");
  if (label) label.textContent = words;
  else button.setAttribute("aria-label", words);
  document.getElementById("announcer").textContent = words;
  setTimeout(() => {
    delete button.dataset.saying;
    button.classList.remove("copied");
    if (label) label.textContent = before;
    else button.setAttribute("aria-label", before);
  }, SHOWN_MS);
}

function selectSource(button) {
  const source = button.dataset.copy && document.querySelector(button.dataset.copy);
  if (source) getSelection().selectAllChildren(source);
}
