"""Message ids may be forgotten once their window is over."""

from alembic import op

from app.store import online

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Block ranges, not a tree: ids come in the order of time, and an insert must not pay for a job's question.
    online.create_index("ix_message_ids_received_at", "message_ids", "USING brin (received_at)")
    op.execute("GRANT DELETE ON message_ids TO live_validation_app")


def downgrade() -> None:
    op.execute("DROP INDEX ix_message_ids_received_at; REVOKE DELETE ON message_ids FROM live_validation_app")
