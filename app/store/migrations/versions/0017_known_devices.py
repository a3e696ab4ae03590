"""Browsers in which people signed in before."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE known_devices (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    user_id BIGINT NOT NULL,
    token_hash BYTEA NOT NULL,
    user_agent TEXT DEFAULT '' NOT NULL,
    address INET,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    remembered_until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_known_devices PRIMARY KEY (id),
    CONSTRAINT uq_known_devices_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_known_devices_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ix_known_devices_user_id ON known_devices (user_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON known_devices TO live_validation_app;
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE known_devices")
