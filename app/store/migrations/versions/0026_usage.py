"""What was used: events, requests and bytes by app and day; an organisation's quota and what it was told of it."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE usage_days (
    app_id BIGINT NOT NULL,
    day DATE NOT NULL,
    organisation_id BIGINT NOT NULL,
    events BIGINT DEFAULT '0' NOT NULL,
    requests BIGINT DEFAULT '0' NOT NULL,
    bytes BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_usage_days PRIMARY KEY (app_id, day)
);

-- What is kept of the days before; of requests and bytes nothing is known.
INSERT INTO usage_days (app_id, day, organisation_id, events)
SELECT app_id, (at AT TIME ZONE 'UTC')::date, min(organisation_id), sum(count)
FROM tallies WHERE minutes = 1440 GROUP BY 1, 2 HAVING sum(count) > 0;

ALTER TABLE organisations ADD COLUMN quota_credits BIGINT;
ALTER TABLE organisations ADD COLUMN quota_refuses BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE organisations ADD COLUMN quota_told TEXT DEFAULT '' NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON usage_days TO live_validation_app;
GRANT SELECT (quota_credits, quota_refuses) ON organisations TO live_validation_ingest;
SELECT wall_in('usage_days');
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP TABLE usage_days")
    op.execute("REVOKE SELECT (quota_credits, quota_refuses) ON organisations FROM live_validation_ingest")
    op.execute(
        "ALTER TABLE organisations DROP COLUMN quota_credits, DROP COLUMN quota_refuses, DROP COLUMN quota_told"
    )
