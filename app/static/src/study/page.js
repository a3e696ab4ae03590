// Follows a study that a worker does: moves its bar, and shows the page anew when there is something to show.

const EVERY_MS = 1000;
const place = document.querySelector("[data-study]");
if (place) follow(place);

async function follow(section) {
  const words = section.querySelector("[data-words]");
  const bar = section.querySelector("progress");
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    // An answer that does not come is asked for again: the study goes on, whatever becomes of this page.
    const answer = await fetch(section.dataset.study, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) continue;
    const study = await answer.json();
    if (!["waiting", "working"].includes(study.state)) return location.reload();
    if (!study.events) continue;
    words.textContent = `${study.events_done.toLocaleString()} of ${study.events.toLocaleString()} events`;
    bar.value = study.progress;
  }
}
