"""Members: invited by mail, joined once, and nobody sees or changes what is another organisation's."""

import csv
import io
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.config import Settings
from app.extensions import db
from app.store import audit
from app.store.audit import Action
from tests.auth.visitor import Mailbox, Visitor, do_jobs
from tests.conftest import eventually

Another = Callable[..., Visitor]


@pytest.fixture
def alice(visitor: Visitor) -> Visitor:
    """The owner of an organisation."""
    return visitor.join()


def invite(who: Visitor, email: str, role: str = "viewer") -> TestResponse:
    return who.submit("/organisation/invitations", email=email, role=role)


def link(who: Visitor, email: str) -> str:
    """The newest invitation mailed to this address."""
    do_jobs(who.flask_app)
    assert who.mailbox is not None
    return re.search(r"http\S+/invitation#\S+", who.mailbox(email)[0]["text"])[0]  # type: ignore[index]


def accept(who: Visitor, mailed: str) -> TestResponse:
    """Open a mailed link as a browser does, with what stands behind the #, and join."""
    opened = who.submit("/invitation", token=mailed.partition("#")[2])
    return who.submit("/invitation/accept") if opened.status_code == 303 else opened


def member(alice: Visitor, another: Another, role: str = "viewer") -> Visitor:
    """Somebody who was invited, joined, and works in Alice's organisation now."""
    bob = another().join()
    assert invite(alice, bob.email, role).status_code == 303
    assert accept(bob, link(alice, bob.email)).status_code == 303
    return bob


def ids(owner: Any, who: Visitor) -> tuple[int, int]:
    """The person's id, and the first organisation that they joined."""
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT user_id, min(organisation_id) FROM memberships JOIN users u ON u.id = user_id"
            " WHERE u.email = %s GROUP BY 1",
            (who.email,),
        )
        return cursor.fetchone()


def roles(owner: Any, organisation_id: int) -> dict[str, str]:
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT u.email, role FROM memberships JOIN users u ON u.id = user_id WHERE organisation_id = %s",
            (organisation_id,),
        )
        return dict(cursor.fetchall())


def test_an_invitation_is_mailed_opened_and_accepted_once(
    alice: Visitor, another: Another, owner: Any, settings: Settings, mailbox: Mailbox
) -> None:
    bob = another().join()
    before = bob.cookie
    assert invite(alice, bob.email, "editor").status_code == 303
    mailed = link(alice, bob.email)
    address, _, token = mailed.partition("#")
    assert len(token) >= 32, "182 bits"
    assert urlsplit(address).path == "/invitation", "the token is sent to nobody by opening the link"
    assert urlsplit(settings.public_url).netloc in mailbox(bob.email)[0]["text"]
    with owner.cursor() as cursor:
        cursor.execute("SELECT i::text FROM invitations i UNION ALL SELECT arguments::text FROM outbox")
        assert token not in str(cursor.fetchall()), "only the hash is kept"
    assert bob.submit("/invitation", token=token).status_code == 303
    assert "Join" in bob.ask("GET", "/invitation").text
    organisation_id = ids(owner, alice)[1]
    assert bob.email not in roles(owner, organisation_id), "opening changes nothing"
    assert accept(bob, mailed).status_code == 303
    assert roles(owner, organisation_id)[bob.email] == "editor"
    assert bob.cookie != before, "a new session"
    assert accept(bob, mailed).status_code == 404


def test_a_link_is_for_one_address(alice: Visitor, another: Another, owner: Any) -> None:
    bob, mallory = another().join(), another().join()
    invite(alice, bob.email)
    mailed = link(alice, bob.email)
    assert accept(mallory, mailed).status_code == 403
    assert accept(another(), mailed).status_code in (303, 401), "to the door"
    assert set(roles(owner, ids(owner, alice)[1])) == {alice.email}


def test_who_is_no_user_yet_comes_back_to_the_invitation(
    alice: Visitor, another: Another, owner: Any
) -> None:
    bob = another()
    invite(alice, bob.email)
    assert bob.submit("/invitation", token=link(alice, bob.email)).status_code == 303, "pasted whole"
    assert "Register as" in bob.ask("GET", "/invitation").text
    bob.register()
    verified = bob.submit("/auth/verify", email=bob.email, code=bob.mailed_code())
    assert (verified.status_code, verified.location) == (303, "/invitation")
    assert bob.submit("/invitation/accept").status_code == 303
    assert bob.email in roles(owner, ids(owner, alice)[1])
    assert bob.submit("/invitation/accept").status_code == 404, "used up, here and there"


