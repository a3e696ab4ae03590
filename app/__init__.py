"""The Live Validation Dashboard: events come in, are judged, kept, announced and looked at.

The corridor, in the order of the rooms: ingest → validation → store → live → dashboard. `ingest/receive.py` is the
twenty lines to read first. Beside it: `plans` (the law book), `auth` (the keys), `jobs` (what waits).
"""

from flask import Flask

from app import csp_reports, doctor, errors, extensions, headers, health, logs
from app.auth import (
    alerts,
    allowance,
    closing,
    invitation_routes,
    limits,
    mail,
    members,
    new_password,
    notices,
    passkey_routes,
    proof_routes,
    quota,
    quota_watch,
    require,
    reset_routes,
    session,
    staying,
    token_routes,
    used,
)
from app.auth import routes as auth_routes
from app.config import Settings
from app.dashboard import (
    account,
    api,
    authenticator_pages,
    clock_pages,
    deletions,
    draft_api,
    export_api,
    history_pages,
    import_api,
    insight_pages,
    job_pages,
    key_pages,
    keys_api,
    members_api,
    organisation,
    pages,
    passkey_pages,
    plan_api,
    plan_pages,
    plan_reader,
    refused_pages,
    session_pages,
    settings_api,
    sharing,
    study_api,
    study_pages,
    studying,
    usage_pages,
    version_api,
)
from app.dashboard.openapi import views as openapi
from app.dashboard.reports import digest, digest_pages, writing
from app.dashboard.reports import views as reports
from app.ingest import batches, refused, slices, upkeep, used_up
from app.ingest import routes as ingest_routes
from app.jobs import cli
from app.live import bell, stream
from app.plans import bell as plans_bell
from app.plans import enforcing
from app.store import cli as secrets_cli
from app.store import keeping, preparing, replica, tenancy


def create_app(settings: Settings | None = None) -> Flask:
    """The floor plan. Raises ConfigurationError where a setting is missing or unsafe; connects to nothing yet."""
    settings = settings or Settings.from_environment()
    flask_app = Flask(__name__)
    extensions.init_app(flask_app, settings)
    tenancy.init_app(flask_app)
    replica.init_app(flask_app, settings)
    logs.init_app(flask_app, settings)
    headers.init_app(flask_app, settings)
    errors.init_app(flask_app)
    session.init_app(flask_app, settings)
    limits.init_app(flask_app, settings)
    allowance.init_app(flask_app, settings)
    quota.init_app(flask_app, settings)
    used.init_app(flask_app)
    require.init_app(flask_app)
    staying.init_app(flask_app, settings)
    mail.init_app(flask_app)
    members.init_app(flask_app)
    notices.init_app(flask_app)
    quota_watch.init_app(flask_app)
    closing.init_app(flask_app)
    new_password.init_app(flask_app)
    alerts.init_app(flask_app)
    keeping.init_app(flask_app, settings)
    bell.init_app(flask_app, settings)
    stream.init_app(flask_app, settings)
    plans_bell.init_app(flask_app, settings)
    enforcing.init_app(flask_app, settings)
    refused.init_app(flask_app)
    used_up.init_app(flask_app)
    upkeep.init_app(flask_app)
    slices.init_app(flask_app)
    deletions.init_app(flask_app)
    plan_reader.init_app(flask_app)
    studying.init_app(flask_app)
    writing.init_app(flask_app)
    digest.init_app(flask_app)
    cli.init_app(flask_app)
    preparing.init_app(flask_app)
    doctor.init_app(flask_app)
    secrets_cli.init_app(flask_app)
    flask_app.register_blueprint(health.blueprint)
    flask_app.register_blueprint(csp_reports.blueprint)
    flask_app.register_blueprint(ingest_routes.blueprint)
    flask_app.register_blueprint(batches.blueprint)
    flask_app.register_blueprint(auth_routes.blueprint)
    flask_app.register_blueprint(reset_routes.blueprint)
    flask_app.register_blueprint(invitation_routes.blueprint)
    flask_app.register_blueprint(token_routes.blueprint)
    flask_app.register_blueprint(api.blueprint)
    flask_app.register_blueprint(plan_api.blueprint)
    flask_app.register_blueprint(export_api.blueprint)
    flask_app.register_blueprint(import_api.blueprint)
    flask_app.register_blueprint(study_api.blueprint)
    flask_app.register_blueprint(study_pages.blueprint)
    flask_app.register_blueprint(version_api.blueprint)
    flask_app.register_blueprint(draft_api.blueprint)
    flask_app.register_blueprint(keys_api.blueprint)
    flask_app.register_blueprint(key_pages.blueprint)
    flask_app.register_blueprint(settings_api.blueprint)
    flask_app.register_blueprint(pages.blueprint)
    flask_app.register_blueprint(plan_pages.blueprint)
    flask_app.register_blueprint(organisation.blueprint)
    flask_app.register_blueprint(members_api.blueprint)
    flask_app.register_blueprint(account.blueprint)
    flask_app.register_blueprint(session_pages.blueprint)
    flask_app.register_blueprint(authenticator_pages.blueprint)
    flask_app.register_blueprint(proof_routes.blueprint)
    flask_app.register_blueprint(passkey_routes.blueprint)
    flask_app.register_blueprint(passkey_pages.blueprint)
    flask_app.register_blueprint(insight_pages.blueprint)
    flask_app.register_blueprint(openapi.blueprint)
    flask_app.register_blueprint(history_pages.blueprint)
    flask_app.register_blueprint(sharing.blueprint)
    flask_app.register_blueprint(clock_pages.blueprint)
    flask_app.register_blueprint(deletions.blueprint)
    flask_app.register_blueprint(job_pages.blueprint)
    flask_app.register_blueprint(refused_pages.blueprint)
    flask_app.register_blueprint(reports.blueprint)
    flask_app.register_blueprint(usage_pages.blueprint)
    flask_app.register_blueprint(digest_pages.blueprint)
    return flask_app
