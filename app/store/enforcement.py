"""Which version of a plan is in force, and since when each process judges by it."""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import text

from app.extensions import db
from app.store import tenancy


class Published(NamedTuple):
    """A plan with the version that is in force."""

    plan_id: int
    version: int
    organisation_id: int


IN_FORCE = text(
    """
    SELECT id, current_version, organisation_id FROM tracking_plans
    WHERE id = ANY(:ids) AND current_version IS NOT NULL
    """
)
USED_LATELY = text(
    """
    SELECT plans.id, plans.current_version, plans.organisation_id
    FROM write_keys JOIN apps ON apps.id = write_keys.app_id JOIN tracking_plans AS plans ON plans.id = apps.plan_id
    WHERE write_keys.last_used_at > now() - interval '1 day' AND plans.current_version IS NOT NULL
    GROUP BY plans.id ORDER BY max(write_keys.last_used_at) DESC LIMIT :most
    """
)
NOTE = text(
    """
    INSERT INTO plan_enforcements (organisation_id, plan_id, version, process, milliseconds)
    SELECT organisation_id, plan_id, version, :process,
        least(greatest(0, extract(epoch FROM clock_timestamp() - published_at) * 1000 - :ago), 2147483647)::int
    FROM plan_versions WHERE plan_id = :plan_id AND version = :version
        AND published_at > clock_timestamp() - make_interval(secs => :alive)
    ON CONFLICT DO NOTHING RETURNING milliseconds
    """
)


def in_force(plan_ids: Sequence[int]) -> list[Published]:
    """The versions in force of these plans, whosever they are."""
    with tenancy.across_organisations(), db.engine.connect() as connection:
        return [Published(*row) for row in connection.execute(IN_FORCE, {"ids": list(plan_ids)})]


def used_lately(most: int) -> list[Published]:
    """The versions in force of the plans whose apps sent events since yesterday, the last sender's first."""
    with tenancy.across_organisations(), db.engine.connect() as connection:
        return [Published(*row) for row in connection.execute(USED_LATELY, {"most": most})]


def note(
    plan_id: int, version: int, process: str, ago_milliseconds: float, alive_seconds: float
) -> int | None:
    """Keep that a process, alive for so long, took a version into use so long ago. How long after its publication that
    was, in milliseconds, by the database's clock alone; None where it was known already, or published before the
    process began: that one never judged by an older version.
    """
    noted = {"plan_id": plan_id, "version": version, "process": process, "ago": ago_milliseconds}
    noted["alive"] = alive_seconds
    with tenancy.across_organisations(), db.engine.begin() as connection:
        return connection.execute(NOTE, noted).scalar_one_or_none()
