"""What was refused: counts by day and reason, and a few samples of each."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE refusal_samples (
    app_id BIGINT NOT NULL,
    reason TEXT NOT NULL,
    slot SMALLINT NOT NULL,
    organisation_id BIGINT NOT NULL,
    message TEXT NOT NULL,
    status SMALLINT NOT NULL,
    refused_at TIMESTAMP WITH TIME ZONE NOT NULL,
    write_key_id BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    excerpt TEXT,
    bytes BIGINT,
    CONSTRAINT pk_refusal_samples PRIMARY KEY (app_id, reason, slot),
    CONSTRAINT fk_refusal_samples_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE
);

CREATE TABLE refusal_tallies (
    app_id BIGINT NOT NULL,
    day TIMESTAMP WITH TIME ZONE NOT NULL,
    reason TEXT NOT NULL,
    organisation_id BIGINT NOT NULL,
    count BIGINT NOT NULL,
    CONSTRAINT pk_refusal_tallies PRIMARY KEY (app_id, day, reason),
    CONSTRAINT fk_refusal_tallies_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE
);

GRANT SELECT, INSERT, UPDATE, DELETE ON refusal_samples, refusal_tallies TO live_validation_app;
SELECT wall_in(owned::regclass) FROM unnest(ARRAY['refusal_samples', 'refusal_tallies']) AS owned;
"""


def upgrade() -> None:
    op.execute(TABLES)


def downgrade() -> None:
    op.execute("DROP TABLE refusal_tallies, refusal_samples")
