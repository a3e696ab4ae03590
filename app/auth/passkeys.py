"""Passkeys (WebAuthn): the best way in. A device signs our challenge after it recognised its owner; nothing is typed.

One passkey is both factors at once: the device, and the finger, face or PIN that it asks for. It is bound to our
origin, so no other site can be handed what it signs. https://www.w3.org/TR/webauthn-2/
"""

import secrets
from typing import Any
from urllib.parse import urlsplit

import orjson
import webauthn
from flask import g
from webauthn.authentication.verify_authentication_response import VerifiedAuthentication
from webauthn.helpers import options_to_json, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from app.auth import alerts, arrival
from app.auth import session as browser
from app.errors import Refusal
from app.extensions import db, settings
from app.store import audit, passkeys
from app.store.audit import Action
from app.store.passkeys import Listed, Passkey

RP_NAME = "Live Validation"
REGISTER, SIGN_IN, PROOF = "register", "sign_in", "proof"
CHALLENGE_BYTES = 32
MOST_PASSKEYS = 20
MOST_NAME_CHARACTERS = 60
VERIFIED = UserVerificationRequirement.REQUIRED
WRONG = (
    "This passkey is not known here, or its answer came too late. Try again, or sign in with your password."
)


def mine() -> list[Listed]:
    """My passkeys."""
    return passkeys.of_user(g.actor.user_id)


# ── making one ─────────────────────────────────────────────────────────────


def registration_options(typed_name: Any) -> dict[str, Any]:
    """What a browser needs to make one of this name; commits.

    Raises Refusal `bad_name` (422), `too_many_passkeys` (409).
    """
    _name(typed_name)
    known = passkeys.credentials(g.actor.user_id)
    if len(known) >= MOST_PASSKEYS:
        raise Refusal("too_many_passkeys", f"{MOST_PASSKEYS} passkeys are the most. Remove one first.", 409)
    options = webauthn.generate_registration_options(
        rp_id=_rp_id(),
        rp_name=RP_NAME,
        user_id=passkeys.handle(g.actor.user_id),
        user_name=g.actor.email,
        challenge=_new_challenge(REGISTER),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=VERIFIED
        ),
        exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
    )
    return orjson.loads(options_to_json(options))


def register(credential: Any, typed_name: Any) -> None:
    """Keep the passkey that the browser made; commits. Raises Refusal `bad_name`, `bad_passkey` (422)."""
    name = _name(typed_name)
    challenge = _take(REGISTER)
    try:
        made = webauthn.verify_registration_response(
            credential=_object(credential),
            expected_challenge=challenge,
            expected_rp_id=_rp_id(),
            expected_origin=_origin(),
            require_user_verification=True,
        )
    except WebAuthnException:
        raise Refusal("bad_passkey", "This passkey could not be made. Try again.", 422) from None
    user_id = g.actor.user_id
    if not passkeys.add(user_id, made.credential_id, made.credential_public_key, made.sign_count, name):
        db.session.rollback()
        raise Refusal("bad_passkey", "This passkey is known already.", 422)
    alerts.tell(user_id, "passkey_added", g.actor.session_id)
    audit.record(Action.ACCOUNT_CHANGED, "passkey", name, change="added")
    db.session.commit()


def rename(passkey_id: int, typed_name: Any) -> None:
    """Commits. Raises Refusal `bad_name` (422), `unknown_passkey` (404)."""
    if passkey_id not in [one.id for one in mine()]:
        raise _unknown()
    passkeys.rename(g.actor.user_id, passkey_id, _name(typed_name))
    db.session.commit()


def remove(passkey_id: int) -> None:
    """It signs nobody in any more; commits. Raises Refusal `unknown_passkey` (404)."""
    name = passkeys.remove(g.actor.user_id, passkey_id)
    if name is None:
        raise _unknown()
    alerts.tell(g.actor.user_id, "passkey_removed", g.actor.session_id)
    audit.record(Action.ACCOUNT_CHANGED, "passkey", name, change="removed")
    db.session.commit()


