"""People and their apps: each account becomes a person with an organisation of their own, which owns their apps."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text

from app.auth import addresses, passwords
from app.dashboard.api import MOST_NAME_CHARACTERS
from app.extensions import db, settings
from app.store import apps, audit, organisations, tenancy, users
from app.store.apps import AppRef
from app.store.audit import Action
from app.store.retention import MOST_DAYS
from scripts.moving.books import CHANGED, LEFT, Books, Note
from scripts.moving.reference import Record, Reference, moment, words

# Fits no password; a new one is set by mail.
UNUSABLE: Final = "!"
# What an app had that ours have no place for; it is kept in the notes.
WITHOUT_A_PLACE: Final = ("description", "platform", "sdk_type")
DATE_USER: Final = text(
    """
    UPDATE users SET created_at = coalesce(:created_at, created_at),
        disabled_at = CASE WHEN :is_disabled THEN now() END
    WHERE id = :id
    """
)
DATE_APP: Final = text(
    """
    UPDATE apps SET created_at = coalesce(:created_at, created_at), exempt_system_events = true,
        disabled_at = CASE WHEN :is_disabled THEN now() END, retention_days = :retention_days
    WHERE id = :id AND organisation_id = :organisation_id
    """
)


@dataclass(frozen=True, slots=True)
class MovedApp:
    """An app of the source and what it became. `last_entry`: up to which id its entries are settled."""

    source_id: int
    slug: str  # its address in the source
    ref: AppRef
    rules_moved: bool
    last_entry: int


def move_people(reference: Reference, books: Books) -> dict[int, int]:
    """Make the people that are not there yet; returns the organisation of each account that moved, by the account's id.

    The caller commits. An address that has an account here keeps its password; its organisation gets the apps.
    """
    homes: dict[int, int] = {}
    for row in reference.rows("users"):
        username = words(row["username"])
        home = books.home(username)
        if home is None and (home := _home(row, books)) is not None:
            books.add_person(username, home)
        if home is not None:
            homes[row["id"]] = home
    return homes


def heir_home(address: str) -> int | None:
    """The organisation of the person who takes over the apps of accounts without an address."""
    person = users.by_email(addresses.normalised(address) or "")
    return organisations.home_of(person.id) if person else None


def _home(row: Record, books: Books) -> int | None:
    """The organisation of an account, made where it is new; None where nobody could ever sign in to it."""

    def note(outcome: str, reason: str) -> None:
        books.note(Note(outcome, "users", "", row["id"], reason, row))

    address = addresses.normalised(words(row.get("email"))) or addresses.normalised(words(row["username"]))
    if address is None:
        note(LEFT, "no_address")
        return None
    person = users.by_email(address)
    if person is not None and (home := organisations.home_of(person.id)) is not None:
        note(CHANGED, "address_had_an_account")
        return home
    kept = words(row["password"]) if passwords.is_bcrypt(words(row["password"])) else UNUSABLE
    if kept == UNUSABLE:
        note(CHANGED, "password_must_be_set_anew")
    user_id = person.id if person else users.add(address, kept)
    assert user_id is not None, "nobody else makes people in this transaction"
    dated = {"created_at": moment(row.get("created_at")), "is_disabled": _is_off(row)}
    db.session.execute(DATE_USER, dated | {"id": user_id})
    return organisations.found(f"{address.partition('@')[0]}'s organisation", user_id)


def move_apps(reference: Reference, books: Books, homes: dict[int, int], heir: int | None) -> list[MovedApp]:
    """Make the apps that are not there yet; returns all that moved, in this run or before. The caller commits."""
    oldest = reference.oldest_entries()
    found = []
    for row in reference.rows("apps"):
        slug, created_at = words(row["app_id"]), words(row.get("created_at"))
        if moved := books.moved(slug, created_at):
            with tenancy.inside(moved.organisation_id):
                ref = _ref(moved.organisation_id, moved.app_id)
            if ref is None:  # deleted here since: gone is gone
                books.note(Note(LEFT, "apps", slug, row["id"], "deleted_here", row))
            else:
                found.append(MovedApp(row["id"], slug, ref, moved.rules_moved, moved.last_entry))
        elif (organisation_id := homes.get(row["user_id"], heir)) is None:
            books.note(Note(LEFT, "apps", slug, row["id"], "owner_was_left", row))
        else:
            with tenancy.inside(organisation_id):
                ref = _make(row, organisation_id, books, oldest.get(row["id"]))
            books.add(slug, created_at, ref.id, organisation_id)
            found.append(MovedApp(row["id"], slug, ref, rules_moved=False, last_entry=0))
    return found


def _make(row: Record, organisation_id: int, books: Books, oldest: datetime | None) -> AppRef:
    given = words(row["app_id"])
    slug = _free_slug(organisation_id, given)
    if slug != given:
        books.note(Note(CHANGED, "apps", given, row["id"], f"address_is_now {slug}", row))
    if any(row.get(column) for column in WITHOUT_A_PLACE):
        books.note(Note(CHANGED, "apps", given, row["id"], "description_and_labels_not_kept", row))
    made = apps.create(organisation_id, slug, _name(words(row["name"])) or slug)
    dated = {"created_at": moment(row.get("created_at")), "is_disabled": _is_off(row)}
    kept = {"id": made.id, "organisation_id": organisation_id, "retention_days": _retention(oldest)}
    db.session.execute(DATE_APP, dated | kept)
    audit.record(Action.APP_MADE, "app", slug, organisation_id=organisation_id, moved_from=given)
    ref = _ref(organisation_id, made.id)
    assert ref is not None, "it was just made"
    return ref


def _ref(organisation_id: int, app_id: int) -> AppRef | None:
    return next((ref for ref in apps.of_organisation(organisation_id) if ref.id == app_id), None)


def _free_slug(organisation_id: int, given: str) -> str:
    """The app's address by our rule: lower case, `-` for what else there is, a number where it is taken."""
    base = re.sub(r"[^a-z0-9_-]+", "-", given.lower())[:58].strip("-_") or "app"
    slug, number = base, 1
    while apps.find(organisation_id, slug) is not None:
        number += 1
        slug = f"{base}-{number}"
    return slug


def _name(given: str) -> str:
    return "".join(c if c.isprintable() else " " for c in given).strip()[:MOST_NAME_CHARACTERS].strip()


def _retention(oldest: datetime | None) -> int | None:
    """Days that keep even the oldest entry for a whole retention after the move; None without entries.

    By the setting alone, what is older than it would go in the first night.
    """
    if oldest is None:
        return None
    age = (datetime.now(UTC) - oldest).days + 1
    return max(1, min(MOST_DAYS, age + settings().retention_days))


def _is_off(row: Record) -> bool:
    return row.get("is_active") in (0, False)
