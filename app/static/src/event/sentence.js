// A violation's sentence: what stands between backticks is code.

import { h } from "../dom.js";

export function sentence(message) {
  return message.split("`").map((part, index) => (index % 2 && part ? h("code", {}, part) : part));
}

export function plainSentence(message) {
  return message.replaceAll("`", "");
}