@pytest.mark.parametrize("token", ["", "x" * 32, "'", "x" * 600, "http://localhost/invitation#"])
def test_what_is_no_invitation_is_said_beside_the_field(visitor: Visitor, token: str) -> None:
    answer = visitor.submit("/invitation", token=token)
    assert answer.status_code == 404
    assert 'aria-invalid="true"' in answer.text
    assert "Ask for a new one" in answer.text


def test_a_revoked_an_old_and_a_replaced_link_are_dead(alice: Visitor, another: Another, owner: Any) -> None:
    bob = another().join()
    invite(alice, bob.email)
    first = link(alice, bob.email)
    with owner.cursor() as cursor:
        cursor.execute("SELECT id FROM invitations")
        (invitation_id,) = cursor.fetchone()
    assert alice.submit(f"/organisation/invitations/{invitation_id}/again").status_code == 303
    second = link(alice, bob.email)
    assert second != first
    assert accept(bob, first).status_code == 404
    with owner.cursor() as cursor:
        cursor.execute("UPDATE invitations SET expires_at = now()")
        assert accept(bob, second).status_code == 404
        cursor.execute("UPDATE invitations SET expires_at = now() + interval '1 day'")
    assert alice.submit(f"/organisation/invitations/{invitation_id}/revoke").status_code == 303
    assert accept(bob, second).status_code == 404
    assert alice.submit(f"/organisation/invitations/{invitation_id}/again").status_code == 404


def test_an_invitation_accepted_many_times_at_once_is_accepted_once(
    alice: Visitor, another: Another, owner: Any
) -> None:
    bob = another().join()
    invite(alice, bob.email)
    assert bob.submit("/invitation", token=link(alice, bob.email)).status_code == 303
    token = bob.token()

    def join(_: int) -> int:
        return bob.ask("POST", "/invitation/accept", data={"csrf_token": token}).status_code

    with ThreadPoolExecutor(6) as threads:
        answers = list(threads.map(join, range(6)))
    assert answers.count(303) >= 1
    with owner.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM audit_log WHERE action = 'joined'")
        assert cursor.fetchone() == (1,)


def test_who_is_in_or_invited_is_not_invited_again_and_nobody_is_invited_as_owner(alice: Visitor) -> None:
    assert invite(alice, alice.email).status_code == 409
    assert invite(alice, "new@example.com").status_code == 303
    assert invite(alice, "New@example.com").status_code == 409
    assert invite(alice, "other@example.com", "owner").status_code == 422
    assert invite(alice, "no address").status_code == 422


def test_a_role_counts_within_a_second_and_its_bearer_is_told(
    alice: Visitor, another: Another, owner: Any, mailbox: Mailbox
) -> None:
    bob = member(alice, another)
    assert bob.ask("GET", "/organisation/audit").status_code == 403
    user_id = ids(owner, bob)[0]
    assert alice.submit(f"/organisation/members/{user_id}/role", role="admin").status_code == 303
    eventually(lambda: bob.ask("GET", "/organisation/audit").status_code == 200, 1.0)
    do_jobs(alice.flask_app)
    assert mailbox(bob.email)[0]["subject"] == "Your role was changed"


def test_a_removed_member_is_out_within_a_second(alice: Visitor, another: Another, owner: Any) -> None:
    bob = member(alice, another)
    assert alice.submit(f"/organisation/members/{ids(owner, bob)[0]}/remove").status_code == 303
    eventually(lambda: not bob.is_signed_in(), 1.0)
    bob.login()
    assert bob.verify(bob.mailed_code()).status_code == 200, "into their own organisation"


def test_the_last_owner_stays_until_somebody_else_is_one(
    alice: Visitor, another: Another, owner: Any
) -> None:
    user_id, organisation_id = ids(owner, alice)
    bob = member(alice, another)
    assert alice.submit("/organisation/leave").status_code == 409
    assert alice.submit(f"/organisation/members/{user_id}/role", role="admin").status_code == 409
    assert alice.submit(f"/organisation/members/{user_id}/remove").status_code == 409
    assert alice.submit(f"/organisation/members/{ids(owner, bob)[0]}/owner").status_code == 303
    assert roles(owner, organisation_id) == {alice.email: "admin", bob.email: "owner"}
    eventually(lambda: alice.submit("/organisation/leave").status_code == 303, 2.0)
    assert roles(owner, organisation_id) == {bob.email: "owner"}
    assert alice.is_signed_in(), "in an organisation of their own"


