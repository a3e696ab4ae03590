"""All tables. Every row that has an owner names its organisation; each index is justified beside it."""

import enum
import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET, JSON, JSONB, UUID
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from app.extensions import Base


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id: the order in which commits become visible."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "xid8"


class Role(enum.StrEnum):
    """What a member may do in an organisation, strongest first."""

    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"


def key() -> Mapped[int]:
    return mapped_column(BigInteger, Identity(always=True), primary_key=True)


def moment(*, default: bool = False, null: bool = False) -> Mapped[Any]:
    """A point in time, UTC. With `default`, the database's clock at insertion."""
    return mapped_column(
        DateTime(timezone=True), nullable=null, server_default=func.now() if default else None
    )


def belongs_to(target: str, *, null: bool = False, index: bool = False) -> Mapped[Any]:
    return mapped_column(BigInteger, ForeignKey(target, ondelete="CASCADE"), nullable=null, index=index)


class Organisation(Base):
    """A tenant: owns apps, plans, keys and events."""

    __tablename__ = "organisations"
    id: Mapped[int] = key()
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = moment(default=True)
    deletes_at: Mapped[datetime | None] = moment(null=True)  # set: it is closed, and deleted then
    quota_credits: Mapped[int | None] = mapped_column(
        BigInteger
    )  # a month; None: as the operator set, 0: none
    quota_refuses: Mapped[bool] = mapped_column(server_default=text("false"))
    quota_told: Mapped[str] = mapped_column(
        Text, server_default=""
    )  # the month and percent of the last warning
    __table_args__ = (
        # The job that looks for what is due, and finds nearly always nothing.
        Index("ix_organisations_deletes_at", "deletes_at", postgresql_where=text("deletes_at IS NOT NULL")),
    )


class User(Base):
    """A person who signs in. Made only when the mailed code came back, so every address here is proven."""

    __tablename__ = "users"
    id: Mapped[int] = key()
    email: Mapped[str] = mapped_column(Text, unique=True)  # lower-cased; asked at every sign-in
    password_hash: Mapped[str] = mapped_column(Text)
    # What passkeys know a person by: says nothing about anyone (WebAuthn 2, 14.6.1).
    handle: Mapped[uuid.UUID] = mapped_column(
        UUID(as_uuid=True), unique=True, server_default=text("gen_random_uuid()")
    )
    created_at: Mapped[datetime] = moment(default=True)
    disabled_at: Mapped[datetime | None] = moment(null=True)


class Membership(Base):
    """A user's place in an organisation."""

    __tablename__ = "memberships"
    organisation_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("organisations.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )  # indexed: "which organisations are mine?" at every sign-in
    role: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = moment(default=True)
    __table_args__ = (CheckConstraint("role IN ('owner','admin','editor','viewer')", name="role"),)


class AuthSession(Base):
    """One signed-in browser. This row, not Redis, decides whether the session is alive."""

    __tablename__ = "auth_sessions"
    id: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), primary_key=True)
    user_id: Mapped[int] = belongs_to("users.id", index=True)  # "end all my other sessions"
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    user_agent: Mapped[str] = mapped_column(Text, server_default="")
    address: Mapped[str | None] = mapped_column(INET)
    created_at: Mapped[datetime] = moment(default=True)
    last_seen_at: Mapped[datetime] = moment(default=True)
    proven_at: Mapped[datetime] = moment(default=True)  # when it was last shown that it is still its owner's
    revoked_at: Mapped[datetime | None] = moment(null=True)


class Challenge(Base):
    """A one-time code asked for: bound to an address, a purpose and one browser. Only the code's hash is kept."""

    __tablename__ = "challenges"
    id: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), primary_key=True)
    purpose: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = belongs_to("users.id", null=True)
    browser_hash: Mapped[bytes] = mapped_column(LargeBinary)
    code_hash: Mapped[bytes | None] = mapped_column(LargeBinary)  # set by the job that mails the code
    password_hash: Mapped[str | None] = mapped_column(Text)  # of a registration, until its code comes back
    attempts: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = moment(default=True)
    expires_at: Mapped[datetime] = moment()
    used_at: Mapped[datetime | None] = moment(null=True)
    __table_args__ = (
        CheckConstraint("purpose IN ('register','login','authenticator','proof')", name="purpose"),
        Index("ix_challenges_email_created_at", "email", "created_at"),  # "how many this hour?"
        # "which of this browser's does the new one replace?"
        Index("ix_challenges_browser_hash", "browser_hash", postgresql_where=text("used_at IS NULL")),
    )


