"""Files that are not what they are called, or not what anybody meant: refused with a reason, and nothing changed."""

import io
import zipfile
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.world import World

IMPORT = "/api/apps/shop/plan/import"
HEADER = "eventName,eventPayload,dataType"
LINES = (HEADER, "buy,a,text", "buy,b,number")


def packed() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("plan.csv", "\n".join(LINES))
    return file.getvalue()


READ = {
    "mixed ends of lines": f"{HEADER}\rbuy,a,text\r\nbuy,b,number\n".encode(),
    "old ends of lines": "\r".join(LINES).encode(),
    "byte order mark": b"\xef\xbb\xbf" + "\n".join(LINES).encode(),
    "UTF-16": "\n".join(LINES).encode("utf-16"),
    "UTF-16 without a mark": "\n".join(LINES).encode("utf-16-be"),
    "semicolons": "\n".join(LINES).replace(",", ";").encode(),
    "tabs": "\n".join(LINES).replace(",", "\t").encode(),
    "pipes": "\n".join(LINES).replace(",", "|").encode(),
    "sep=;": ("sep=;\r\n" + "\n".join(LINES).replace(",", ";")).encode(),
    "blank lines": ("\n".join(LINES) + "\n\n , , \n\n\n").encode(),
    "names left out": f"{HEADER}\nbuy,a,text\n,b,number\n".encode(),
    "line breaks in cells": f'{HEADER},description\nbuy,a,text,"one\ntwo"\nbuy,b,number,\n'.encode(),
    "ragged": f"{HEADER}\nbuy,a,text,,,\nbuy,b,number\n".encode(),
    "twice the same column": f"{HEADER},dataType\nbuy,a,text,x\nbuy,b,number,y\n".encode(),
    "other columns": b"Team,eventName,eventPayload,dataType\nA,buy,a,text\nB,buy,b,number\n",
}
REFUSED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty_file"),
    "header alone": (HEADER.encode(), "no_events"),
    "no header": (b"buy,a,text\n", "missing_column"),
    "column missing": (b"eventName,dataType\nbuy,text\n", "missing_column"),
    "NUL": (f"{HEADER}\nbuy,a\x00,text\n".encode(), "not_a_sheet"),
    "open quotation mark": (f'{HEADER}\nbuy,"a,text\nbuy,b,number\n'.encode(), "bad_csv"),
    "many columns": (f"{HEADER}\nbuy{',' * 100_000}\n".encode(), "too_large"),
    "large cell": (f"{HEADER}\nbuy,a,text,{'x' * 500_000}\n".encode(), "too_large"),
    "zip": (packed(), "not_a_sheet"),
    "HTML": (b"<!doctype html><html><body>Sign in</body></html>", "missing_column"),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>', "missing_column"),
    "PNG": (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "not_a_sheet"),
    "GIF that is a sheet, too": (b"GIF89a," + "\n".join(LINES).encode(), "not_a_sheet"),
    "executable": (b"MZ\x90\x00" + b"\0" * 50, "not_a_sheet"),
    "PDF": (b"%PDF-1.7\n" + "\n".join(LINES).encode(), "not_a_sheet"),
}


def take(client: FlaskClient, world: World, body: bytes, **headers: str) -> Any:
    key = {"Authorization": f"Bearer {world.alice.api_key}"}
    return client.post(f"{IMPORT}?format=csv&publish=true", data=body, headers=key | headers)


@pytest.mark.parametrize("case", READ)
def test_what_spreadsheets_and_editors_write_is_one_and_the_same_plan(
    client: FlaskClient, world: World, case: str
) -> None:
    answer = take(client, world, READ[case])
    assert answer.status_code == 200, answer.text
    assert (answer.get_json()["events"], answer.get_json()["rules"]) == (1, 2)
    fields = world.alice.get(client, "/api/apps/shop/plan/expected?event=buy").get_json()["fields"]
    assert [(field["path"], field["type"]) for field in fields] == [("a", "text"), ("b", "number")]


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_sheet_is_refused_whatever_it_is_called(
    client: FlaskClient, world: World, owner: Any, case: str
) -> None:
    body, code = REFUSED[case]
    answer = take(client, world, body, **{"Content-Type": "text/csv"})
    assert answer.status_code == 422, answer.text
    assert code in {problem["code"] for problem in answer.get_json()["problems"]}
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM plan_versions")
        assert cursor.fetchone() == (0,)


def parts(count: int, name: str = 'name="file"; filename="../../etc/passwd"') -> bytes:
    part = f"--x\r\nContent-Disposition: form-data; {name}\r\n\r\n{HEADER}\r\n".encode()
    return part * count + b"--x--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        parts(1),
        parts(2),
        parts(1_001),
        parts(10_000)[:900_000],
        parts(1, "filename=x"),
        parts(1, f'name="a"; filename="{"n" * 300}"'),
        parts(1, 'name="a"; filename="CON"; filename*=UTF-8\'\'%E2%80%AEfdp.exe'),
        b"--x--\r\n",
        b"",
        b"--x\r\n--x\r\n--x",
        parts(1).replace(
            b"\r\n\r\n", b"\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n--y--"
        ),
    ],
    ids=["one", "same field", "1,001", "thousands", "nameless", "long name", "odd name", "empty", "0 bytes"]
    + ["torn", "nested"],
)
def test_a_form_is_no_plan_whatever_its_parts(client: FlaskClient, world: World, body: bytes) -> None:
    answer = take(client, world, body, **{"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 415, answer.text
    assert answer.get_json()["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "name", ["..", "%2e%2e", "con", "x" * 65, "-x", "a%0d%0ab", "%00", 'a"b', "shop/../shop"]
)
def test_no_path_reaches_a_file_by_an_odd_app_id(client: FlaskClient, world: World, name: str) -> None:
    answer = world.alice.get(client, f"/api/apps/{name}/plan/export?format=csv")
    assert answer.status_code == 404
    assert "Content-Disposition" not in answer.headers
