"""Back-tests of drafts, and plans inferred from stored events: how far each is, and what was found."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

TABLE = """
CREATE TABLE studies (
    id UUID NOT NULL,
    organisation_id BIGINT NOT NULL,
    app_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    asked JSONB NOT NULL,
    content TEXT,
    user_id BIGINT,
    key_id BIGINT,
    outbox_id BIGINT,
    done INTEGER DEFAULT '0' NOT NULL,
    total INTEGER DEFAULT '0' NOT NULL,
    state JSONB,
    result JSONB,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    cancelled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_studies PRIMARY KEY (id),
    CONSTRAINT ck_studies_kind CHECK (kind IN ('backtest','infer')),
    CONSTRAINT fk_studies_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_studies_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT fk_studies_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT fk_studies_key_id FOREIGN KEY(key_id) REFERENCES api_keys (id) ON DELETE SET NULL
);

CREATE INDEX ix_studies_app_id_kind_created_at ON studies (app_id, kind, created_at);

GRANT SELECT, INSERT, UPDATE, DELETE ON studies TO live_validation_app;
SELECT wall_in('studies');
"""


def upgrade() -> None:
    op.execute(TABLE)


def downgrade() -> None:
    op.execute("DROP TABLE studies")