class ResetLink(Base):
    """A link to a new password that somebody asked for. Whose it is, and its token's hash, are the mailing job's."""

    __tablename__ = "reset_links"
    id: Mapped[int] = key()
    email: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = belongs_to("users.id", null=True)
    token_hash: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)  # asked when it is opened
    created_at: Mapped[datetime] = moment(default=True)
    expires_at: Mapped[datetime] = moment()
    used_at: Mapped[datetime | None] = moment(null=True)
    # "how many this hour?", "which older ones die?"
    __table_args__ = (Index("ix_reset_links_email_created_at", "email", "created_at"),)


class KnownDevice(Base):
    """A browser in which a person signed in before; until `remembered_until` the password is enough there."""

    __tablename__ = "known_devices"
    id: Mapped[int] = key()
    user_id: Mapped[int] = belongs_to("users.id", index=True)  # "my devices"
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)  # asked at every sign-in
    user_agent: Mapped[str] = mapped_column(Text, server_default="")
    address: Mapped[str | None] = mapped_column(INET)
    created_at: Mapped[datetime] = moment(default=True)
    last_used_at: Mapped[datetime] = moment(default=True)
    remembered_until: Mapped[datetime | None] = moment(null=True)


class Brake(Base):
    """How often somebody (an account, a browser, a network; hashed) failed lately, and in a row."""

    __tablename__ = "brakes"
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    whom: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    began_at: Mapped[datetime] = moment(default=True)
    failures: Mapped[int] = mapped_column()
    in_a_row: Mapped[int] = mapped_column()
    __table_args__ = (Index("ix_brakes_began_at", "began_at"),)  # "which may be forgotten?"


class Authenticator(Base):
    """A person's authenticator app (RFC 6238). `last_step`: the newest time step used, so that none is twice."""

    __tablename__ = "authenticators"
    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary)  # by app/store/sealed.py
    last_step: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime] = moment(default=True)
    confirmed_at: Mapped[datetime | None] = moment(null=True)  # until then nobody is asked for it


class RecoveryCode(Base):
    """Stands in for a lost authenticator, once. Only a keyed hash is kept."""

    __tablename__ = "recovery_codes"
    user_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
    )
    code_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    used_at: Mapped[datetime | None] = moment(null=True)


class Passkey(Base):
    """A WebAuthn credential: its public key, and how often it signed, if it counts."""

    __tablename__ = "passkeys"
    id: Mapped[int] = key()
    user_id: Mapped[int] = belongs_to("users.id", index=True)  # "my passkeys"
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)  # asked at every sign-in with one
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = moment(default=True)
    last_used_at: Mapped[datetime | None] = moment(null=True)


class PasskeyChallenge(Base):
    """What a browser's passkey is to sign; gone with the first answer, right or wrong."""

    __tablename__ = "passkey_challenges"
    browser_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    purpose: Mapped[str] = mapped_column(Text, primary_key=True)
    challenge: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = moment(default=True)
    __table_args__ = (CheckConstraint("purpose IN ('register','sign_in','proof')", name="purpose"),)


class OutboxEntry(Base):
    """A job: written in the transaction that caused it. Redis only wakes the worker up; this row is the job."""

    __tablename__ = "outbox"
    id: Mapped[int] = key()
    organisation_id: Mapped[int | None] = belongs_to("organisations.id", null=True)
    queue: Mapped[str] = mapped_column(Text)
    job: Mapped[str] = mapped_column(Text)
    arguments: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")  # ids only, never a secret
    state: Mapped[str] = mapped_column(Text, server_default="waiting")
    attempts: Mapped[int] = mapped_column(server_default="0")
    not_before: Mapped[datetime] = moment(default=True)
    locked_until: Mapped[datetime | None] = moment(null=True)
    last_error: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)  # of the change that caused it
    traceparent: Mapped[str | None] = mapped_column(Text)  # likewise, where it was traced (W3C Trace Context)
    created_at: Mapped[datetime] = moment(default=True)
    started_at: Mapped[datetime | None] = moment(null=True)  # its last try
    done_at: Mapped[datetime | None] = moment(null=True)  # or dead
    __table_args__ = (
        CheckConstraint("state IN ('waiting','running','done','dead')", name="state"),
        # The sweeper's question, over the few rows that are not finished.
        Index("ix_outbox_unfinished", "not_before", postgresql_where=text("state IN ('waiting','running')")),
    )


