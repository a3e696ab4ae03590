"""The clock of the screens: what browsers measured is shown; what no browser would measure is refused."""

from typing import Any

import pytest
from flask import Flask
from redis import Redis

from app import metrics
from app.live import clock
from tests.dashboard.test_pages import SHEET, Owner, alice  # noqa: F401  (a fixture)


def tell(person: Owner, measured: Any) -> int:
    headers = {"X-CSRF-Token": person.token()}
    return person.ask(
        "POST", "/apps/shop/clock", json={"milliseconds": measured}, headers=headers
    ).status_code


def test_what_browsers_measured_is_on_the_overview_and_in_the_histogram(alice: Owner) -> None:  # noqa: F811
    alice.make_app("shop")
    assert "Nobody looked on" in alice.page("/apps/shop/overview")
    before = metrics.SCREEN_SECONDS._sum.get()
    for start in range(0, 100, 50):
        assert tell(alice, list(range(start, start + 50))) == 204
    for path in ("/apps/shop/overview", "/overview"):
        page = alice.page(path)
        assert "50 ms" in page
        assert "95 % within 95 ms" in page
        assert ": 100 frames" in page
    assert metrics.SCREEN_SECONDS._sum.get() == pytest.approx(before + sum(range(100)) / 1000)


def test_only_so_many_are_kept_and_others_apps_are_apart(flask_app: Flask) -> None:
    for n in range(clock.KEPT + 10):
        clock.keep(1, [n])
    clock.keep(2, [7])
    shown = clock.to_screen([1])
    assert shown is not None
    assert (shown.measured, shown.median) == (clock.KEPT, 10 + clock.KEPT // 2)
    assert flask_app.extensions["state_redis"].llen("live:clock:1") == clock.KEPT
    assert clock.to_screen([3]) is None


@pytest.mark.parametrize(
    "measured", [[], "1", None, [-1], [60_001], [1.5], [True], ["1"], [None], [1] * 51, {"a": 1}]
)
def test_what_no_browser_measures_is_refused(alice: Owner, measured: Any) -> None:  # noqa: F811
    alice.make_app("shop")
    assert tell(alice, measured) == 422


def test_without_redis_there_is_no_figure_and_no_error(
    flask_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = Redis(unix_socket_path="/nowhere")
    monkeypatch.setitem(flask_app.extensions, "state_redis", away)
    clock.keep(1, [5])
    assert clock.to_screen([1]) is None


def test_the_overview_tells_how_soon_a_published_version_judged(alice: Owner, owner: Any) -> None:  # noqa: F811
    alice.make_app("shop")
    assert "Once one is published" in alice.page("/apps/shop/overview")
    published = alice.ask(
        "POST",
        "/api/apps/shop/plan/import?format=csv&publish=true",
        data=SHEET,
        headers={"X-CSRF-Token": alice.token()},
    )
    assert published.status_code == 200
    with owner.cursor() as cursor:
        cursor.execute("DELETE FROM plan_enforcements")
        cursor.execute(
            "INSERT INTO plan_enforcements (plan_id, version, process, organisation_id, milliseconds)"
            " SELECT plan_id, version, 'p' || n, organisation_id, 400 + n FROM plan_versions, generate_series(1, 3) n"
        )
    page = alice.page("/apps/shop/overview")
    assert "403 ms" in page
    assert "the last of 3 processes judged by version 1" in page
