"""Large uploads: their bytes, how far they are worked through, and the lines that were refused."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE batches (
    id UUID NOT NULL,
    organisation_id BIGINT NOT NULL,
    app_id BIGINT NOT NULL,
    environment TEXT,
    format TEXT NOT NULL,
    bytes_total BIGINT DEFAULT '0' NOT NULL,
    outbox_id BIGINT,
    bytes_done BIGINT DEFAULT '0' NOT NULL,
    lines_done BIGINT DEFAULT '0' NOT NULL,
    counts JSONB DEFAULT '{}' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_batches PRIMARY KEY (id),
    CONSTRAINT ck_batches_format CHECK (format IN ('ndjson','json','csv')),
    CONSTRAINT fk_batches_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_batches_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE
);

CREATE INDEX ix_batches_app_id_created_at ON batches (app_id, created_at);

CREATE TABLE batch_chunks (
    batch_id UUID NOT NULL,
    number INTEGER NOT NULL,
    organisation_id BIGINT NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_batch_chunks PRIMARY KEY (batch_id, number),
    CONSTRAINT fk_batch_chunks_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id) ON DELETE CASCADE
);

CREATE TABLE batch_refusals (
    batch_id UUID NOT NULL,
    line BIGINT NOT NULL,
    organisation_id BIGINT NOT NULL,
    reason TEXT NOT NULL,
    CONSTRAINT pk_batch_refusals PRIMARY KEY (batch_id, line),
    CONSTRAINT fk_batch_refusals_batch_id FOREIGN KEY(batch_id) REFERENCES batches (id) ON DELETE CASCADE
);
"""

# The job adds events with the ingest role, and says how far it came in the same transaction.
RIGHTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON batches TO live_validation_app;
GRANT SELECT, INSERT, DELETE ON batch_chunks TO live_validation_app;
GRANT SELECT, DELETE ON batch_refusals TO live_validation_app;

GRANT SELECT, UPDATE (bytes_done, lines_done, counts, finished_at) ON batches TO live_validation_ingest;
GRANT INSERT ON batch_refusals TO live_validation_ingest;

SELECT wall_in(owned::regclass) FROM unnest(ARRAY['batches', 'batch_chunks', 'batch_refusals']) AS owned;
CREATE POLICY ingest_looks ON batches FOR SELECT TO live_validation_ingest USING (true);
CREATE POLICY ingest ON batches FOR UPDATE TO live_validation_ingest USING (true);
CREATE POLICY ingest ON batch_refusals FOR INSERT TO live_validation_ingest WITH CHECK (true);

-- A slice is copied into a table of its own session first.
DO $$ BEGIN
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO live_validation_ingest', current_database());
END $$;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(RIGHTS)


def downgrade() -> None:
    op.execute("DROP TABLE batch_refusals, batch_chunks, batches")
