"""Jobs know the request that caused them, and its trace."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE outbox ADD COLUMN request_id TEXT, ADD COLUMN traceparent TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE outbox DROP COLUMN request_id, DROP COLUMN traceparent")
