"""Large plan files: their bytes, how far each is read, and what became of it."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE plan_imports (
    id UUID NOT NULL,
    organisation_id BIGINT NOT NULL,
    app_id BIGINT NOT NULL,
    format TEXT NOT NULL,
    asked JSONB NOT NULL,
    user_id BIGINT,
    key_id BIGINT,
    bytes_total BIGINT DEFAULT '0' NOT NULL,
    outbox_id BIGINT,
    stage TEXT DEFAULT 'reading' NOT NULL,
    done INTEGER DEFAULT '0' NOT NULL,
    total INTEGER DEFAULT '0' NOT NULL,
    result JSONB,
    problems TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_plan_imports PRIMARY KEY (id),
    CONSTRAINT fk_plan_imports_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_plan_imports_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT fk_plan_imports_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT fk_plan_imports_key_id FOREIGN KEY(key_id) REFERENCES api_keys (id) ON DELETE SET NULL
);

CREATE INDEX ix_plan_imports_app_id_created_at ON plan_imports (app_id, created_at);

CREATE TABLE plan_import_chunks (
    import_id UUID NOT NULL,
    number INTEGER NOT NULL,
    organisation_id BIGINT NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_plan_import_chunks PRIMARY KEY (import_id, number),
    CONSTRAINT fk_plan_import_chunks_import_id FOREIGN KEY(import_id) REFERENCES plan_imports (id) ON DELETE CASCADE
);
"""

RIGHTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON plan_imports TO live_validation_app;
GRANT SELECT, INSERT, DELETE ON plan_import_chunks TO live_validation_app;
SELECT wall_in(owned::regclass) FROM unnest(ARRAY['plan_imports', 'plan_import_chunks']) AS owned;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(RIGHTS)


def downgrade() -> None:
    op.execute("DROP TABLE plan_import_chunks, plan_imports")
