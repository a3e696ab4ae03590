"""One draft beside a plan's versions, with every step that led to it; a version's note, and what it changed."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE plan_drafts (
    plan_id BIGINT NOT NULL,
    organisation_id BIGINT NOT NULL,
    base_version INTEGER,
    content TEXT NOT NULL,
    source_format TEXT NOT NULL,
    events_count INTEGER NOT NULL,
    rules_count INTEGER NOT NULL,
    changed_by BIGINT,
    changed_by_key BIGINT,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_plan_drafts PRIMARY KEY (plan_id),
    CONSTRAINT fk_plan_drafts_plan_id FOREIGN KEY(plan_id) REFERENCES tracking_plans (id) ON DELETE CASCADE,
    CONSTRAINT fk_plan_drafts_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE,
    CONSTRAINT fk_plan_drafts_changed_by FOREIGN KEY(changed_by) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT fk_plan_drafts_changed_by_key FOREIGN KEY(changed_by_key) REFERENCES api_keys (id) ON DELETE SET NULL
);

CREATE TABLE plan_draft_steps (
    plan_id BIGINT NOT NULL,
    revision INTEGER NOT NULL,
    organisation_id BIGINT NOT NULL,
    undo TEXT NOT NULL,
    undoes INTEGER,
    CONSTRAINT pk_plan_draft_steps PRIMARY KEY (plan_id, revision),
    CONSTRAINT fk_plan_draft_steps_plan_id FOREIGN KEY(plan_id) REFERENCES plan_drafts (plan_id) ON DELETE CASCADE,
    CONSTRAINT fk_plan_draft_steps_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id) ON DELETE CASCADE
);

ALTER TABLE tracking_plans ADD draft_revision INTEGER DEFAULT '0' NOT NULL;

ALTER TABLE plan_versions
    ADD note TEXT DEFAULT '' NOT NULL,
    ADD changes JSONB,
    ADD created_by_key BIGINT,
    ADD CONSTRAINT fk_plan_versions_created_by_key FOREIGN KEY(created_by_key) REFERENCES api_keys (id) ON DELETE SET NULL;
"""

# What was a draft until now is one still, where it is newer than what is in force; older ones are history nobody reads.
DRAFTS = """
INSERT INTO plan_drafts (plan_id, organisation_id, base_version, content, source_format, events_count, rules_count,
    changed_by, changed_at)
SELECT DISTINCT ON (v.plan_id) v.plan_id, v.organisation_id, p.current_version, v.content, v.source_format,
    v.events_count, v.rules_count, v.created_by, v.created_at
FROM plan_versions v JOIN tracking_plans p ON p.id = v.plan_id
WHERE v.status = 'draft' AND v.version > coalesce(p.current_version, 0)
ORDER BY v.plan_id, v.version DESC;

UPDATE tracking_plans SET draft_revision = 1 WHERE id IN (SELECT plan_id FROM plan_drafts);
DELETE FROM plan_versions WHERE status = 'draft';
"""

KEEP = """
CREATE OR REPLACE FUNCTION keep_published_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'published'
       AND (NEW.organisation_id, NEW.plan_id, NEW.version, NEW.status, NEW.content, NEW.source_format,
            NEW.events_count, NEW.rules_count, NEW.created_at, NEW.published_at{new})
           IS DISTINCT FROM
           (OLD.organisation_id, OLD.plan_id, OLD.version, OLD.status, OLD.content, OLD.source_format,
            OLD.events_count, OLD.rules_count, OLD.created_at, OLD.published_at{old}) THEN
        RAISE EXCEPTION 'version % of plan % is published and never changes', OLD.version, OLD.plan_id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""

RIGHTS = """
GRANT SELECT, INSERT, UPDATE, DELETE ON plan_drafts TO live_validation_app;
GRANT SELECT, INSERT, DELETE ON plan_draft_steps TO live_validation_app;
GRANT SELECT ON plan_drafts, plan_draft_steps TO live_validation_readonly;
SELECT wall_in(owned::regclass) FROM unnest(ARRAY['plan_drafts', 'plan_draft_steps']) AS owned;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(DRAFTS)
    op.execute(KEEP.format(new=", NEW.note, NEW.changes", old=", OLD.note, OLD.changes"))
    op.execute(RIGHTS)


def downgrade() -> None:
    op.execute(KEEP.format(new="", old=""))
    op.execute("ALTER TABLE plan_versions DROP note, DROP changes, DROP created_by_key")
    op.execute("ALTER TABLE tracking_plans DROP draft_revision")
    op.execute("DROP TABLE plan_draft_steps, plan_drafts")