class TrackingPlan(Base):
    """A tracking plan's name and its current published version; the versions hold the rules."""

    __tablename__ = "tracking_plans"
    id: Mapped[int] = key()
    organisation_id: Mapped[int] = belongs_to("organisations.id", index=True)  # "our plans"
    name: Mapped[str] = mapped_column(Text)
    current_version: Mapped[int | None] = mapped_column()
    # Counts whatever is done to the draft, its end included, so that nobody overwrites what they have not seen.
    draft_revision: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[datetime] = moment(default=True)


class PlanVersion(Base):
    """One version of a plan. Once published it never changes."""

    __tablename__ = "plan_versions"
    id: Mapped[int] = key()
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    plan_id: Mapped[int] = belongs_to("tracking_plans.id")
    version: Mapped[int] = mapped_column()
    status: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)  # canonical JSON, as app/plans/content.py describes it
    source_format: Mapped[str] = mapped_column(Text)
    events_count: Mapped[int] = mapped_column()
    rules_count: Mapped[int] = mapped_column()
    created_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    created_by_key: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("api_keys.id", ondelete="SET NULL")
    )
    created_at: Mapped[datetime] = moment(default=True)
    published_at: Mapped[datetime | None] = moment(null=True)
    note: Mapped[str] = mapped_column(Text, server_default="")  # its author's words
    changes: Mapped[dict[str, int] | None] = mapped_column(JSONB)  # weight → how many, against the one before
    __table_args__ = (
        UniqueConstraint("plan_id", "version"),
        CheckConstraint("status IN ('draft','published')", name="status"),
    )


class PlanDraft(Base):
    """The one draft of a plan: it judges nothing, and changes until it is published or discarded."""

    __tablename__ = "plan_drafts"
    plan_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("tracking_plans.id", ondelete="CASCADE"), primary_key=True
    )
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    base_version: Mapped[int | None] = mapped_column()  # the one in force when it was begun
    content: Mapped[str] = mapped_column(Text)
    source_format: Mapped[str] = mapped_column(Text)
    events_count: Mapped[int] = mapped_column()
    rules_count: Mapped[int] = mapped_column()
    changed_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    changed_by_key: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("api_keys.id", ondelete="SET NULL")
    )
    changed_at: Mapped[datetime] = moment(default=True)


class PlanDraftStep(Base):
    """One change of a draft: the operations that take it back, and which step it took back itself."""

    __tablename__ = "plan_draft_steps"
    plan_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("plan_drafts.plan_id", ondelete="CASCADE"), primary_key=True
    )
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # that it led to
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    undo: Mapped[str] = mapped_column(Text)
    undoes: Mapped[int | None] = mapped_column()


class PlanEnforcement(Base):
    """How long after its publication a process took a version into use."""

    __tablename__ = "plan_enforcements"
    plan_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("tracking_plans.id", ondelete="CASCADE"), primary_key=True
    )
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    process: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    milliseconds: Mapped[int] = mapped_column()


class App(Base):
    """One sending application. People and URLs know it by `slug`; every table knows it by `id`."""

    __tablename__ = "apps"
    id: Mapped[int] = key()
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    slug: Mapped[str] = mapped_column(Text)  # the app_id of URLs and JSON; never changes
    name: Mapped[str] = mapped_column(Text)
    plan_id: Mapped[int | None] = mapped_column(
        BigInteger, ForeignKey("tracking_plans.id", ondelete="SET NULL")
    )
    exempt_system_events: Mapped[bool] = mapped_column(server_default="false")
    cors_origins: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{*}")
    disabled_at: Mapped[datetime | None] = moment(null=True)
    retention_days: Mapped[int | None] = mapped_column()  # none: as the setting says
    created_at: Mapped[datetime] = moment(default=True)
    __table_args__ = (
        UniqueConstraint("organisation_id", "slug"),
        CheckConstraint("retention_days BETWEEN 1 AND 3650", name="retention_days"),
    )