def test_two_owners_who_leave_at_once_do_not_both(alice: Visitor, another: Another, owner: Any) -> None:
    bob = member(alice, another)
    organisation_id = ids(owner, alice)[1]
    assert alice.submit(f"/organisation/members/{ids(owner, bob)[0]}/role", role="owner").status_code == 303
    tokens = [(who, who.token()) for who in (alice, bob)]
    with ThreadPoolExecutor(2) as threads:
        answers = list(
            threads.map(lambda t: t[0].ask("POST", "/organisation/leave", data={"csrf_token": t[1]}), tokens)
        )
    assert sorted(answer.status_code for answer in answers) == [303, 409]
    assert list(roles(owner, organisation_id).values()) == ["owner"]


def test_an_admin_has_no_power_over_owners(alice: Visitor, another: Another, owner: Any) -> None:
    bob = member(alice, another, "admin")
    user_id, bobs_id = ids(owner, alice)[0], ids(owner, bob)[0]
    assert bob.submit(f"/organisation/members/{user_id}/role", role="viewer").status_code == 403
    assert bob.submit(f"/organisation/members/{user_id}/remove").status_code == 403
    assert bob.submit(f"/organisation/members/{bobs_id}/role", role="owner").status_code == 403
    assert bob.submit(f"/organisation/members/{bobs_id}/owner").status_code == 403


def test_another_organisations_members_and_invitations_are_unknown(
    alice: Visitor, another: Another, owner: Any
) -> None:
    charlie = another().join()
    invite(alice, "new@example.com")
    with owner.cursor() as cursor:
        cursor.execute("SELECT id FROM invitations")
        (invitation_id,) = cursor.fetchone()
    foreign = ids(owner, alice)[0]
    for path in (
        f"/organisation/members/{foreign}/role",
        f"/organisation/members/{foreign}/remove",
        f"/organisation/members/{foreign}/owner",
        f"/organisation/invitations/{invitation_id}/revoke",
        f"/organisation/invitations/{invitation_id}/again",
    ):
        unknown = re.sub(r"\d+", "999999999", path)
        answers = [charlie.submit(p, role="viewer") for p in (path, unknown)]
        assert [answer.status_code for answer in answers] == [404, 404], path
    assert (
        charlie.submit("/organisation/switch", organisation_id=str(ids(owner, alice)[1])).status_code == 404
    )
    assert alice.email not in charlie.ask("GET", "/organisation").text


def test_switching_gives_a_new_session_in_the_other_organisation(
    alice: Visitor, another: Another, owner: Any
) -> None:
    bob = member(alice, another)
    home = ids(owner, bob)[1]
    assert alice.email in bob.ask("GET", "/organisation").text
    with owner.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM organisations WHERE id = ANY(SELECT organisation_id FROM memberships"
            " JOIN users u ON u.id = user_id WHERE email = %s AND role = 'owner')",
            (bob.email,),
        )
        (home,) = cursor.fetchone()
    before = bob.cookie
    assert bob.submit("/organisation/switch", organisation_id=str(home)).status_code == 303
    assert bob.cookie != before
    assert alice.email not in bob.ask("GET", "/organisation").text


def test_a_new_name_is_shown_as_text(alice: Visitor) -> None:
    assert alice.submit("/organisation/rename", name="<b>Ours</b>").status_code == 303
    assert "&lt;b&gt;Ours&lt;/b&gt;" in alice.ask("GET", "/organisation").text
    assert alice.submit("/organisation/rename", name=" ").status_code == 422


def exported(who: Visitor, query: str) -> str:
    """The whole file; read in the context of its request, as a server does."""
    token = {"csrf_token": who.token()}
    return who.ask("POST", f"/organisation/audit/export?{query}", data=token, buffered=True).text


def test_the_log_is_shown_filtered_and_exported_without_formulas(
    alice: Visitor, owner: Any, flask_app: Flask
) -> None:
    organisation_id = ids(owner, alice)[1]
    for n in range(55):
        audit.record(Action.DELETED, "app", f"=cmd{n}", organisation_id=organisation_id)
    db.session.commit()
    page = alice.ask("GET", "/organisation/audit?action=deleted").text
    assert page.count("=cmd") == 50
    older = re.search(r'href="([^"]*before=[^"]*)"', page)[1].replace("&amp;", "&")  # type: ignore[index]
    assert alice.ask("GET", older).text.count("=cmd") == 5
    assert alice.ask("GET", "/organisation/audit?action=nonsense").status_code == 400
    rows = list(csv.reader(io.StringIO(exported(alice, "format=csv&action=deleted"))))
    assert rows[1][5] == "'=cmd54"
    assert len(rows) == 56
    assert len(exported(alice, "format=ndjson").splitlines()) > 56
    assert "audit log" in alice.ask("GET", "/organisation/audit?action=exported").text
