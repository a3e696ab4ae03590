// The page where a mailed link leads.

import { takeToken } from "./token.js";

const row = document.querySelector("[data-token]");

function open() {
  // Where nothing else is to be typed the form goes off by itself.
  if (takeToken(row) && "send" in row.dataset) row.closest("form").requestSubmit();
}

open();
addEventListener("hashchange", open); // a second link, while the page is open