class WriteKey(Base):
    """May send for one app, nothing else. Shown once, kept as a hash."""

    __tablename__ = "write_keys"
    id: Mapped[int] = key()
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    app_id: Mapped[int] = belongs_to("apps.id", index=True)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)  # asked for every sender
    prefix: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text, server_default="")
    environment: Mapped[str | None] = mapped_column(Text)  # stands on every event that it sends
    answers: Mapped[str] = mapped_column(Text, server_default="explain")
    created_at: Mapped[datetime] = moment(default=True)
    expires_at: Mapped[datetime | None] = moment(null=True)
    revoked_at: Mapped[datetime | None] = moment(null=True)
    last_used_at: Mapped[datetime | None] = moment(null=True)  # to the minute
    __table_args__ = (CheckConstraint("answers IN ('explain','strict','quiet')", name="answers"),)


class ApiKey(Base):
    """May read or manage one organisation, by scope. Shown once, kept as a hash."""

    __tablename__ = "api_keys"
    id: Mapped[int] = key()
    organisation_id: Mapped[int] = belongs_to("organisations.id", index=True)
    key_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)  # asked at every API call
    prefix: Mapped[str] = mapped_column(Text)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    name: Mapped[str] = mapped_column(Text, server_default="")
    created_at: Mapped[datetime] = moment(default=True)
    expires_at: Mapped[datetime | None] = moment(null=True)
    revoked_at: Mapped[datetime | None] = moment(null=True)
    last_used_at: Mapped[datetime | None] = moment(null=True)  # to the minute


class MessageId(Base):
    """The ids already kept, so that a retry is kept once. Not partitioned: uniqueness must span midnight."""

    __tablename__ = "message_ids"
    app_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    message_id: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    event_id: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True))
    digest: Mapped[bytes] = mapped_column(LargeBinary)  # of name and payload: tells a retry from a conflict
    received_at: Mapped[datetime] = moment(default=True)
    # The job that forgets ids asks for the oldest; block ranges cost an insert nothing.
    __table_args__ = (Index("ix_message_ids_received_at", "received_at", postgresql_using="brin"),)


class LogEntry(Base):
    """A received event with its verdict, one row for ever (until retention). Partitioned by day.

    No foreign keys: each would cost a lookup and a row lock per event, and the ids were just read from those tables.
    `payload` and `envelope` are `json`, not `jsonb`: the event as it came, key order and all, and cheaper to add.
    """

    __tablename__ = "log_entries"
    app_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    received_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), primary_key=True, server_default=func.now()
    )
    event_id: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    xid: Mapped[str] = mapped_column(Xid8, server_default=text("pg_current_xact_id()"))
    message_id: Mapped[str] = mapped_column(Text)
    event_name: Mapped[str] = mapped_column(Text)
    verdict: Mapped[str] = mapped_column(Text)
    plan_version: Mapped[int | None] = mapped_column()
    platform: Mapped[str | None] = mapped_column(Text)
    app_version: Mapped[str | None] = mapped_column(Text)
    environment: Mapped[str | None] = mapped_column(Text)
    session_id: Mapped[str | None] = mapped_column(Text)
    device_id: Mapped[str | None] = mapped_column(Text)
    identity: Mapped[str | None] = mapped_column(Text)
    run_id: Mapped[str | None] = mapped_column(Text)
    occurred_at: Mapped[datetime | None] = moment(null=True)
    sent_at: Mapped[datetime | None] = moment(null=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    violations: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    violations_omitted: Mapped[int] = mapped_column(server_default="0")
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    envelope: Mapped[dict[str, Any]] = mapped_column(JSON)
    __table_args__ = (
        CheckConstraint("verdict IN ('valid','invalid','unplanned','exempt')", name="verdict"),
        # The live stream and its catch-up: what was committed after this cursor?
        Index("ix_log_entries_app_id_xid_event_id", "app_id", "xid", "event_id"),
        {"postgresql_partition_by": "RANGE (received_at)"},
    )


class Tally(Base):
    """How many events of one name, platform and version got one verdict in one span of time.

    Each event is counted in its quarter of an hour, its hour and its day (UTC), so that any time between two quarters
    is a few rows; exact once the deltas are added. '' is "not said"; `*other*` holds what a day's caps left out.
    """

    __tablename__ = "tallies"
    app_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    minutes: Mapped[int] = mapped_column(SmallInteger, primary_key=True)  # of the span: 15, 60 or 1440
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)  # when it begins
    event_name: Mapped[str] = mapped_column(Text, primary_key=True)
    verdict: Mapped[str] = mapped_column(Text, primary_key=True)
    platform: Mapped[str] = mapped_column(Text, primary_key=True)
    app_version: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(BigInteger)


