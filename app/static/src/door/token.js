// A mailed link carries its token behind the #, which a browser sends to nobody: no log and no Referer ever has it.

// Moves the token from the address into the form's field, and hides the field, which is there for pasting by hand.
// True where the address had one.
export function takeToken(row) {
  const input = row.querySelector("input");
  const isGiven = location.hash.length > 1;
  if (isGiven) {
    input.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
    input.removeAttribute("autofocus");
  }
  const isRefused = input.getAttribute("aria-invalid") === "true";
  row.hidden = input.value !== "" && !isRefused;
  return isGiven;
}
