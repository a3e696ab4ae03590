"""Since when each process judges by a version of a plan."""

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE plan_enforcements (
    plan_id BIGINT NOT NULL,
    version INTEGER NOT NULL,
    process TEXT NOT NULL,
    organisation_id BIGINT NOT NULL,
    milliseconds INTEGER NOT NULL,
    CONSTRAINT pk_plan_enforcements PRIMARY KEY (plan_id, version, process),
    CONSTRAINT fk_plan_enforcements_plan_id FOREIGN KEY(plan_id) REFERENCES tracking_plans (id) ON DELETE CASCADE,
    CONSTRAINT fk_plan_enforcements_organisation_id FOREIGN KEY(organisation_id)
        REFERENCES organisations (id) ON DELETE CASCADE
);
GRANT SELECT, INSERT, DELETE ON plan_enforcements TO live_validation_app;
GRANT SELECT ON plan_enforcements TO live_validation_readonly;
SELECT wall_in('plan_enforcements');
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE plan_enforcements")