class TallyDelta(Base):
    """Counts of one commit, not yet folded into `tallies`. Only added to, so no commit waits for a row."""

    __tablename__ = "tally_deltas"
    id: Mapped[int] = key()
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    app_id: Mapped[int] = mapped_column(BigInteger)
    quarter: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_name: Mapped[str] = mapped_column(Text)
    verdict: Mapped[str] = mapped_column(Text)
    platform: Mapped[str] = mapped_column(Text, server_default="")
    app_version: Mapped[str] = mapped_column(Text, server_default="")
    count: Mapped[int] = mapped_column(BigInteger)  # below zero where events were deleted
    first_at: Mapped[datetime | None] = moment(null=True)
    last_at: Mapped[datetime | None] = moment(null=True)
    __table_args__ = (Index("ix_tally_deltas_app_id", "app_id"),)  # a page adds the few deltas of its app


class UsageDay(Base):
    """What an app used on one day (UTC). Never taken back: what is deleted later was used all the same."""

    __tablename__ = "usage_days"
    app_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    events: Mapped[int] = mapped_column(BigInteger, server_default="0")
    requests: Mapped[int] = mapped_column(BigInteger, server_default="0")
    bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")


class EventSeen(Base):
    """When an event of this name, verdict, platform and version was first and last seen, over all time."""

    __tablename__ = "events_seen"
    app_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    event_name: Mapped[str] = mapped_column(Text, primary_key=True)
    verdict: Mapped[str] = mapped_column(Text, primary_key=True)
    platform: Mapped[str] = mapped_column(Text, primary_key=True)
    app_version: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[datetime] = moment()
    last_at: Mapped[datetime] = moment()


class CountedWord(Base):
    """A name, platform, version or violation that is counted by itself on this day; the rest is `*other*`.

    Never taken back, so that what is uncounted later is found where it was counted.
    """

    __tablename__ = "counted_words"
    app_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    day: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    word: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)


class ViolationGroup(Base):
    """One way in which events of one name break their plan: event x path x kind x constraint."""

    __tablename__ = "violation_groups"
    app_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    fingerprint: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    event_name: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)  # with `[]` for every element of an array
    kind: Mapped[str] = mapped_column(Text)
    constraint_name: Mapped[str] = mapped_column(Text)  # '' where the kind has none
    severity: Mapped[str] = mapped_column(Text)  # of the latest
    samples: Mapped[list[uuid.UUID]] = mapped_column(ARRAY(UUID(as_uuid=True)))  # event ids, latest first


class ViolationTally(Base):
    """How many events broke it in one span of time, by platform and version; as `Tally`."""

    __tablename__ = "violation_tallies"
    app_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    minutes: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    fingerprint: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), primary_key=True)
    platform: Mapped[str] = mapped_column(Text, primary_key=True)
    app_version: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(BigInteger)


class ViolationDelta(Base):
    """Violations of one commit, not yet folded; as `TallyDelta`."""

    __tablename__ = "violation_deltas"
    id: Mapped[int] = key()
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    app_id: Mapped[int] = mapped_column(BigInteger)
    quarter: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    event_name: Mapped[str] = mapped_column(Text)
    path: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    constraint_name: Mapped[str] = mapped_column(Text)
    platform: Mapped[str] = mapped_column(Text)
    app_version: Mapped[str] = mapped_column(Text)
    severity: Mapped[str] = mapped_column(Text)
    count: Mapped[int] = mapped_column(BigInteger)  # events, not occurrences in them
    sample: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True))
    first_at: Mapped[datetime | None] = moment(null=True)
    last_at: Mapped[datetime | None] = moment(null=True)
    __table_args__ = (Index("ix_violation_deltas_app_id", "app_id"),)


