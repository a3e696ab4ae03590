"""Large reports: what was asked for, the file in pieces, and how far it is."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE reports (
    id UUID NOT NULL,
    organisation_id BIGINT NOT NULL,
    app_id BIGINT NOT NULL,
    format TEXT NOT NULL,
    filters JSONB NOT NULL,
    snapshot TEXT NOT NULL,
    user_id BIGINT,
    key_id BIGINT,
    outbox_id BIGINT,
    reached_at TIMESTAMP WITH TIME ZONE,
    reached_id UUID,
    chunks INTEGER DEFAULT '0' NOT NULL,
    bytes_total BIGINT DEFAULT '0' NOT NULL,
    written BIGINT DEFAULT '0' NOT NULL,
    done BIGINT DEFAULT '0' NOT NULL,
    total BIGINT DEFAULT '0' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_reports PRIMARY KEY (id),
    CONSTRAINT fk_reports_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_reports_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT fk_reports_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT fk_reports_key_id FOREIGN KEY(key_id) REFERENCES api_keys (id) ON DELETE SET NULL
);
CREATE INDEX ix_reports_organisation_id ON reports (organisation_id);
CREATE INDEX ix_reports_app_id_created_at ON reports (app_id, created_at);

CREATE TABLE report_chunks (
    report_id UUID NOT NULL,
    number INTEGER NOT NULL,
    organisation_id BIGINT NOT NULL,
    content BYTEA NOT NULL,
    CONSTRAINT pk_report_chunks PRIMARY KEY (report_id, number),
    CONSTRAINT fk_report_chunks_report_id FOREIGN KEY(report_id) REFERENCES reports (id) ON DELETE CASCADE
);

GRANT SELECT, INSERT, UPDATE, DELETE ON reports TO live_validation_app;
GRANT SELECT, INSERT, DELETE ON report_chunks TO live_validation_app;
SELECT wall_in('reports');
SELECT wall_in('report_chunks');
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE report_chunks, reports")
