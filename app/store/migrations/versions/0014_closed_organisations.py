"""An organisation may be closed: its keys are refused, and when its time has come all of it is deleted."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE organisations ADD COLUMN deletes_at TIMESTAMP WITH TIME ZONE;
-- The job that looks for what is due, and finds nearly always nothing.
CREATE INDEX ix_organisations_deletes_at ON organisations (deletes_at) WHERE deletes_at IS NOT NULL;

-- Who sends is asked with the ingest role; it sees whether an organisation is closed and nothing else of it.
GRANT SELECT (id, deletes_at) ON organisations TO live_validation_ingest;
CREATE POLICY ingest ON organisations FOR SELECT TO live_validation_ingest USING (true);

GRANT DELETE ON invitations TO live_validation_app;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("REVOKE DELETE ON invitations FROM live_validation_app")
    op.execute("DROP POLICY ingest ON organisations")
    op.execute("REVOKE SELECT (id, deletes_at) ON organisations FROM live_validation_ingest")
    op.execute("ALTER TABLE organisations DROP COLUMN deletes_at")
