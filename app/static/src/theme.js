// Sets light or dark before the first paint: the remembered choice, else the system's.

const KEY = "theme";
const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage switched off: follow the system
  }
}

function apply() {
  root.dataset.bsTheme = remembered() ?? (system.matches ? "dark" : "light");
}

apply();
system.addEventListener("change", apply);
addEventListener("storage", apply); // another tab chose

addEventListener("click", (click) => {
  if (!click.target.closest?.("[data-theme-toggle]")) return;
  const chosen = root.dataset.bsTheme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(KEY, chosen);
  } catch {
    // not remembered, still applied
  }
  root.dataset.bsTheme = chosen;
});
