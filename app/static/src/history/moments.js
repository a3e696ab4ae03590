// Moments are chosen in the viewer's zone and stand in the address in UTC. What was left empty stays out of it.

export function keepMoments(form) {
  for (const shown of form.querySelectorAll("[data-moment]")) {
    const sent = form.elements[shown.dataset.moment];
    if (sent.value) shown.value = local(new Date(sent.value));
    shown.addEventListener("change", () => {
      sent.value = shown.value ? new Date(shown.value).toISOString() : "";
    });
  }
  form.addEventListener("formdata", ({ formData }) => {
    for (const [name, value] of [...formData]) if (!value) formData.delete(name);
  });
}

// As a datetime-local field writes it.
function local(moment) {
  const shifted = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, 19);
}
