"""What stands on the page to sign, counted."""

from datetime import UTC, datetime

from flask import g

from app.dashboard import insight, insight_pages, pages
from app.dashboard.reports.sign_off import OpenViolation, SignOff
from app.dashboard.reports.summary import groups_of
from app.dashboard.scope import RANGES, Asked
from app.store import keys, organisations, summary
from app.store.apps import AppRef

OPEN = ("open", "regressed")


def told(asked: Asked, app: AppRef) -> SignOff:
    """The page's figures, as the overview has them. Raises Refusal `too_large`."""
    names = summary.by(asked.scope, "event_name")
    counts = summary.added(row.counts for row in names)
    covered = insight.coverage(app, names)
    issues = insight.with_shares(asked, groups_of(asked), names)
    return SignOff(
        organisation=organisations.place_of(app.organisation_id).name,
        app=app.name,
        app_id=app.slug,
        plan_version=app.plan_version,
        scope=_in_words(asked),
        made_at=datetime.now(UTC),
        asked_by=_asker(app),
        received=sum(counts.values()),
        counts=counts,
        pass_rate=pages.pass_rate(counts),
        coverage=_percent(len(covered.seen), len(covered.missing)),
        seen=len(covered.seen),
        planned=len(covered.seen) + len(covered.missing),
        missing=covered.missing,
        excluded=len(covered.excluded),
        open_=[_open(issue) for issue in issues if issue.group.state in OPEN],
    )


def _open(issue: insight.Issue) -> OpenViolation:
    group = issue.group
    says = insight_pages.explain(issue)
    return OpenViolation(group.event_name, group.path, says, group.severity, group.count)


def _percent(seen: int, missing: int) -> str:
    """Rounded down, as the pass rate is: only all of it is 100 %."""
    return pages.pass_rate({"valid": seen, "invalid": missing})


def _in_words(asked: Asked) -> str:
    """`Last 7 days, since 18 November 2026, 09:15 UTC; platform ios`."""
    since = f"since {_moment(asked.start)}" if asked.start else ""
    until = f"until {_moment(asked.end)}" if asked.end else ""
    title = "" if asked.name == "custom" else RANGES[asked.name][0]
    facts = {"platform": asked.scope.platform, "app version": asked.scope.app_version}
    chosen = [f"{fact} {value or 'not said'}" for fact, value in facts.items() if value is not None]
    return ", ".join(part for part in (title, since, until, *chosen) if part)


def _moment(at: datetime) -> str:
    return f"{at:%d %B %Y, %H:%M} UTC"


def _asker(app: AppRef) -> str:
    if g.actor.email:
        return str(g.actor.email)
    name, _ = keys.label_of(app.organisation_id, "api_key", g.actor.key_id)
    return f"the API key {name}" if name else "an API key without a name"
