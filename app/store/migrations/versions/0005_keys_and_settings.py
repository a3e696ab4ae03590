"""What a key is called and how it is answered; when it was last used; and the front door settings of an app."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE write_keys
    ADD COLUMN name TEXT DEFAULT '' NOT NULL,
    ADD COLUMN environment TEXT,
    ADD COLUMN answers TEXT DEFAULT 'explain' NOT NULL,
    ADD COLUMN last_used_at TIMESTAMP WITH TIME ZONE,
    ADD CONSTRAINT ck_write_keys_answers CHECK (answers IN ('explain','strict','quiet'));
ALTER TABLE api_keys
    ADD COLUMN name TEXT DEFAULT '' NOT NULL,
    ADD COLUMN last_used_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE apps
    ADD COLUMN cors_origins TEXT[] DEFAULT '{*}' NOT NULL,
    ADD COLUMN disabled_at TIMESTAMP WITH TIME ZONE;
"""


def upgrade() -> None:
    op.execute(COLUMNS)


def downgrade() -> None:
    raise NotImplementedError("A key's answers and an app's settings are not forgotten.")