class ViolationSeen(Base):
    """When a violation was first and last seen on this platform and version, over all time."""

    __tablename__ = "violations_seen"
    app_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    fingerprint: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), primary_key=True)
    platform: Mapped[str] = mapped_column(Text, primary_key=True)
    app_version: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    first_at: Mapped[datetime] = moment()
    last_at: Mapped[datetime] = moment()


class Triage(Base):
    """What people decided about one violation group. Not a column of the group: that row is the folding job's."""

    __tablename__ = "triage"
    app_id: Mapped[int] = belongs_to("apps.id")
    fingerprint: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True))
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    state: Mapped[str] = mapped_column(Text, server_default="open")
    muted_until: Mapped[datetime | None] = moment(null=True)
    until_version: Mapped[str | None] = mapped_column(Text)  # muted below, or resolved from this version on
    resolved_at: Mapped[datetime | None] = moment(null=True)
    note: Mapped[str] = mapped_column(Text, server_default="")
    assignee_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    changed_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    changed_at: Mapped[datetime] = moment(default=True)
    __table_args__ = (
        PrimaryKeyConstraint("app_id", "fingerprint"),
        CheckConstraint("state IN ('open','known','muted','resolved')", name="state"),
    )


class CoverageExclusion(Base):
    """A planned event that this app is not asked to send, and why."""

    __tablename__ = "coverage_exclusions"
    app_id: Mapped[int] = belongs_to("apps.id")
    event_name: Mapped[str] = mapped_column(Text)  # as the plan spells it
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    reason: Mapped[str] = mapped_column(Text)
    changed_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    changed_at: Mapped[datetime] = moment(default=True)
    __table_args__ = (PrimaryKeyConstraint("app_id", "event_name"),)


class AuditLine(Base):
    """Who did what to what. The app's role may add lines and read them; no foreign keys, because lines outlive both."""

    __tablename__ = "audit_log"
    id: Mapped[int] = key()
    organisation_id: Mapped[int | None] = mapped_column(BigInteger)
    actor: Mapped[str] = mapped_column(Text)
    user_id: Mapped[int | None] = mapped_column(BigInteger)
    key_id: Mapped[int | None] = mapped_column(BigInteger)
    who: Mapped[str] = mapped_column(Text)  # the address, or the key's prefix, as it was then
    action: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(Text)
    object: Mapped[str] = mapped_column(Text)
    details: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    address: Mapped[str | None] = mapped_column(INET)
    request_id: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = moment(default=True)
    __table_args__ = (
        CheckConstraint("actor IN ('user','key','system')", name="actor"),
        Index("ix_audit_log_organisation_id_id", "organisation_id", "id"),  # the page, newest first
    )


class Invitation(Base):
    """Somebody asked to join. Of the link only the hash is kept, set by the job that mails it."""

    __tablename__ = "invitations"
    id: Mapped[int] = key()
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    email: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes | None] = mapped_column(
        LargeBinary, unique=True
    )  # asked when the link is opened
    invited_by: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime] = moment(default=True)
    expires_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=text("now() + interval '7 days'")
    )
    accepted_at: Mapped[datetime | None] = moment(null=True)
    revoked_at: Mapped[datetime | None] = moment(null=True)
    __table_args__ = (
        CheckConstraint("role IN ('admin','editor','viewer')", name="role"),
        # One open invitation per address; also "who is invited?"
        Index(
            "ix_invitations_open",
            "organisation_id",
            "email",
            unique=True,
            postgresql_where=text("accepted_at IS NULL AND revoked_at IS NULL"),
        ),
    )


class Deletion(Base):
    """Events that somebody wants deleted: those of an app that pass filters. A job does it once the grace is over."""

    __tablename__ = "deletions"
    id: Mapped[int] = key()
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    app_id: Mapped[int] = belongs_to("apps.id", index=True)  # "what is being deleted here?"
    filters: Mapped[dict[str, str]] = mapped_column(JSONB)
    asked_at: Mapped[datetime] = moment(default=True)  # events that come later stay
    starts_at: Mapped[datetime] = moment()
    reached_at: Mapped[datetime | None] = moment(null=True)  # how far it has got: an event's place
    reached_id: Mapped[uuid.UUID | None] = mapped_column(UUID(as_uuid=True))
    deleted: Mapped[int] = mapped_column(BigInteger, server_default="0")
    undone_at: Mapped[datetime | None] = moment(null=True)
    finished_at: Mapped[datetime | None] = moment(null=True)


