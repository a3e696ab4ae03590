"""Members: invite, accept, change roles, leave, hand over, switch. Each change writes its line and its mail with it.

There is no way in of its own here: who accepts has signed in before, with the second step that everybody shows.
"""

from flask import Flask, g

from app.auth import addresses, links, mail, notices
from app.auth import session as browser
from app.auth.notices import Notice
from app.auth.require import Permission
from app.errors import Refusal
from app.extensions import db
from app.jobs import outbox, registry
from app.jobs.queues import Queue
from app.jobs.registry import Job
from app.store import audit, invitations, members, organisations
from app.store.audit import Action
from app.store.invitations import Offer
from app.store.members import Member
from app.store.outbox import Claim
from app.store.tables import Role

MOST_NAME_CHARACTERS = 100


def mail_invitation(claim: Claim) -> None:
    """Make the link, keep its hash, mail it. Made here and nowhere else, so that none is in a queue or a log."""
    token = links.new()
    organisation_id = claim.organisation_id or 0
    invited = invitations.set_token(organisation_id, claim.arguments["invitation"], links.hashed(token))
    if invited is None:
        return  # accepted or revoked meanwhile
    name = organisations.place_of(organisation_id).name
    db.session.commit()  # first: a mailed link must be one that we know
    email, role = invited
    mail.send(
        claim,
        email,
        "You are invited to an organisation",
        "invitation",
        organisation=notices.said(name),
        role=role.value,
        link=links.invitation_url(token),
    )


MAIL_INVITATION = Job("mail_invitation", Queue.CRITICAL, mail_invitation, timeout_seconds=25, attempts=20)


def init_app(flask_app: Flask) -> None:
    registry.declare(flask_app, MAIL_INVITATION)


def rename(name: str) -> None:
    """Give the organisation another name; commits. Raises Refusal `bad_name` (422)."""
    name = name.strip()
    if not 0 < len(name) <= MOST_NAME_CHARACTERS or not name.isprintable():
        raise Refusal("bad_name", f"A name has 1 to {MOST_NAME_CHARACTERS} characters.", 422)
    organisations.rename(g.actor.organisation_id, name)
    audit.record(Action.RENAMED, "organisation", name)
    db.session.commit()


def invite(typed: str, role_name: str) -> int:
    """Invite an address and return the invitation's id; commits.

    Raises Refusal `bad_email`, `bad_role` (422), `already_member`, `already_invited` (409).
    """
    email = addresses.normalised(typed)
    if email is None:
        raise Refusal("bad_email", "This is not an e-mail address.", 422)
    role = _role(role_name)
    if role is Role.OWNER:
        raise Refusal("bad_role", "Invite as admin; an owner can hand over later.", 422)
    if members.has_address(g.actor.organisation_id, email):
        raise Refusal("already_member", f"{email} is a member already.", 409)
    invitation_id = invitations.add(g.actor.organisation_id, email, role, g.actor.user_id)
    if invitation_id is None:
        raise Refusal("already_invited", f"{email} is invited already. Send the invitation again.", 409)
    _mail(MAIL_INVITATION, {"invitation": invitation_id})
    audit.record(Action.INVITED, "invitation", email, role=role.value)
    db.session.commit()
    return invitation_id


def revoke_invitation(invitation_id: int) -> None:
    """Take an invitation back; commits. Raises Refusal `unknown_invitation` (404)."""
    email = invitations.revoke(g.actor.organisation_id, invitation_id)
    if email is None:
        raise _unknown_invitation()
    audit.record(Action.INVITE_REVOKED, "invitation", email)
    db.session.commit()


def send_again(invitation_id: int) -> None:
    """Mail a new link; the old one is dead from now on. Commits. Raises Refusal `unknown_invitation` (404)."""
    email = invitations.renew(g.actor.organisation_id, invitation_id)
    if email is None:
        raise _unknown_invitation()
    _mail(MAIL_INVITATION, {"invitation": invitation_id})
    audit.record(Action.INVITE_SENT_AGAIN, "invitation", email)
    db.session.commit()


def offered(token_hash: bytes) -> Offer:
    """What the link with this token's hash offers. Raises Refusal `unknown_invitation` (404)."""
    found = invitations.offer(token_hash)
    if found is None:
        message = "This invitation was used, taken back, or is too old. Ask for a new one."
        raise Refusal("unknown_invitation", message, 404)
    return found


def accept(token_hash: bytes) -> None:
    """Join, and work there from now on, under a new session; commits.

    Raises Refusal `unknown_invitation` (404), `other_address` (403).
    """
    offer = offered(token_hash)
    if offer.email != g.actor.email:
        raise Refusal("other_address", f"This invitation is for {offer.email}. Sign in as that.", 403)
    if not invitations.accept(token_hash, g.actor.email):
        db.session.rollback()
        offered(token_hash)  # says why
        raise _unknown_invitation()
    members.join(offer.organisation_id, g.actor.user_id, offer.role)
    notices.tell_members(
        Notice.JOINED,
        notices.ADMINS,
        offer.organisation_id,
        about=g.actor.user_id,
        role=offer.role.value,
    )
    there = {"organisation_id": offer.organisation_id, "user_id": g.actor.user_id}
    audit.record(Action.JOINED, "member", offer.email, **there, role=offer.role.value)
    browser.begin(g.actor.user_id, offer.organisation_id, is_proven=False)
    db.session.commit()


