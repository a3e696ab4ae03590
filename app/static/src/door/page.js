// The page where a mailed link leads.

import { takeToken } from "./token.js";

takeToken(document.querySelector("[data-token]"));