class Batch(Base):
    """One large upload: kept as it came, then worked through by a job, slice by slice."""

    __tablename__ = "batches"
    id: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), primary_key=True)
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    app_id: Mapped[int] = belongs_to("apps.id")
    environment: Mapped[str | None] = mapped_column(Text)  # of the key that sent it
    format: Mapped[str] = mapped_column(Text)
    bytes_total: Mapped[int] = mapped_column(BigInteger, server_default="0")  # unpacked
    outbox_id: Mapped[int | None] = mapped_column(BigInteger)  # its job; none while the upload is not whole
    bytes_done: Mapped[int] = mapped_column(BigInteger, server_default="0")  # where the next slice begins
    lines_done: Mapped[int] = mapped_column(BigInteger, server_default="0")
    # Events by status, by verdict and by reason of refusal.
    counts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    created_at: Mapped[datetime] = moment(default=True)
    finished_at: Mapped[datetime | None] = moment(null=True)
    __table_args__ = (
        CheckConstraint("format IN ('ndjson','json','csv')", name="format"),
        Index("ix_batches_app_id_created_at", "app_id", "created_at"),  # "our uploads, newest first"
    )


class BatchChunk(Base):
    """A piece of an upload's bytes; all but the last have one length, so that any place in it is found at once."""

    __tablename__ = "batch_chunks"
    batch_id: Mapped[uuid.UUID] = mapped_column(
        UUID(as_uuid=True), ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class BatchRefusal(Base):
    """A line of an upload that is no event, and why."""

    __tablename__ = "batch_refusals"
    batch_id: Mapped[uuid.UUID] = mapped_column(
        UUID(as_uuid=True), ForeignKey("batches.id", ondelete="CASCADE"), primary_key=True
    )
    line: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    reason: Mapped[str] = mapped_column(Text)


class RefusalSample(Base):
    """The beginning of a request or event that was refused; a few for each app and reason, the oldest replaced."""

    __tablename__ = "refusal_samples"
    app_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True
    )
    reason: Mapped[str] = mapped_column(Text, primary_key=True)
    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    message: Mapped[str] = mapped_column(Text)
    status: Mapped[int] = mapped_column(SmallInteger)
    refused_at: Mapped[datetime] = moment()
    write_key_id: Mapped[int] = mapped_column(BigInteger)
    request_id: Mapped[str] = mapped_column(Text)
    excerpt: Mapped[str | None] = mapped_column(Text)
    bytes: Mapped[int | None] = mapped_column(BigInteger)


class RefusalTally(Base):
    """How many requests and events of an app were refused on one day (UTC) for one reason."""

    __tablename__ = "refusal_tallies"
    app_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    reason: Mapped[str] = mapped_column(Text, primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int] = mapped_column(BigInteger)


class PlanImport(Base):
    """A large plan file: kept as it came, then read by a job; what became of it."""

    __tablename__ = "plan_imports"
    id: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), primary_key=True)
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    app_id: Mapped[int] = belongs_to("apps.id")
    format: Mapped[str] = mapped_column(Text)
    asked: Mapped[dict[str, Any]] = mapped_column(
        JSONB
    )  # mode, sheet, whether it is published or only looked at
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    key_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("api_keys.id", ondelete="SET NULL"))
    bytes_total: Mapped[int] = mapped_column(BigInteger, server_default="0")
    outbox_id: Mapped[int | None] = mapped_column(BigInteger)  # its job; none while the file is not whole
    stage: Mapped[str] = mapped_column(Text, server_default="reading")
    done: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int] = mapped_column(server_default="0")  # 0: not known
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    problems: Mapped[str | None] = mapped_column(Text)  # one JSON object a line
    created_at: Mapped[datetime] = moment(default=True)
    finished_at: Mapped[datetime | None] = moment(null=True)
    # "our files, newest first"
    __table_args__ = (Index("ix_plan_imports_app_id_created_at", "app_id", "created_at"),)


