"""Moving in from the reference dashboard: all three generations, nothing lost, nothing twice, nothing unsaid."""

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import psycopg2.extensions
import pytest
from flask import Flask

from app.auth import passwords
from app.extensions import db
from app.plans import current
from app.store import apps, events, organisations, retention, summary, users
from app.store.apps import AppRef
from app.store.events import Filters
from tests.auth.visitor import Mailbox, Visitor, new_address
from tests.conftest import ROOT, eventually
from tests.scripts.reference_files import GENERATIONS, PASSWORD, ReferenceFile, ago, purchase
from tests.world import make_tenant

Owner = psycopg2.extensions.connection
Move = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def move(flask_app: Flask, environment: Mapping[str, str], owner: Owner) -> Iterator[Move]:
    """Runs the script as an operator would; afterwards its books and the past days' partitions are gone."""

    def run(path: Path, *options: str) -> "subprocess.CompletedProcess[str]":
        db.session.rollback()
        return subprocess.run(
            [sys.executable, "scripts/migrate_sqlite.py", str(path), *options],
            cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    yield run
    db.session.rollback()  # what the test still reads, nobody could drop
    with owner.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS moving CASCADE")
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname ~ '^log_entries_[0-9]{8}$' AND relkind = 'r'"
            " AND right(relname, 8) < to_char(now() AT TIME ZONE 'UTC', 'YYYYMMDD')"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP TABLE {name}")


def app_of(address: str, slug: str) -> AppRef:
    person = users.by_email(address)
    assert person, address
    home = organisations.home_of(person.id)
    assert home
    app = apps.find(home, slug)
    assert app, slug
    return app


def events_of(app: AppRef) -> list[dict[str, Any]]:
    """The app's stored events as its API shows them, newest first."""
    shown: list[dict[str, Any]] = json.loads(orjson.dumps(events.page(app.id, Filters(), 50).events))
    return shown


def notes_of(path: Path) -> set[tuple[str, str, str]]:
    """Table, outcome and the reason's code."""
    lines = Path(f"{path}.notes.jsonl").read_text().splitlines()
    return {(n["table"], n["outcome"], n["reason"].split(":")[0]) for n in map(json.loads, lines)}


def count(owner: Owner, what: str) -> Any:
    with owner.cursor() as cursor:
        cursor.execute(f"SELECT {what}")
        return cursor.fetchone()[0]


def furnished(path: Path, generation: str) -> ReferenceFile:
    """Anna's shop: three rules, two right events, a wrong one, a system event and one that no rule knows."""
    file = ReferenceFile(path / f"{generation}.db", generation)
    anna = file.user("anna@example.com", None if generation == "first" else "Anna@Example.com")
    shop = file.app(anna, "shop")
    for field, kind in (("order_id", "text"), ("price", "float"), ("items", "integer")):
        file.rule(shop, "purchase", field, kind)
    file.entry(shop, purchase(1), ago(days=40))
    file.entry(shop, purchase(2), ago(days=3))
    file.entry(shop, purchase(10), ago(days=2), status="invalid")
    file.entry(shop, {"eventName": "App_Launched", "eventId": 21, "payload": {}}, ago(days=1))
    file.entry(shop, {"eventName": "Unheard Of", "payload": {"a": 1}}, ago(hours=1))
    return file


@pytest.mark.parametrize("generation", GENERATIONS)
def test_each_generation_moves_with_people_apps_plan_and_events(
    move: Move, tmp_path: Path, generation: str
) -> None:
    path = furnished(tmp_path, generation).done()
    done = move(path)
    assert done.returncode == 0, done.stderr
    assert f"generation {generation}" in done.stdout
    assert "Counts and checksums agree." in done.stdout
    shop = app_of("anna@example.com", "shop")
    assert shop.exempt_system_events
    assert shop.plan_version == 1
    found = events_of(shop)
    assert [(e["name"], e["verdict"], e["plan_version"]) for e in found] == [
        ("Unheard Of", "unplanned", 1),
        ("App_Launched", "exempt", 1),
        ("purchase", "invalid", 1),
        ("purchase", "valid", 1),
        ("purchase", "valid", 1),
    ]
    assert found[2]["payload"] == purchase(10)["payload"]
    assert found[2]["envelope"]["identity"] == "user-10"
    assert [v["path"] for v in found[2]["violations"]] == ["price"]
    assert all(events.find(shop.id, event["event_id"]) for event in found)  # by the time in their ids


@pytest.mark.parametrize("generation", ["main", "scale"])
def test_an_old_password_signs_in_and_is_kept_better_from_then_on(
    move: Move, tmp_path: Path, flask_app: Flask, mailbox: Mailbox, generation: str
) -> None:
    file = ReferenceFile(tmp_path / "reference.db", generation)
    address = new_address()
    file.user(address, address)
    assert move(file.done()).returncode == 0
    before = users.by_email(address)
    assert before
    assert before.password_hash.startswith("$2b$")
    db.session.rollback()
    visitor = Visitor(flask_app, mailbox, address)
    assert visitor.login("not " + PASSWORD).status_code == 401
    assert visitor.login(PASSWORD).status_code == 202
    assert visitor.verify(visitor.mailed_code()).status_code == 200
    after = users.by_email(address)
    assert after
    assert after.password_hash.startswith("$argon2id$")
    db.session.rollback()
    assert visitor.login(PASSWORD).status_code == 202


def test_a_password_in_clear_text_moves_nowhere(
    move: Move, tmp_path: Path, flask_app: Flask, owner: Owner
) -> None:
    """In the first generation the password was the user's name."""
    file = ReferenceFile(tmp_path / "reference.db", "first")
    file.user("anna@example.com")
    path = file.done()
    assert move(path).returncode == 0
    person = users.by_email("anna@example.com")
    assert person
    assert not passwords.fits("anna@example.com", person.password_hash)
    assert ("users", "changed", "password_must_be_set_anew") in notes_of(path)
    assert '"password"' not in Path(f"{path}.notes.jsonl").read_text()


def test_a_disabled_account_and_app_stay_so(move: Move, tmp_path: Path, owner: Owner) -> None:
    file = ReferenceFile(tmp_path / "reference.db", "main")
    file.app(file.user("berta", "berta@example.com", is_active=0), "old", is_active=0)
    assert move(file.done()).returncode == 0
    assert (
        count(
            owner,
            "count(*) FROM users WHERE disabled_at IS NOT NULL AND created_at < now() - interval '89 days'",
        )
        == 1
    )
    assert (
        count(
            owner,
            "count(*) FROM apps WHERE disabled_at IS NOT NULL AND created_at < now() - interval '79 days'",
        )
        == 1
    )


def test_one_person_with_two_spellings_gets_one_account_with_all_apps(move: Move, tmp_path: Path) -> None:
    file = ReferenceFile(tmp_path / "reference.db", "main")
    file.app(file.user("QA@example.com", "QA@example.com"), "one")
    file.app(file.user("qa@example.com", "qa@example.com"), "two")
    path = file.done()
    assert move(path).returncode == 0
    assert app_of("qa@example.com", "one").organisation_id == app_of("qa@example.com", "two").organisation_id
    assert ("users", "changed", "address_had_an_account") in notes_of(path)


def test_an_account_that_is_here_already_keeps_its_password(
    move: Move, tmp_path: Path, flask_app: Flask
) -> None:
    here = passwords.hashed("seven quiet otters paint")
    person = users.add("anna@example.com", here)
    assert person
    home = organisations.found("Anna's", person)
    db.session.commit()
    assert move(furnished(tmp_path, "main").done()).returncode == 0
    assert app_of("anna@example.com", "shop").organisation_id == home
    kept = users.by_email("anna@example.com")
    assert kept
    assert kept.password_hash == here


def test_apps_of_an_account_without_address_go_to_the_heir_or_stay(
    move: Move, tmp_path: Path, owner: Owner
) -> None:
    file = ReferenceFile(tmp_path / "reference.db", "first")
    app = file.app(file.user("guest"), "kiosk")
    file.rule(app, "tap", "x", "integer")
    file.entry(app, {"eventName": "tap", "payload": {"x": 1}}, ago(days=1))
    own = file.app(file.user("berta@example.com"), "own")
    file.entry(own, {"eventName": "tap", "payload": {"x": 1}}, ago(days=1))
    path = file.done()
    done = move(path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {
        ("users", "left", "no_address"),
        ("apps", "left", "owner_was_left"),
        ("validation_rules", "left", "app_was_left"),
        ("log_entries", "left", "app_was_left"),
    } <= notes_of(path)
    assert move(path, "--heir", "nobody@example.com").returncode == 1
    assert move(path, "--heir", "Berta@example.com").returncode == 0
    assert notes_of(path) == {
        ("users", "left", "no_address"),
        ("users", "changed", "password_must_be_set_anew"),
    }
    kiosk = app_of("berta@example.com", "kiosk")
    assert len(events_of(app_of("berta@example.com", "own"))) == 1  # which had moved before
    assert [e["verdict"] for e in events_of(kiosk)] == ["valid"]


def test_an_address_that_ours_cannot_have_is_changed_and_said(move: Move, tmp_path: Path) -> None:
    file = ReferenceFile(tmp_path / "reference.db", "scale")
    anna = file.user("anna", "anna@example.com")
    file.app(anna, "My Shop/Android", name="x" * 190 + "\n")
    file.app(anna, "my-shop-android", description="The one with the sheet")
    path = file.done()
    assert move(path).returncode == 0
    assert len(app_of("anna@example.com", "my-shop-android").name) == 100
    assert app_of("anna@example.com", "my-shop-android-2")
    assert ("apps", "changed", "address_is_now my-shop-android") in notes_of(path)
    assert ("apps", "changed", "description_and_labels_not_kept") in notes_of(path)
    assert "The one with the sheet" in Path(f"{path}.notes.jsonl").read_text()


def test_one_bad_rule_costs_no_other(move: Move, tmp_path: Path) -> None:
    file = ReferenceFile(tmp_path / "reference.db", "main")
    shop = file.app(file.user("anna", "anna@example.com"), "shop")
    good = {"if_field": "kind", "if_value": "gift", "then_field": "note", "then_type": "text"}
    file.rule(shop, "purchase", "payload.order_id", "text", expected_pattern="o-[0-9]+")
    file.rule(shop, "purchase", "kind", "text", condition=json.dumps(good))
    file.rule(shop, "purchase", "price", "float", condition="[1, 2]")
    file.rule(shop, "purchase", "code", "text", expected_pattern="([")
    file.rule(shop, "purchase", "colour", "rainbow")
    file.rule(shop, "purchase", "price", "integer")
    file.rule(shop, "purchase", " ", "integer")
    path = file.done()
    done = move(path)
    assert done.returncode == 0, done.stdout + done.stderr
    expected = {f["path"] for f in current.expected(app_of("anna@example.com", "shop"), "purchase")}
    assert expected == {"order_id", "kind", "price", "code"}
    rules = {(o, r) for table, o, r in notes_of(path) if table == "validation_rules"}
    assert rules == {
        ("changed", "bad_condition"),
        ("changed", "bad_pattern"),
        ("left", "unknown_type"),
        ("left", "duplicate_rule"),
        ("left", "incomplete"),
    }


@pytest.mark.parametrize(("flag", "verdict"), [(0, "invalid"), (1, "valid")])
def test_what_is_optional_is_only_optional_where_the_sheet_had_flags(
    move: Move, tmp_path: Path, flag: int, verdict: str
) -> None:
    file = ReferenceFile(tmp_path / "reference.db", "main")
    shop = file.app(file.user("anna", "anna@example.com"), "shop")
    file.rule(shop, "tap", "x", "integer", is_required=flag)
    file.rule(shop, "tap", "y", "integer")
    file.entry(shop, {"eventName": "tap", "payload": {"x": 1}}, ago(days=1))
    assert move(file.done()).returncode == 0
    (event,) = events_of(app_of("anna@example.com", "shop"))
    assert event["verdict"] == verdict


def test_bad_entries_are_left_with_their_reason_and_their_neighbours_move(move: Move, tmp_path: Path) -> None:
    file = furnished(tmp_path, "main")
    bad: dict[str, dict[str, Any]] = {
        "bad_json": {"payload": '{"eventName": "x", "payload": {"n": NaN}}'},
        "bad_time": {"created_at": "yesterday"},
        "time_out_of_reach": {"created_at": "2199-01-01 00:00:00.000000"},
        "not_an_object": {"payload": "[1, 2]"},
        "bad_payload": {"payload": '{"eventName": "x", "payload": [1]}'},
        "bad_string": {"payload": '{"eventName": "x", "payload": {"n": "a\\u0000b"}}'},
        "too_large": {"payload": json.dumps({"eventName": "x", "payload": {"n": "y" * 70_000}})},
        "no_event_name": {"payload": "{}", "event_name": " "},
    }
    for cells in bad.values():
        file.entry(1, purchase(3), ago(days=5), **cells)
    file.add("log_entries", app_id=1, event_name="x", payload=b'{"eventName": "\xff"}', validation_status="valid",
             created_at=ago(days=4))  # fmt: skip
    file.entry(77, purchase(3), ago(days=5))
    path = file.done()
    done = move(path)
    assert done.returncode == 0, done.stdout + done.stderr
    left = {reason for table, _, reason in notes_of(path) if table == "log_entries"}
    assert left == {*bad, "app_was_left"}
    assert len(events_of(app_of("anna@example.com", "shop"))) == 5
    assert stat.S_IMODE(Path(f"{path}.notes.jsonl").stat().st_mode) == 0o600


def test_an_entry_without_a_name_in_it_takes_the_columns(move: Move, tmp_path: Path) -> None:
    file = furnished(tmp_path, "main")
    file.entry(
        1, {"payload": {"order_id": "o", "price": 1.5, "items": 1}}, ago(minutes=5), event_name="purchase"
    )
    assert move(file.done()).returncode == 0
    newest = events_of(app_of("anna@example.com", "shop"))[0]
    assert (newest["name"], newest["verdict"]) == ("purchase", "valid")


def test_a_rehearsal_tells_the_same_and_writes_nothing(move: Move, tmp_path: Path, owner: Owner) -> None:
    file = furnished(tmp_path, "main")
    file.rule(1, "purchase", "colour", "rainbow")
    file.entry(1, purchase(3), "yesterday")
    path = file.done()
    rehearsed = move(path, "--dry-run")
    assert rehearsed.returncode == 0, rehearsed.stderr
    assert "Rehearsed: nothing was written." in rehearsed.stdout
    for table in (
        "users",
        "organisations",
        "apps",
        "plan_versions",
        "log_entries",
        "tally_deltas",
        "audit_log",
    ):
        assert count(owner, f"count(*) FROM {table}") == 0, table
    assert count(owner, "to_regclass('moving.apps')") is None
    told = notes_of(path)
    done = move(path)
    assert notes_of(path) == told
    without_end = [line for line in done.stdout.splitlines() if "agree" not in line]
    assert without_end == [line for line in rehearsed.stdout.splitlines() if "Rehearsed" not in line]


def test_a_killed_move_goes_on_and_moves_nothing_twice(
    move: Move, tmp_path: Path, environment: Mapping[str, str], owner: Owner
) -> None:
    file = furnished(tmp_path, "main")
    file.entries(1, 40_000, ("purchase", "tap"))
    path = file.done()
    killed = subprocess.Popen(
        [sys.executable, "scripts/migrate_sqlite.py", str(path)],
        cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    eventually(lambda: count(owner, "count(*) FROM log_entries") > 0)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert 0 < count(owner, "count(*) FROM log_entries") < 40_000
    done = move(path)
    assert done.returncode == 0, done.stdout
    assert "Counts and checksums agree." in done.stdout
    assert count(owner, "count(*) FROM log_entries") == 40_005
    assert move(path).returncode == 0
    assert count(owner, "count(*) FROM log_entries") == 40_005
    assert count(owner, "count(*) FROM apps") == 1


def test_entries_that_came_meanwhile_move_with_the_next_run(move: Move, tmp_path: Path, owner: Owner) -> None:
    file = furnished(tmp_path, "main")
    file._connection.commit()
    assert move(file.path).returncode == 0
    file.entry(1, purchase(7), ago(minutes=1))
    assert move(file.done()).returncode == 0
    assert count(owner, "count(*) FROM log_entries") == 6


def test_every_figure_is_a_count_of_the_rows(move: Move, tmp_path: Path, owner: Owner) -> None:
    file = furnished(tmp_path, "main")
    file.entries(1, 6_000, ("purchase", "tap"))
    assert move(file.done()).returncode == 0
    shop = app_of("anna@example.com", "shop")
    rows = {
        verdict: count(owner, f"count(*) FROM log_entries WHERE verdict = '{verdict}'")
        for verdict in ("valid", "invalid", "unplanned", "exempt")
    }
    assert sum(rows.values()) == 6_005
    assert summary.counts(shop)["verdicts"] == rows
    assert count(owner, "count(*) FROM tally_deltas") == 0
    assert count(owner, "sum(count)::int FROM violation_tallies WHERE minutes = 1440") == count(
        owner, "sum(json_array_length(violations)) FROM log_entries"
    )


def test_the_comparison_sees_a_lost_a_changed_and_a_miscounted_event(
    move: Move, tmp_path: Path, owner: Owner
) -> None:
    path = furnished(tmp_path, "main").done()
    assert move(path).returncode == 0
    with owner.cursor() as cursor:
        cursor.execute("UPDATE log_entries SET payload = '{}' WHERE message_id = 'moved.2'")
        altered = move(path)
        assert (altered.returncode, "not the same ones" in altered.stdout) == (1, True)
        cursor.execute("UPDATE tallies SET count = count + 1 WHERE minutes = 1440 AND verdict = 'exempt'")
        assert "counted" in move(path).stdout
        cursor.execute("DELETE FROM log_entries WHERE message_id = 'moved.3'")
    lost = move(path)
    assert "5 entries in the file, 4 events here" in lost.stdout


def test_the_next_ids_are_free(move: Move, tmp_path: Path, flask_app: Flask) -> None:
    assert move(furnished(tmp_path, "main").done()).returncode == 0
    tenant = make_tenant("Another", "shop")
    assert tenant.app.id != app_of("anna@example.com", "shop").id
    assert users.add("new@example.com", "x")


def test_nothing_that_moved_goes_in_the_first_night(
    move: Move, tmp_path: Path, owner: Owner, flask_app: Flask
) -> None:
    file = furnished(tmp_path, "main")
    file.entry(1, purchase(4), ago(days=400))
    assert move(file.done()).returncode == 0
    assert count(owner, "retention_days FROM apps") in (491, 492)
    retention.drop_days(90)
    db.session.commit()
    assert retention.expire(90) == 0
    assert count(owner, "count(*) FROM log_entries") == 6
    assert count(owner, "count(*) FROM log_entries_other") == 0


def test_what_is_no_reference_database_is_refused_in_a_sentence(move: Move, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("not a database at all, but long enough to be looked at as one")
    assert "is no SQLite database" in move(text).stderr
    file = ReferenceFile(tmp_path / "half.db", "main")
    file._connection.execute("DROP TABLE validation_rules")
    assert "has no validation_rules with" in move(file.done()).stderr
