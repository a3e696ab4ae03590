// What to count: moments in the viewer's zone, and either a ready-made time or one's own.

import { keepMoments } from "../history/moments.js";

const form = document.querySelector(".scope-form");
keepMoments(form);

form.elements.range.addEventListener("change", () => {
  for (const field of form.querySelectorAll("[data-moment]")) {
    field.value = "";
    form.elements[field.dataset.moment].value = "";
  }
});

for (const field of form.querySelectorAll("[data-moment]")) {
  field.addEventListener("change", () => (form.elements.range.value = ""));
}
