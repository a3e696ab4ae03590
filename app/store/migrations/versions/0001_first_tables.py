"""The first tables, the roles' rights and the partition that catches what no day's partition takes."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE log_entries (
    app_id BIGINT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    event_id UUID NOT NULL,
    organisation_id BIGINT NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    message_id TEXT NOT NULL,
    event_name TEXT NOT NULL,
    verdict TEXT NOT NULL,
    plan_version INTEGER,
    platform TEXT,
    app_version TEXT,
    environment TEXT,
    session_id TEXT,
    device_id TEXT,
    identity TEXT,
    run_id TEXT,
    occurred_at TIMESTAMP WITH TIME ZONE,
    sent_at TIMESTAMP WITH TIME ZONE,
    digest BYTEA NOT NULL,
    violations JSON NOT NULL,
    violations_omitted INTEGER DEFAULT '0' NOT NULL,
    payload JSON NOT NULL,
    envelope JSON NOT NULL,
    CONSTRAINT pk_log_entries PRIMARY KEY (app_id, received_at, event_id),
    CONSTRAINT ck_log_entries_verdict CHECK (verdict IN ('valid','invalid','unplanned','exempt'))
) PARTITION BY RANGE (received_at);

CREATE INDEX ix_log_entries_app_id_xid_event_id ON log_entries (app_id, xid, event_id);

CREATE TABLE message_ids (
    app_id BIGINT NOT NULL,
    message_id TEXT NOT NULL,
    organisation_id BIGINT NOT NULL,
    event_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_message_ids PRIMARY KEY (app_id, message_id)
);

CREATE TABLE organisations (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    name TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_organisations PRIMARY KEY (id)
);

CREATE TABLE tallies (
    app_id BIGINT NOT NULL,
    quarter TIMESTAMP WITH TIME ZONE NOT NULL,
    event_name TEXT NOT NULL,
    verdict TEXT NOT NULL,
    organisation_id BIGINT NOT NULL,
    count BIGINT NOT NULL,
    CONSTRAINT pk_tallies PRIMARY KEY (app_id, quarter, event_name, verdict)
);

CREATE TABLE tally_deltas (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    organisation_id BIGINT NOT NULL,
    app_id BIGINT NOT NULL,
    quarter TIMESTAMP WITH TIME ZONE NOT NULL,
    event_name TEXT NOT NULL,
    verdict TEXT NOT NULL,
    count BIGINT NOT NULL,
    CONSTRAINT pk_tally_deltas PRIMARY KEY (id)
);

CREATE INDEX ix_tally_deltas_app_id ON tally_deltas (app_id);

CREATE TABLE users (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    email TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    disabled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_users PRIMARY KEY (id),
    CONSTRAINT uq_users_email UNIQUE (email)
);

CREATE TABLE api_keys (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    organisation_id BIGINT NOT NULL,
    key_hash BYTEA NOT NULL,
    prefix TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT fk_api_keys_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT uq_api_keys_key_hash UNIQUE (key_hash)
);

CREATE INDEX ix_api_keys_organisation_id ON api_keys (organisation_id);

CREATE TABLE auth_sessions (
    id UUID NOT NULL,
    user_id BIGINT NOT NULL,
    organisation_id BIGINT NOT NULL,
    user_agent TEXT DEFAULT '' NOT NULL,
    address INET,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_auth_sessions PRIMARY KEY (id),
    CONSTRAINT fk_auth_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_auth_sessions_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX ix_auth_sessions_user_id ON auth_sessions (user_id);

CREATE TABLE challenges (
    id UUID NOT NULL,
    purpose TEXT NOT NULL,
    email TEXT NOT NULL,
    user_id BIGINT,
    browser_hash BYTEA NOT NULL,
    code_hash BYTEA,
    password_hash TEXT,
    attempts INTEGER DEFAULT '0' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_challenges PRIMARY KEY (id),
    CONSTRAINT ck_challenges_purpose CHECK (purpose IN ('register','login')),
    CONSTRAINT fk_challenges_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ix_challenges_email_created_at ON challenges (email, created_at);

CREATE INDEX ix_challenges_browser_hash ON challenges (browser_hash) WHERE used_at IS NULL;

CREATE TABLE memberships (
    organisation_id BIGINT NOT NULL,
    user_id BIGINT NOT NULL,
    role TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_memberships PRIMARY KEY (organisation_id, user_id),
    CONSTRAINT ck_memberships_role CHECK (role IN ('owner','admin','editor','viewer')),
    CONSTRAINT fk_memberships_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_memberships_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ix_memberships_user_id ON memberships (user_id);

CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    organisation_id BIGINT,
    queue TEXT NOT NULL,
    job TEXT NOT NULL,
    arguments JSONB DEFAULT '{}' NOT NULL,
    state TEXT DEFAULT 'waiting' NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    locked_until TIMESTAMP WITH TIME ZONE,
    last_error TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    done_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_outbox PRIMARY KEY (id),
    CONSTRAINT ck_outbox_state CHECK (state IN ('waiting','running','done','dead')),
    CONSTRAINT fk_outbox_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX ix_outbox_unfinished ON outbox (not_before) WHERE state IN ('waiting','running');

CREATE TABLE tracking_plans (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    organisation_id BIGINT NOT NULL,
    name TEXT NOT NULL,
    current_version INTEGER,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_tracking_plans PRIMARY KEY (id),
    CONSTRAINT fk_tracking_plans_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

CREATE INDEX ix_tracking_plans_organisation_id ON tracking_plans (organisation_id);

CREATE TABLE apps (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    organisation_id BIGINT NOT NULL,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    plan_id BIGINT,
    exempt_system_events BOOLEAN DEFAULT 'false' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_apps PRIMARY KEY (id),
    CONSTRAINT uq_apps_organisation_id_slug UNIQUE (organisation_id, slug),
    CONSTRAINT fk_apps_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_apps_plan_id FOREIGN KEY(plan_id) REFERENCES tracking_plans (id) ON DELETE SET NULL
);

CREATE TABLE plan_versions (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    organisation_id BIGINT NOT NULL,
    plan_id BIGINT NOT NULL,
    version INTEGER NOT NULL,
    status TEXT NOT NULL,
    content TEXT NOT NULL,
    source_format TEXT NOT NULL,
    events_count INTEGER NOT NULL,
    rules_count INTEGER NOT NULL,
    created_by BIGINT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_plan_versions PRIMARY KEY (id),
    CONSTRAINT uq_plan_versions_plan_id_version UNIQUE (plan_id, version),
    CONSTRAINT ck_plan_versions_status CHECK (status IN ('draft','published')),
    CONSTRAINT fk_plan_versions_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_plan_versions_plan_id FOREIGN KEY(plan_id) REFERENCES tracking_plans (id) ON DELETE CASCADE,
    CONSTRAINT fk_plan_versions_created_by FOREIGN KEY(created_by) REFERENCES users (id) ON DELETE SET NULL
);

CREATE TABLE write_keys (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    organisation_id BIGINT NOT NULL,
    app_id BIGINT NOT NULL,
    key_hash BYTEA NOT NULL,
    prefix TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_write_keys PRIMARY KEY (id),
    CONSTRAINT fk_write_keys_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_write_keys_app_id FOREIGN KEY(app_id) REFERENCES apps (id) ON DELETE CASCADE,
    CONSTRAINT uq_write_keys_key_hash UNIQUE (key_hash)
);

CREATE INDEX ix_write_keys_app_id ON write_keys (app_id);

-- A day whose partition was not made in time loses nothing: its events wait here.
CREATE TABLE log_entries_other PARTITION OF log_entries DEFAULT;
"""

