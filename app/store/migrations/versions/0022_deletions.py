"""Events may be deleted by filter: what was asked for, until when it may be undone, and how far it has got."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE deletions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    organisation_id BIGINT NOT NULL,
    app_id BIGINT NOT NULL,
    filters JSONB NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    reached_at TIMESTAMP WITH TIME ZONE,
    reached_id UUID,
    deleted BIGINT DEFAULT '0' NOT NULL,
    undone_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_deletions PRIMARY KEY (id),
    CONSTRAINT fk_deletions_organisation_id_organisations FOREIGN KEY(organisation_id)
        REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_deletions_app_id_apps FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE
);

CREATE INDEX ix_deletions_app_id ON deletions (app_id);
"""


def upgrade() -> None:
    op.execute(TABLE)
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON deletions TO live_validation_app")
    op.execute("SELECT wall_in('deletions')")


def downgrade() -> None:
    op.execute("DROP TABLE deletions")