class PlanImportChunk(Base):
    """A piece of a plan file's bytes."""

    __tablename__ = "plan_import_chunks"
    import_id: Mapped[uuid.UUID] = mapped_column(
        UUID(as_uuid=True), ForeignKey("plan_imports.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Study(Base):
    """Stored events looked at for the sake of a plan: a draft judged back, or a plan inferred. Done by a job."""

    __tablename__ = "studies"
    id: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), primary_key=True)
    organisation_id: Mapped[int] = belongs_to("organisations.id")
    app_id: Mapped[int] = belongs_to("apps.id")
    kind: Mapped[str] = mapped_column(Text)
    asked: Mapped[dict[str, Any]] = mapped_column(JSONB)  # how many events, of which name, by which draft
    content: Mapped[str | None] = mapped_column(Text)  # the draft as it was, until the study is done
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    key_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("api_keys.id", ondelete="SET NULL"))
    outbox_id: Mapped[int | None] = mapped_column(BigInteger)
    done: Mapped[int] = mapped_column(server_default="0")
    total: Mapped[int] = mapped_column(server_default="0")
    state: Mapped[dict[str, Any] | None] = mapped_column(JSONB)  # where the next turn goes on
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    created_at: Mapped[datetime] = moment(default=True)
    finished_at: Mapped[datetime | None] = moment(null=True)
    cancelled_at: Mapped[datetime | None] = moment(null=True)
    __table_args__ = (
        CheckConstraint("kind IN ('backtest','infer')", name="kind"),
        Index(
            "ix_studies_app_id_kind_created_at", "app_id", "kind", "created_at"
        ),  # "the newest of this kind"
    )


class Report(Base):
    """Events as a file that a job writes: what was asked for, of which moment, and how far it is."""

    __tablename__ = "reports"
    id: Mapped[uuid.UUID] = mapped_column(UUID(as_uuid=True), primary_key=True)
    organisation_id: Mapped[int] = belongs_to("organisations.id", index=True)  # "how many are being written?"
    app_id: Mapped[int] = belongs_to("apps.id")
    format: Mapped[str] = mapped_column(Text)
    filters: Mapped[dict[str, str]] = mapped_column(JSONB)
    snapshot: Mapped[str] = mapped_column(Text)  # PostgreSQL's, of the moment when it was asked for
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    key_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("api_keys.id", ondelete="SET NULL"))
    outbox_id: Mapped[int | None] = mapped_column(BigInteger)
    reached_at: Mapped[datetime | None] = moment(null=True)  # the place of the last event looked at
    reached_id: Mapped[uuid.UUID | None] = mapped_column(UUID(as_uuid=True))
    chunks: Mapped[int] = mapped_column(server_default="0")
    bytes_total: Mapped[int] = mapped_column(BigInteger, server_default="0")
    written: Mapped[int] = mapped_column(BigInteger, server_default="0")
    done: Mapped[int] = mapped_column(BigInteger, server_default="0")
    total: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_at: Mapped[datetime] = moment(default=True)
    finished_at: Mapped[datetime | None] = moment(null=True)
    # "our reports, newest first"
    __table_args__ = (Index("ix_reports_app_id_created_at", "app_id", "created_at"),)


class ReportChunk(Base):
    """A piece of a report's bytes."""

    __tablename__ = "report_chunks"
    report_id: Mapped[uuid.UUID] = mapped_column(
        UUID(as_uuid=True), ForeignKey("reports.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Digest(Base):
    """A member who wants a mail each day or week of what is new or regressed in an app."""

    __tablename__ = "digests"
    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    app_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("apps.id", ondelete="CASCADE"), primary_key=True, index=True
    )  # indexed: an app that goes takes them along
    organisation_id: Mapped[int] = mapped_column(BigInteger)
    every: Mapped[str] = mapped_column(Text)
    sent_to: Mapped[datetime] = moment(default=True)  # everything up to then is told
    told: Mapped[dict[str, str]] = mapped_column(
        JSONB, server_default="{}"
    )  # regressed group → resolved when
    __table_args__ = (
        CheckConstraint("every IN ('day','week')", name="every"),
        # Whoever leaves the organisation gets no mail of it.
        ForeignKeyConstraint(
            ["organisation_id", "user_id"],
            ["memberships.organisation_id", "memberships.user_id"],
            ondelete="CASCADE",
        ),
    )
