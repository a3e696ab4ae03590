"""Does it cost more with millions of stored events? Two stacks, one empty and one grown, asked in turn in one run."""

import contextlib
import statistics
import time
from collections.abc import Iterator
from typing import Any, Final

import psycopg2
import requests

from app.store import deltas
from app.store.keeping import COLUMNS
from loadtests import stacks, wrk
from loadtests.people import ANSWER_SECONDS, Member, Postman, event
from loadtests.stacks import Stack
from local.demo import Trouble

CHUNK: Final = 100_000
LEAST_ROWS: Final = CHUNK
ASKED_PER_TURN: Final = 9
# What people look at: pages and the JSON behind them.
QUESTIONS: Final = (
    "/dashboard",
    "/overview",
    "/apps/{app}",
    "/apps/{app}/overview",
    "/apps/{app}/events",
    "/apps/{app}/violations",
    "/api/apps/{app}/events?limit=50",
    "/api/apps/{app}/events?limit=50&event=event%207",
    "/api/apps/{app}/events?limit=50&verdict=invalid",
    "/api/apps/{app}/summary",
    "/api/apps/{app}/overview",
)
# The limits stay in the path; a bench asks from one address more often than a person does.
UNHURRIED: Final = dict.fromkeys(
    ("ADDRESS_LIMIT", "USER_LIMIT", "ORGANISATION_LIMIT", "AUTH_LIMIT"), "1000000/minute"
)
# Like one that the product stored, but for name, platform, version and time: spread over today.
FILL: Final = f"""
WITH shape AS (SELECT * FROM log_entries WHERE app_id = %(app)s ORDER BY received_at LIMIT 1),
grown AS MATERIALIZED (
    SELECT shape.*, gen_random_uuid() AS new_id, %(first)s + n AS number,
        now() - (now() - date_trunc('day', now(), 'UTC')) * random() AS at
    FROM shape, generate_series(1, %(rows)s) AS n
),
made AS (
    SELECT new_id AS event_id, app_id, organisation_id, 'grown-' || number AS message_id, at AS received_at,
        'event ' || number %% 20 AS event_name, CASE number %% 10 WHEN 0 THEN 'invalid' ELSE 'valid' END AS verdict,
        plan_version, CASE number %% 2 WHEN 0 THEN 'ios' ELSE 'android' END AS platform,
        '4.' || number %% 5 AS app_version, environment, session_id, device_id, identity, run_id, occurred_at, sent_at,
        digest, violations, violations_omitted, payload, envelope
    FROM grown
),
ids AS (
    INSERT INTO message_ids (app_id, message_id, organisation_id, event_id, digest, received_at)
    SELECT app_id, message_id, organisation_id, event_id, digest, received_at FROM made
),
counted AS ({deltas.tallied("made", at="received_at")})
INSERT INTO log_entries (received_at, {COLUMNS}) SELECT received_at, {COLUMNS} FROM made
"""  # noqa: S608  (made of constants)

Runs = dict[str, list[float]]


def measure(
    rows: int, fill_seconds: float, seconds: int, runs: int, limits: dict[str, str]
) -> tuple[Runs, int]:
    """Rates of the grown stack as a part of the empty one's, `runs` of each, by what was asked; and the events stored.

    rows: wanted; fewer where filling takes longer than fill_seconds. Raises Trouble.
    """
    with stacks.own(limits | UNHURRIED) as empty, stacks.own(limits | UNHURRIED) as grown:
        sides = [(stack, Member(stack.url, Postman(stack.mailbox_url))) for stack in (grown, empty)]
        for stack, member in sides:  # warm, and a row to copy from
            wrk.post(_doors(stack, member), event(), member.shop.sending, 1)
        stored = fill(grown, sides[0][1].shop.app_id, rows, fill_seconds)
        found: Runs = {"ingest": []}
        for _ in range(runs):
            ours, theirs = (wrk.post(_doors(*side), event(), side[1].shop.sending, seconds) for side in sides)
            found["ingest"].append(ours / theirs)
            for question in QUESTIONS:
                found.setdefault(question, []).append(quickness(question, sides))
    return found, stored


def fill(stack: Stack, app_slug: str, rows: int, most_seconds: float) -> int:
    """Store so many events without the front door: by the owner, in commits of CHUNK, each counted as ours are."""
    ends_at = time.monotonic() + most_seconds
    stored = 0
    with _owner(stack) as cursor:
        cursor.execute("SELECT id FROM apps WHERE slug = %s", [app_slug])
        (app_id,) = cursor.fetchone()
        while stored < rows and (stored < LEAST_ROWS or time.monotonic() < ends_at):
            step = min(CHUNK, rows - stored)
            cursor.execute(FILL, {"app": app_id, "first": stored, "rows": step})
            stored += step
        cursor.execute("VACUUM ANALYZE log_entries, message_ids")
        while True:  # the pages read folded counts, as they do all day
            cursor.execute("SELECT count(*) FROM tally_deltas")
            if cursor.fetchone()[0] == 0 or time.monotonic() > ends_at + most_seconds:
                return stored
            time.sleep(1)


@contextlib.contextmanager
def _owner(stack: Stack) -> Iterator[Any]:
    with contextlib.closing(psycopg2.connect(stack.environment()["MIGRATE_DATABASE_URL"])) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET row_security = off")
            yield cursor


def _doors(stack: Stack, member: Member) -> list[str]:
    return [f"{url}{member.shop.path}" for url in stack.gunicorn_urls()]


def quickness(question: str, sides: list[tuple[Stack, Member]], times: int = ASKED_PER_TURN) -> float:
    """The second side's median answer time as a part of the first one's; asked in turn. Raises Trouble."""
    taken_by: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for taken, (stack, member) in zip(taken_by, sides, strict=True):
            url = f"{stack.url}{question.format(app=member.shop.app_id)}"
            began = time.perf_counter()
            answer = member.browser.get(url, timeout=ANSWER_SECONDS)
            taken.append(time.perf_counter() - began)
            if answer.status_code != requests.codes.ok:
                raise Trouble(f"{url} answered {answer.status_code}")
    grown, empty = map(statistics.median, taken_by)
    return empty / grown
