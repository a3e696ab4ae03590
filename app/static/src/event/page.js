// One event on a page of its own: where its permalink leads.

import { byId } from "../dom.js";
import { renderDetail } from "./detail.js";
import { parseExactly } from "./json.js";

const { entry, ...page } = parseExactly(byId("page-data").textContent);
byId("event").replaceChildren(renderDetail(entry, page));
