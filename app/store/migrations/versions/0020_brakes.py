"""How often somebody failed at passwords and codes lately."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE brakes (
    kind TEXT NOT NULL,
    whom BYTEA NOT NULL,
    began_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    failures INTEGER NOT NULL,
    in_a_row INTEGER NOT NULL,
    CONSTRAINT pk_brakes PRIMARY KEY (kind, whom)
);

CREATE INDEX ix_brakes_began_at ON brakes (began_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON brakes TO live_validation_app;
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE brakes")
