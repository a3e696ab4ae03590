"""Taking a plan out by the API: the file under a safe name, its losses counted, nobody else's."""

import pytest
from flask.testing import FlaskClient

from app.plans import exporting
from tests.world import World

SHEET = b"eventName,eventPayload,dataType,required\nview,sku,text,true\n"
EXPORT = "/api/apps/shop/plan/export"


@pytest.mark.parametrize("format_", exporting.FORMATS)
def test_each_format_is_a_file_with_a_safe_name(client: FlaskClient, world: World, format_: str) -> None:
    world.alice.post(client, "/api/apps/shop/plan/import?format=csv&publish=true", SHEET)
    answer = world.alice.get(client, f"{EXPORT}?format={format_}")
    assert answer.status_code == 200
    extension = exporting.FORMATS[format_].extension
    assert answer.headers["Content-Disposition"] == f'attachment; filename="shop-plan-v1.{extension}"'
    assert answer.headers["X-Plan-Loss"] == "0"
    assert answer.headers["Content-Type"] == exporting.FORMATS[format_].media_type
    assert answer.data
    report = world.alice.get(client, f"{EXPORT}?format={format_}&report=true").get_json()
    assert report == {
        "format": format_,
        "plan_version": 1,
        "file_name": f"shop-plan-v1.{extension}",
        "loss": [],
    }


def test_a_version_can_be_chosen_and_what_is_not_there_is_said(client: FlaskClient, world: World) -> None:
    assert world.alice.get(client, f"{EXPORT}?format=csv").status_code == 404
    for name in (b"view", b"buy"):
        body = SHEET.replace(b"view", name)
        world.alice.post(client, "/api/apps/shop/plan/import?format=csv&publish=true", body)
    assert b"buy" in world.alice.get(client, f"{EXPORT}?format=csv").data
    assert b"view" in world.alice.get(client, f"{EXPORT}?format=csv&version=1").data
    for query, status, code in [
        ("format=csv&version=3", 404, "unknown_version"),
        ("format=csv&version=-1", 400, "bad_filter"),
        ("format=pdf", 400, "bad_filter"),
        ("", 400, "unknown_format"),
    ]:
        answer = world.alice.get(client, f"{EXPORT}?{query}")
        assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert world.charlie.get(client, f"{EXPORT}?format=csv").status_code == 404


def test_what_was_taken_out_is_in_the_audit_log(client: FlaskClient, world: World, owner) -> None:  # type: ignore[no-untyped-def]
    world.alice.post(client, "/api/apps/shop/plan/import?format=csv&publish=true", SHEET)
    world.alice.get(client, f"{EXPORT}?format=xlsx")
    with owner.cursor() as cursor:
        cursor.execute("SELECT action, object, details->>'format' FROM audit_log ORDER BY id DESC LIMIT 1")
        assert cursor.fetchone() == ("exported", "shop", "xlsx")
