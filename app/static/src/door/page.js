// Pages where a mailed link leads, or where a password is chosen: the link's token, and how strong the password is.

import { watchStrength } from "./strength.js";
import { takeToken } from "./token.js";

const row = document.querySelector("[data-token]");

function open() {
  // Where nothing else is to be typed the form goes off by itself.
  if (takeToken(row) && "send" in row.dataset) row.closest("form").requestSubmit();
}

if (row) {
  open();
  addEventListener("hashchange", open); // a second link, while the page is open
}
for (const line of document.querySelectorAll("[data-strength]")) watchStrength(line);
