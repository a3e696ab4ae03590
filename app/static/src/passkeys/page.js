// Passkeys: the browser has the person's device sign our challenge; we hand on what it signed.

import { browserSupportsWebAuthn, startAuthentication, startRegistration } from "@simplewebauthn/browser";

const WAYS = { register, "sign-in": signIn, proof: prove };
// What the browser says where there is no passkey to be had, by its own names.
// https://www.w3.org/TR/webauthn-2/#sctn-createCredential
const SAID = {
  NotAllowedError: "Nothing was chosen, or it took too long. Try again, or take another way.",
  InvalidStateError: "This device has a passkey of yours already.",
  SecurityError: "Passkeys work only at the address that this product is known by.",
};

for (const form of document.querySelectorAll("[data-passkey]")) offer(form);

function offer(form) {
  if (!browserSupportsWebAuthn()) {
    if (form.dataset.passkey === "register") say(form, "This browser knows no passkeys. Use a newer one.");
    return;
  }
  form.hidden = false;
  form.addEventListener("submit", (submit) => {
    submit.preventDefault();
    run(form, submit.submitter);
  });
}

async function run(form, button) {
  button.disabled = true;
  say(form, "");
  try {
    await WAYS[form.dataset.passkey](form);
  } catch (error) {
    say(form, SAID[error.name] ?? error.message);
    button.disabled = false;
  }
}

async function register(form) {
  const optionsJSON = JSON.parse(document.getElementById("passkey-options").textContent);
  const credential = await startRegistration({ optionsJSON });
  location.assign((await post(form, form.dataset.post, { name: form.dataset.name, credential })).next);
}

async function signIn(form) {
  const credential = await startAuthentication({ optionsJSON: await post(form, form.dataset.options, {}) });
  location.assign((await post(form, form.dataset.post, { credential })).next);
}

// The proof goes along with the form that it is asked for.
async function prove(form) {
  const credential = await startAuthentication({ optionsJSON: await post(form, form.dataset.options, {}) });
  const carrying = document.getElementById("proof-form");
  carrying.elements.proof_passkey.value = JSON.stringify(credential);
  carrying.submit();
}

async function post(form, path, body) {
  const answer = await fetch(path, {
    method: "POST",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/json",
      "X-CSRF-Token": form.elements.csrf_token.value,
    },
    body: JSON.stringify(body),
  });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.message);
  return said;
}

function say(form, text) {
  const place = form.querySelector("[data-said]");
  place.textContent = text;
  place.hidden = !text;
}
