"""Passkeys: people's public keys, and the handle by which devices know a person."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE users ADD COLUMN handle UUID DEFAULT gen_random_uuid() NOT NULL;
ALTER TABLE users ADD CONSTRAINT uq_users_handle UNIQUE (handle);

CREATE TABLE passkeys (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    user_id BIGINT NOT NULL,
    credential_id BYTEA NOT NULL,
    public_key BYTEA NOT NULL,
    sign_count BIGINT NOT NULL,
    name TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_passkeys PRIMARY KEY (id),
    CONSTRAINT uq_passkeys_credential_id UNIQUE (credential_id),
    CONSTRAINT fk_passkeys_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ix_passkeys_user_id ON passkeys (user_id);

CREATE TABLE passkey_challenges (
    browser_hash BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    challenge BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_passkey_challenges PRIMARY KEY (browser_hash, purpose),
    CONSTRAINT ck_passkey_challenges_purpose CHECK (purpose IN ('register','sign_in','proof'))
);

GRANT SELECT, INSERT, UPDATE, DELETE ON passkeys, passkey_challenges TO live_validation_app;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    raise NotImplementedError("Passkeys cannot be forgotten on the way back; restore a backup instead.")
