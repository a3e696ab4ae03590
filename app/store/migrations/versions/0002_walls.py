"""Row-level security: each organisation's rows behind a wall of their own."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# One word for every owned table, also those to come. The settings are those of app/store/tenancy.py. Each stands in a
# subquery, so that it is read once per statement and not once per row.
WALL = """
CREATE FUNCTION wall_in(owned regclass, owner_column name DEFAULT 'organisation_id') RETURNS void
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', owned);
    EXECUTE format(
        'CREATE POLICY own ON %s TO live_validation_app, live_validation_readonly USING (%I = ('
        'SELECT nullif(current_setting(''live_validation.organisation_id'', true), '''')::bigint))',
        owned, owner_column
    );
    EXECUTE format(
        'CREATE POLICY across ON %s TO live_validation_app USING ('
        '(SELECT current_setting(''live_validation.across'', true) = ''on''))',
        owned
    );
END
$$;
REVOKE EXECUTE ON FUNCTION wall_in FROM PUBLIC;
"""

WALLS = """
SELECT wall_in('organisations', 'id');
SELECT wall_in(owned::regclass) FROM unnest(ARRAY[
    'memberships', 'auth_sessions', 'outbox', 'tracking_plans', 'plan_versions', 'apps', 'write_keys', 'api_keys',
    'message_ids', 'log_entries', 'tallies', 'tally_deltas'
]) AS owned;

-- A job without an owner (a code to be mailed, the upkeep) is added before or outside of any organisation.
CREATE POLICY unowned ON outbox TO live_validation_app USING (organisation_id IS NULL);
"""

# The rights of the ingest role say which columns of its work it may touch; here: of every organisation.
INGEST = """
CREATE POLICY ingest ON apps FOR SELECT TO live_validation_ingest USING (true);
CREATE POLICY ingest ON tracking_plans FOR SELECT TO live_validation_ingest USING (true);
CREATE POLICY ingest ON write_keys FOR SELECT TO live_validation_ingest USING (true);
CREATE POLICY ingest_looks ON message_ids FOR SELECT TO live_validation_ingest USING (true);
CREATE POLICY ingest ON message_ids FOR INSERT TO live_validation_ingest WITH CHECK (true);
CREATE POLICY ingest ON log_entries FOR INSERT TO live_validation_ingest WITH CHECK (true);
CREATE POLICY ingest ON tally_deltas FOR INSERT TO live_validation_ingest WITH CHECK (true);
"""


def upgrade() -> None:
    op.execute(WALL)
    op.execute(WALLS)
    op.execute(INGEST)


def downgrade() -> None:
    raise NotImplementedError("The walls stay: a release that needs them gone is older than they are.")
