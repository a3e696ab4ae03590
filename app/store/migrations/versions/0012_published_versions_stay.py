"""A published version of a plan never changes: PostgreSQL itself refuses, whoever asks.

Verdicts name the version that judged them; were its content changed, they would name something that never judged them.
Only who made it may be forgotten, when that person is deleted.
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UP = """
CREATE FUNCTION keep_published_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'published'
       AND (NEW.organisation_id, NEW.plan_id, NEW.version, NEW.status, NEW.content, NEW.source_format,
            NEW.events_count, NEW.rules_count, NEW.created_at, NEW.published_at)
           IS DISTINCT FROM
           (OLD.organisation_id, OLD.plan_id, OLD.version, OLD.status, OLD.content, OLD.source_format,
            OLD.events_count, OLD.rules_count, OLD.created_at, OLD.published_at) THEN
        RAISE EXCEPTION 'version % of plan % is published and never changes', OLD.version, OLD.plan_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_published_version BEFORE UPDATE ON plan_versions
    FOR EACH ROW EXECUTE FUNCTION keep_published_version();
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute("DROP TRIGGER keep_published_version ON plan_versions")
    op.execute("DROP FUNCTION keep_published_version()")
