"""Counts by platform and version, roll-ups of violations, what people decide about them; counted anew from the rows."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
# The counters get another shape and are counted anew from the rows; there was no release yet that read the old ones.
contract = "tallies, tally_deltas"

# `items[2].price` and `items[5].price` break one rule. An index stands outside of quoted keys: an even number of
# quotes follows it.
PATHS = r"""
CREATE FUNCTION violation_path(path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT left(CASE
        WHEN path IS NULL THEN ''
        WHEN strpos(path, '[') = 0 THEN path
        WHEN strpos(path, '"') = 0 THEN regexp_replace(path, '\[[0-9]+\]', '[]', 'g')
        ELSE regexp_replace(path, '\[[0-9]+\](?=(?:[^"]*"[^"]*")*[^"]*$)', '[]', 'g')
    END, 500)
$$;
"""

TABLES = """
DROP TABLE tallies;
DROP TABLE tally_deltas;

CREATE TABLE tallies (
    app_id BIGINT NOT NULL,
    minutes SMALLINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    event_name TEXT NOT NULL,
    verdict TEXT NOT NULL,
    platform TEXT NOT NULL,
    app_version TEXT NOT NULL,
    organisation_id BIGINT NOT NULL,
    count BIGINT NOT NULL,
    CONSTRAINT pk_tallies PRIMARY KEY (app_id, minutes, at, event_name, verdict, platform, app_version)
);

CREATE TABLE tally_deltas (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    organisation_id BIGINT NOT NULL,
    app_id BIGINT NOT NULL,
    quarter TIMESTAMP WITH TIME ZONE NOT NULL,
    event_name TEXT NOT NULL,
    verdict TEXT NOT NULL,
    platform TEXT DEFAULT '' NOT NULL,
    app_version TEXT DEFAULT '' NOT NULL,
    count BIGINT NOT NULL,
    first_at TIMESTAMP WITH TIME ZONE,
    last_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_tally_deltas PRIMARY KEY (id)
);
CREATE INDEX ix_tally_deltas_app_id ON tally_deltas (app_id);

CREATE TABLE events_seen (
    app_id BIGINT NOT NULL,
    event_name TEXT NOT NULL,
    verdict TEXT NOT NULL,
    platform TEXT NOT NULL,
    app_version TEXT NOT NULL,
    organisation_id BIGINT NOT NULL,
    first_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_events_seen PRIMARY KEY (app_id, event_name, verdict, platform, app_version)
);

CREATE TABLE counted_words (
    app_id BIGINT NOT NULL,
    day TIMESTAMP WITH TIME ZONE NOT NULL,
    kind TEXT NOT NULL,
    word TEXT NOT NULL,
    organisation_id BIGINT NOT NULL,
    CONSTRAINT pk_counted_words PRIMARY KEY (app_id, day, kind, word)
);

CREATE TABLE violation_groups (
    app_id BIGINT NOT NULL,
    fingerprint UUID NOT NULL,
    organisation_id BIGINT NOT NULL,
    event_name TEXT NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    constraint_name TEXT NOT NULL,
    severity TEXT NOT NULL,
    samples UUID[] NOT NULL,
    CONSTRAINT pk_violation_groups PRIMARY KEY (app_id, fingerprint)
);

CREATE TABLE violation_tallies (
    app_id BIGINT NOT NULL,
    minutes SMALLINT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    fingerprint UUID NOT NULL,
    platform TEXT NOT NULL,
    app_version TEXT NOT NULL,
    organisation_id BIGINT NOT NULL,
    count BIGINT NOT NULL,
    CONSTRAINT pk_violation_tallies PRIMARY KEY (app_id, minutes, at, fingerprint, platform, app_version)
);

CREATE TABLE violation_deltas (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    organisation_id BIGINT NOT NULL,
    app_id BIGINT NOT NULL,
    quarter TIMESTAMP WITH TIME ZONE NOT NULL,
    event_name TEXT NOT NULL,
    path TEXT NOT NULL,
    kind TEXT NOT NULL,
    constraint_name TEXT NOT NULL,
    platform TEXT NOT NULL,
    app_version TEXT NOT NULL,
    severity TEXT NOT NULL,
    count BIGINT NOT NULL,
    sample UUID NOT NULL,
    first_at TIMESTAMP WITH TIME ZONE,
    last_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_violation_deltas PRIMARY KEY (id)
);
CREATE INDEX ix_violation_deltas_app_id ON violation_deltas (app_id);

CREATE TABLE violations_seen (
    app_id BIGINT NOT NULL,
    fingerprint UUID NOT NULL,
    platform TEXT NOT NULL,
    app_version TEXT NOT NULL,
    organisation_id BIGINT NOT NULL,
    first_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_violations_seen PRIMARY KEY (app_id, fingerprint, platform, app_version)
);

CREATE TABLE triage (
    app_id BIGINT NOT NULL,
    fingerprint UUID NOT NULL,
    organisation_id BIGINT NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    muted_until TIMESTAMP WITH TIME ZONE,
    until_version TEXT,
    resolved_at TIMESTAMP WITH TIME ZONE,
    note TEXT DEFAULT '' NOT NULL,
    assignee_id BIGINT,
    changed_by BIGINT,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_triage PRIMARY KEY (app_id, fingerprint),
    CONSTRAINT ck_triage_state CHECK (state IN ('open','known','muted','resolved')),
    CONSTRAINT fk_triage_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT fk_triage_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_triage_assignee_id FOREIGN KEY(assignee_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT fk_triage_changed_by FOREIGN KEY(changed_by) REFERENCES users (id) ON DELETE SET NULL
);

CREATE TABLE coverage_exclusions (
    app_id BIGINT NOT NULL,
    event_name TEXT NOT NULL,
    organisation_id BIGINT NOT NULL,
    reason TEXT NOT NULL,
    changed_by BIGINT,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_coverage_exclusions PRIMARY KEY (app_id, event_name),
    CONSTRAINT fk_coverage_exclusions_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT fk_coverage_exclusions_organisation_id FOREIGN KEY(organisation_id)
        REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_coverage_exclusions_changed_by FOREIGN KEY(changed_by) REFERENCES users (id) ON DELETE SET NULL
);
"""

RIGHTS = """
GRANT INSERT ON tally_deltas, violation_deltas TO live_validation_ingest;
GRANT SELECT, INSERT, UPDATE, DELETE ON
    tallies, tally_deltas, events_seen, counted_words, violation_groups, violation_tallies, violation_deltas,
    violations_seen, triage, coverage_exclusions
    TO live_validation_app;
GRANT SELECT ON
    tallies, tally_deltas, events_seen, violation_groups, violation_tallies, violation_deltas, violations_seen,
    coverage_exclusions
    TO live_validation_readonly;
"""

WALLS = """
SELECT wall_in(owned::regclass) FROM unnest(ARRAY[
    'tallies', 'tally_deltas', 'events_seen', 'counted_words', 'violation_groups', 'violation_tallies',
    'violation_deltas', 'violations_seen', 'triage', 'coverage_exclusions'
]) AS owned;
CREATE POLICY ingest ON tally_deltas FOR INSERT TO live_validation_ingest WITH CHECK (true);
CREATE POLICY ingest ON violation_deltas FOR INSERT TO live_validation_ingest WITH CHECK (true);
"""

# As app/store/deltas.py counts; the folding job does the rest.
RECOUNT = """
INSERT INTO tally_deltas
    (organisation_id, app_id, quarter, event_name, verdict, platform, app_version, count, first_at, last_at)
SELECT organisation_id, app_id, date_bin('15 minutes', received_at, 'epoch'), event_name, verdict, coalesce(left(platform, 64), ''),
    coalesce(left(app_version, 64), ''), count(*), min(received_at), max(received_at)
FROM log_entries GROUP BY 1, 2, 3, 4, 5, 6, 7;
INSERT INTO violation_deltas
    (organisation_id, app_id, quarter, event_name, path, kind, constraint_name, platform, app_version,
    severity, count, sample, first_at, last_at)
SELECT organisation_id, app_id, date_bin('15 minutes', received_at, 'epoch'), event_name, violation_path(v->>'path'), v->>'kind',
    coalesce(v->>'constraint', ''), coalesce(left(platform, 64), ''), coalesce(left(app_version, 64), ''), min(v->>'severity'),
    count(DISTINCT event_id), max(event_id::text)::uuid, min(received_at), max(received_at)
FROM log_entries CROSS JOIN LATERAL json_array_elements(violations) AS v
WHERE violations::text <> '[]' GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
"""


def upgrade() -> None:
    op.execute(PATHS)
    op.execute(TABLES)
    op.execute(RIGHTS)
    op.execute(WALLS)
    op.execute(RECOUNT)


def downgrade() -> None:
    raise NotImplementedError("The old counts are gone; restore the database from before, or go on.")
