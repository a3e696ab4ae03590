"""The audit log: the app's role may add to it and read it, and nothing else."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE audit_log (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    organisation_id BIGINT,
    actor TEXT NOT NULL,
    user_id BIGINT,
    key_id BIGINT,
    who TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    details JSONB DEFAULT '{}' NOT NULL,
    address INET,
    request_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_audit_log PRIMARY KEY (id),
    CONSTRAINT ck_audit_log_actor CHECK (actor IN ('user','key','system'))
);
CREATE INDEX ix_audit_log_organisation_id_id ON audit_log (organisation_id, id);

SELECT wall_in('audit_log');
-- What happened before an organisation was known, as a sign-in that failed, is added and seen by no organisation.
CREATE POLICY unowned ON audit_log FOR INSERT TO live_validation_app WITH CHECK (organisation_id IS NULL);
GRANT SELECT, INSERT ON audit_log TO live_validation_app;
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    raise NotImplementedError("An audit log is not dropped.")
