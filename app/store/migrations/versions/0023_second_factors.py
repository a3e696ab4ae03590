"""Second factors without mail, and when a session last showed that it is still its owner's."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None
# The new column has a default, so rows that the release before adds have a value, and none is taken away.
contract = "auth_sessions"

UP = """
ALTER TABLE challenges DROP CONSTRAINT ck_challenges_purpose;
ALTER TABLE challenges ADD CONSTRAINT ck_challenges_purpose
    CHECK (purpose IN ('register','login','authenticator','proof'));

-- Sessions from before are taken as proven when they began, which is long enough ago.
ALTER TABLE auth_sessions ADD COLUMN proven_at TIMESTAMP WITH TIME ZONE;
UPDATE auth_sessions SET proven_at = created_at;
ALTER TABLE auth_sessions ALTER COLUMN proven_at SET NOT NULL, ALTER COLUMN proven_at SET DEFAULT now();

CREATE TABLE authenticators (
    user_id BIGINT NOT NULL,
    sealed_secret BYTEA NOT NULL,
    last_step BIGINT DEFAULT '0' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_authenticators PRIMARY KEY (user_id),
    CONSTRAINT fk_authenticators_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE TABLE recovery_codes (
    user_id BIGINT NOT NULL,
    code_hash BYTEA NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_recovery_codes PRIMARY KEY (user_id, code_hash),
    CONSTRAINT fk_recovery_codes_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

GRANT SELECT, INSERT, UPDATE, DELETE ON authenticators, recovery_codes TO live_validation_app;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    raise NotImplementedError("Second factors cannot be forgotten on the way back; restore a backup instead.")