def change_role(user_id: int, role_name: str) -> None:
    """Give a member another role; commits. Only owners make or unmake owners.

    Raises Refusal `unknown_member` (404), `bad_role` (422), `forbidden` (403), `last_owner` (409).
    """
    member = _member(user_id)
    role = _role(role_name)
    if Role.OWNER in (role, member.role):
        _only_owners()
    if member.role is Role.OWNER and role is not Role.OWNER:
        _another_owner(user_id)
    members.set_role(g.actor.organisation_id, user_id, role)
    notice = Notice.OWNERSHIP if role is Role.OWNER else Notice.ROLE_CHANGED
    notices.tell(user_id, notice, role=role.value)
    audit.record(Action.ROLE_CHANGED, "member", member.email, before=member.role.value, after=role.value)
    db.session.commit()


def hand_over(user_id: int) -> None:
    """Make a member an owner and oneself an admin, in one; commits. Raises Refusal `unknown_member` (404)."""
    member = _member(user_id)
    members.set_role(g.actor.organisation_id, user_id, Role.OWNER)
    if user_id != g.actor.user_id:
        members.set_role(g.actor.organisation_id, g.actor.user_id, Role.ADMIN)
    notices.tell(user_id, Notice.OWNERSHIP)
    audit.record(Action.OWNERSHIP_MOVED, "member", member.email)
    db.session.commit()


def remove(user_id: int) -> None:
    """Remove a member; their sessions here end within a second. Commits.

    Raises Refusal `unknown_member` (404), `forbidden` (403), `last_owner` (409).
    """
    member = _member(user_id)
    if member.role is Role.OWNER:
        _only_owners()
        _another_owner(user_id)
    take_away(g.actor.organisation_id, member)
    notices.tell(user_id, Notice.REMOVED)
    notices.tell_members(Notice.GONE, notices.ADMINS, about=user_id)
    audit.record(Action.MEMBER_REMOVED, "member", member.email, role=member.role.value)
    db.session.commit()


def leave() -> None:
    """Leave the organisation and go on in another; commits. Raises Refusal `last_owner` (409)."""
    member = _member(g.actor.user_id)
    if member.role is Role.OWNER:
        _another_owner(member.user_id)
    take_away(g.actor.organisation_id, member)
    notices.tell_members(Notice.GONE, notices.ADMINS, about=member.user_id)
    audit.record(Action.LEFT, "member", member.email, role=member.role.value)
    home = organisations.home_of(member.user_id)
    assert home is not None, "just seen to"
    browser.begin(member.user_id, home, is_proven=False)
    db.session.commit()


def switch(organisation_id: int) -> None:
    """Work in another organisation of one's own, under a new session; commits.

    Raises Refusal `unknown_organisation` (404).
    """
    if not members.belongs(organisation_id, g.actor.user_id):
        raise Refusal("unknown_organisation", "You belong to no such organisation.", 404)
    there = {"organisation_id": organisation_id, "user_id": g.actor.user_id}
    audit.record(Action.SWITCHED, "organisation", organisation_id, **there)
    browser.begin(g.actor.user_id, organisation_id, is_proven=False)
    db.session.commit()


def take_away(organisation_id: int, member: Member) -> None:
    """End the membership; who has no other organisation gets one, because signing in leads into one."""
    members.remove(organisation_id, member.user_id)
    if organisations.home_of(member.user_id) is None:
        organisations.found(f"{member.email.partition('@')[0]}'s organisation", member.user_id)


def _member(user_id: int) -> Member:
    found = members.locked(g.actor.organisation_id, user_id)
    if found is None:
        raise Refusal("unknown_member", "There is no such member in this organisation.", 404)
    return found


def _role(name: str) -> Role:
    try:
        return Role(name)
    except ValueError:
        raise Refusal("bad_role", f"A role is one of {', '.join(Role)}.", 422) from None


def _only_owners() -> None:
    if Permission.OWN not in g.actor.permissions:
        raise Refusal("forbidden", "Only an owner may do this to an owner.", 403)


def _another_owner(user_id: int) -> None:
    if not members.owners_but(g.actor.organisation_id, user_id):
        message = "An organisation needs an owner. Make another member an owner first."
        raise Refusal("last_owner", message, 409)


def _unknown_invitation() -> Refusal:
    return Refusal("unknown_invitation", "There is no such open invitation in this organisation.", 404)


def _mail(job: Job, arguments: dict[str, object]) -> None:
    outbox.add(db.session, job, arguments, g.actor.organisation_id)
