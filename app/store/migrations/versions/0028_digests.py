"""Members may be mailed what is new or regressed in an app."""

from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE digests (
    user_id BIGINT NOT NULL,
    app_id BIGINT NOT NULL,
    organisation_id BIGINT NOT NULL,
    every TEXT NOT NULL,
    sent_to TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    told JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_digests PRIMARY KEY (user_id, app_id),
    CONSTRAINT ck_digests_every CHECK (every IN ('day','week')),
    CONSTRAINT fk_digests_app_id_apps FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT fk_digests_organisation_id_memberships FOREIGN KEY(organisation_id, user_id)
        REFERENCES memberships (organisation_id, user_id) ON DELETE CASCADE
);
CREATE INDEX ix_digests_app_id ON digests (app_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON digests TO live_validation_app;
SELECT wall_in('digests');
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE digests")
