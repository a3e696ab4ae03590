"""Events may go once an app's retention is over: whole days at once, or in slices where an app keeps less."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

RETENTION = """
ALTER TABLE apps ADD COLUMN retention_days INTEGER;
ALTER TABLE apps ADD CONSTRAINT ck_apps_retention_days CHECK (retention_days BETWEEN 1 AND 3650);
"""

# The app's role may not delete events. These do it for it, with the owner's right, and only what no app keeps.
FUNCTIONS = """
CREATE FUNCTION drop_log_entries_before(day timestamptz, default_days int) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    longest int := greatest(default_days, (SELECT max(retention_days) FROM apps), 1);
    name text;
BEGIN
    IF day <> date_trunc('day', day, 'UTC')
        OR day > date_trunc('day', now(), 'UTC') - make_interval(hours => 24 * longest) THEN
        RAISE EXCEPTION 'some app keeps events of before %', day;
    END IF;
    -- A drop waits for whoever reads the table, and all others wait behind it: shortly, then it is tried again later.
    PERFORM set_config('lock_timeout', '500ms', true);
    DELETE FROM log_entries_other WHERE received_at < day;
    FOR name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'log_entries'::regclass AND c.relname ~ '^log_entries_[0-9]{8}$'
            AND to_date(right(c.relname, 8), 'YYYYMMDD') < (day AT TIME ZONE 'UTC')::date
        ORDER BY 1
    LOOP
        EXECUTE format('DROP TABLE %I', name);
        RETURN NEXT name;
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION drop_log_entries_before FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_log_entries_before TO live_validation_app;

CREATE FUNCTION expire_log_entries(default_days int, most int) RETURNS SETOF log_entries
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DELETE FROM log_entries WHERE (app_id, received_at, event_id) IN (
        SELECT old.app_id, old.received_at, old.event_id FROM apps a CROSS JOIN LATERAL (
            SELECT e.app_id, e.received_at, e.event_id FROM log_entries e
            WHERE e.app_id = a.id AND e.received_at < date_trunc('day', now(), 'UTC')
                - make_interval(hours => 24 * coalesce(a.retention_days, greatest(default_days, 1)))
            ORDER BY e.received_at LIMIT most
        ) AS old LIMIT most
    ) RETURNING *
$$;
REVOKE EXECUTE ON FUNCTION expire_log_entries FROM PUBLIC;
GRANT EXECUTE ON FUNCTION expire_log_entries TO live_validation_app;
"""


def upgrade() -> None:
    op.execute(RETENTION)
    op.execute(FUNCTIONS)


def downgrade() -> None:
    op.execute("DROP FUNCTION expire_log_entries; DROP FUNCTION drop_log_entries_before")
    op.execute("ALTER TABLE apps DROP COLUMN retention_days")