# Run by the app's role with the owner's right to make tables, and able to do nothing else with it.
PARTITIONS = """
CREATE FUNCTION make_log_entries_partitions(days_ahead int) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first_day date := (now() AT TIME ZONE 'UTC')::date;
    day date;
    name text;
BEGIN
    -- Any constant will do: it keeps two callers from making the same partition.
    PERFORM pg_advisory_xact_lock(7106403);
    FOR day IN SELECT first_day + n FROM generate_series(0, days_ahead) AS n LOOP
        name := 'log_entries_' || to_char(day, 'YYYYMMDD');
        IF to_regclass(name) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE %I PARTITION OF log_entries FOR VALUES FROM (%L) TO (%L)',
                name, day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC'
            );
            RETURN NEXT name;
        END IF;
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION make_log_entries_partitions FROM PUBLIC;
GRANT EXECUTE ON FUNCTION make_log_entries_partitions TO live_validation_app;
"""

# What each role needs and no more. Events are only ever added; nobody but the owner may change one.
RIGHTS = """
GRANT USAGE ON SCHEMA public TO live_validation_app, live_validation_ingest, live_validation_readonly;

GRANT SELECT ON apps, tracking_plans, write_keys TO live_validation_ingest;
GRANT SELECT, INSERT ON message_ids TO live_validation_ingest;
GRANT INSERT ON log_entries, tally_deltas TO live_validation_ingest;

GRANT SELECT, INSERT, UPDATE, DELETE ON
    organisations, users, memberships, auth_sessions, challenges, outbox,
    tracking_plans, plan_versions, apps, write_keys, api_keys, tallies, tally_deltas
    TO live_validation_app;
GRANT SELECT ON log_entries, message_ids, alembic_version TO live_validation_app;

GRANT SELECT ON
    organisations, apps, tracking_plans, plan_versions, log_entries, tallies, tally_deltas
    TO live_validation_readonly;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(PARTITIONS)
    op.execute(RIGHTS)


def downgrade() -> None:
    raise NotImplementedError("There is nothing before the first tables; drop the database instead.")
