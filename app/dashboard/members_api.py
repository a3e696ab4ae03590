"""Members over JSON: the same journeys as on the organisation's page. Changes are people's alone: no key invites."""

from typing import Any

from flask import Blueprint, Response, g

from app.auth import members as journeys
from app.auth.proof import recently_proven, recently_proven_if
from app.auth.require import Permission, require
from app.dashboard.json import json_body, json_response
from app.errors import Refusal
from app.store import invitations, members
from app.store.invitations import Invitation
from app.store.members import Member
from app.store.tables import Role

blueprint = Blueprint("members_api", __name__, url_prefix="/api/members")


@blueprint.get("")
@require(Permission.READ)
def list_members() -> Response:
    """Who belongs to the organisation and as what; for who manages members, also who is invited."""
    organisation_id = g.actor.organisation_id
    answer: dict[str, Any] = {"members": [_member(one) for one in members.of(organisation_id)]}
    if Permission.MANAGE_MEMBERS in g.actor.permissions:
        answer["invitations"] = [_invitation(one) for one in invitations.of(organisation_id)]
    return json_response(answer)


@blueprint.post("/invitations")
@require(Permission.MANAGE_MEMBERS)
def invite() -> Response:
    """Invite an address; the link goes there by mail, and nowhere else."""
    asked = json_body()
    email, role = _text(asked, "email"), _text(asked, "role")
    return json_response({"id": journeys.invite(email, role)}, 201)


@blueprint.post("/invitations/<int:invitation_id>/again")
@require(Permission.MANAGE_MEMBERS)
def send_again(invitation_id: int) -> Response:
    """Mail a new link; the old one is dead from now on."""
    journeys.send_again(invitation_id)
    return Response(status=204)


@blueprint.delete("/invitations/<int:invitation_id>")
@require(Permission.MANAGE_MEMBERS)
def revoke_invitation(invitation_id: int) -> Response:
    """Take an invitation back."""
    journeys.revoke_invitation(invitation_id)
    return Response(status=204)


@blueprint.patch("/<int:user_id>")
@require(Permission.MANAGE_MEMBERS)
@recently_proven_if(lambda: json_body().get("role") == Role.OWNER)
def change_role(user_id: int) -> Response:
    """Give a member another role; it counts everywhere within a second. Only owners make or unmake owners."""
    role = json_body().get("role")  # looked at last: who is no member has none to change
    journeys.change_role(user_id, role if isinstance(role, str) else "")
    return Response(status=204)


@blueprint.delete("/<int:user_id>")
@require(Permission.MANAGE_MEMBERS)
def remove(user_id: int) -> Response:
    """Remove a member; their sessions here end within a second."""
    journeys.remove(user_id)
    return Response(status=204)


@blueprint.post("/<int:user_id>/owner")
@require(Permission.OWN)
@recently_proven
def hand_over(user_id: int) -> Response:
    """Hand the organisation over: the member becomes an owner, and who asks an admin."""
    journeys.hand_over(user_id)
    return Response(status=204)


def _text(asked: dict[str, Any], name: str) -> str:
    given = asked.get(name)
    if not isinstance(given, str):
        raise Refusal(f"bad_{name}", f"`{name}` is text.", 422)
    return given


def _member(one: Member) -> dict[str, Any]:
    return {"id": one.user_id, "email": one.email, "role": one.role, "joined_at": one.joined_at}


def _invitation(one: Invitation) -> dict[str, Any]:
    return {"id": one.id, "email": one.email, "role": one.role, "expires_at": one.expires_at}
