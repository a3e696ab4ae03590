"""Message ids may be forgotten once their window is over."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# Block ranges, not a tree: ids come in the order of time, and an insert must not pay for a job's question.
FORGET = """
CREATE INDEX ix_message_ids_received_at ON message_ids USING brin (received_at);
GRANT DELETE ON message_ids TO live_validation_app;
"""


def upgrade() -> None:
    op.execute(FORGET)


def downgrade() -> None:
    op.execute("DROP INDEX ix_message_ids_received_at; REVOKE DELETE ON message_ids FROM live_validation_app")
