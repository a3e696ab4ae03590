"""Mailed links to a new password."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE reset_links (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    email TEXT NOT NULL,
    user_id BIGINT,
    token_hash BYTEA,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_reset_links PRIMARY KEY (id),
    CONSTRAINT uq_reset_links_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_reset_links_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ix_reset_links_email_created_at ON reset_links (email, created_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON reset_links TO live_validation_app;
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE reset_links")