# ── using one ──────────────────────────────────────────────────────────────


def sign_in_options() -> dict[str, Any]:
    """What a browser needs to sign somebody in, whoever it is: the device knows. Commits."""
    return _options(SIGN_IN, [])


def sign_in(credential: Any) -> None:
    """Sign in whom the passkey belongs to; commits. Raises Refusal `bad_passkey` (401)."""
    passkey = _fits(SIGN_IN, credential)
    if passkey is None or not arrival.arrive(passkey.user_id):
        db.session.rollback()
        raise Refusal("bad_passkey", WRONG, 401)
    db.session.commit()


def proof_options() -> dict[str, Any]:
    """What a browser needs to show that it is still its owner who asks. Commits."""
    return _options(PROOF, passkeys.credentials(g.actor.user_id))


def is_proof(written: str) -> bool:
    """Is this, as JSON, the answer of one of the actor's own passkeys? The caller commits."""
    passkey = _fits(PROOF, written)
    return passkey is not None and passkey.user_id == g.actor.user_id


def _options(purpose: str, known: list[bytes]) -> dict[str, Any]:
    options = webauthn.generate_authentication_options(
        rp_id=_rp_id(),
        challenge=_new_challenge(purpose),
        allow_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
        user_verification=VERIFIED,
    )
    return orjson.loads(options_to_json(options))


def _fits(purpose: str, credential: Any) -> Passkey | None:
    """The passkey that answered this browser's challenge rightly, used up; None for any other answer."""
    challenge = _take(purpose)
    try:
        answer = parse_authentication_credential_json(_object(credential))
        passkey = passkeys.find(answer.raw_id)
        if passkey is None or answer.response.user_handle not in (None, passkey.handle.bytes):
            return None
        verified = _verified(answer, challenge, passkey)
    except WebAuthnException:
        return None
    return passkey if passkeys.used(passkey.id, verified.new_sign_count) else None


def _verified(answer: Any, challenge: bytes, passkey: Passkey) -> VerifiedAuthentication:
    return webauthn.verify_authentication_response(
        credential=answer,
        expected_challenge=challenge,
        expected_rp_id=_rp_id(),
        expected_origin=_origin(),
        credential_public_key=passkey.public_key,
        credential_current_sign_count=passkey.sign_count,
        require_user_verification=True,
    )


# ── challenges ─────────────────────────────────────────────────────────────


def _new_challenge(purpose: str) -> bytes:
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    passkeys.ask(browser.browser_hash(), purpose, challenge)
    db.session.commit()
    return challenge


def _take(purpose: str) -> bytes:
    """This browser's challenge, used up for good. Where there is none: one that nobody was asked."""
    taken = passkeys.take(browser.browser_hash(), purpose)
    db.session.commit()
    return taken or secrets.token_bytes(CHALLENGE_BYTES)


def _rp_id() -> str:
    return urlsplit(settings().public_url).hostname or ""


def _origin() -> str:
    """PUBLIC_URL's: a passkey is bound to one name, whatever other names reach us."""
    return settings().public_url.rstrip("/")


def _object(credential: Any) -> dict[str, Any]:
    if isinstance(credential, str):
        try:
            credential = orjson.loads(credential)
        except orjson.JSONDecodeError:
            credential = None
    return credential if isinstance(credential, dict) else {}


def _name(typed: Any) -> str:
    name = typed.strip() if isinstance(typed, str) else ""
    if not 0 < len(name) <= MOST_NAME_CHARACTERS or not name.isprintable():
        raise Refusal("bad_name", f"A name has 1 to {MOST_NAME_CHARACTERS} characters.", 422)
    return name


def _unknown() -> Refusal:
    return Refusal("unknown_passkey", "There is no such passkey in your account.", 404)
