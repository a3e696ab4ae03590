"""An event may be deleted: by the app's role, of the organisation that was entered, never by the ingest role."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("GRANT DELETE ON log_entries TO live_validation_app")


def downgrade() -> None:
    op.execute("REVOKE DELETE ON log_entries FROM live_validation_app")
