"""Every route asks who is there, but for the few that are written down here."""

import pytest
from flask import Flask

from app import create_app
from app.auth.require import Permission
from app.config import Settings

OPEN = {
    "static",
    "pages.home",
    "csp_reports.take",
    "health.alive",
    "health.ready",
    "health.show_metrics",
    "auth.csrf",
    "auth.show_login",
    "auth.login",
    "auth.show_register",
    "auth.register",
    "auth.show_verify",
    "auth.verify",
    "auth.logout",
    "passkeys.options",
    "passkeys.sign_in",
    "auth.resend",
    "reset.show_forgot",
    "reset.forgot",
    "reset.show_sent",
    "reset.show_reset",
    "reset.reset",
    "invitation.show",
    "invitation.open_",
    "openapi.show_document",
    "openapi.show_page",
}

# What each of the others asks for. A new route fails here until somebody has thought about whom it is for; then
# tests/auth/test_matrix.py asks it as every role, with every key, and with other people's ids.
GUARDED = {
    "ingest.take": "send",
    "ingest.validate": "send",
    "batches.take_batch": "send",
    "batches.show_batch": "send",
    "batches.show_refused": "send",
    "api.create_app_": "manage",
    "api.list_events": "read",
    "api.show_event": "read",
    "api.delete_event": "manage",
    "api.show_summary": "read",
    "api.live": "read",
    "plan_api.import_plan": "edit_plan",
    "plan_api.show_expected": "read",
    "export_api.export_plan": "read",
    "reports.show": "read",
    "reports.take_results": "read",
    "reports.take_summary": "read",
    "reports.take_sign_off": "read",
    "reports.take_or_ask": "read",
    "reports.ask_by_form": "read",
    "reports.show_written": "read",
    "reports.open_mailed": "read",
    "reports.ask": "read",
    "reports.list_reports": "read",
    "reports.show_report": "read",
    "reports.take_report": "read",
    "digests.show": "read",
    "digests.choose": "read",
    "study_api.begin_backtest": "edit_plan",
    "study_api.infer": "edit_plan",
    "study_api.list_studies": "read",
    "study_api.show_study": "read",
    "study_api.cancel_study": "edit_plan",
    "study_pages.show_studies": "read",
    "study_pages.show_study": "read",
    "study_pages.begin_backtest": "edit_plan",
    "study_pages.infer": "edit_plan",
    "study_pages.cancel": "edit_plan",
    "import_api.list_imports": "read",
    "import_api.show_import": "read",
    "import_api.show_problems": "read",
    "version_api.list_versions": "read",
    "version_api.show_changes": "read",
    "version_api.revert": "edit_plan",
    "draft_api.show_draft": "read",
    "draft_api.change_draft": "edit_plan",
    "draft_api.try_event": "read",
    "draft_api.undo": "edit_plan",
    "draft_api.discard_draft": "edit_plan",
    "draft_api.preview": "read",
    "draft_api.publish_draft": "edit_plan",
    "keys_api.list_api_keys": "manage",
    "keys_api.create_api_key": "manage",
    "keys_api.delete_api_key": "manage",
    "keys_api.list_write_keys": "manage",
    "keys_api.create_write_key": "manage",
    "keys_api.delete_write_key": "manage",
    "tokens.exchange": "read",
    "settings_api.show_settings": "read",
    "settings_api.change_settings": "manage",
    "pages.dashboard": "read",
    "pages.new_app": "manage",
    "pages.create_app": "manage",
    "pages.live": "read",
    "pages.event": "read",
    "pages.plan": "read",
    "plan_pages.history": "read",
    "plan_pages.changes": "read",
    "plan_pages.revert": "edit_plan",
    "plan_pages.draft": "read",
    "plan_pages.publish": "edit_plan",
    "plan_pages.discard": "edit_plan",
    "plan_pages.edit": "edit_plan",
    "pages.settings": "manage",
    "pages.new_write_key": "manage",
    "pages.revoke_write_key": "manage",
    "pages.change_settings": "manage",
    "sharing.show_code": "read",
    "clocks.keep": "read",
    "deletions.ask": "manage",
    "deletions.list_deletions": "read",
    "deletions.undo": "manage",
    "deletions.ask_by_form": "manage",
    "deletions.undo_by_form": "manage",
    "history.show": "read",
    "usage.show": "read",
    "usage.list_usage": "read",
    "usage.choose": "own",
    "refused.show": "read",
    "refused.list_refused": "read",
    "history.delete": "manage",
    "insight.organisation": "read",
    "insight.overview": "read",
    "insight.events": "read",
    "insight.event": "read",
    "insight.violations_": "read",
    "insight.decide": "edit_plan",
    "insight.exclude": "edit_plan",
    "insight.show_overview": "read",
    "insight.show_catalogue": "read",
    "insight.show_coverage": "read",
    "insight.change_exclusion": "edit_plan",
    "insight.show_violations": "read",
    "insight.change_decision": "edit_plan",
    "key_pages.show": "manage",
    "key_pages.make": "manage",
    "key_pages.revoke": "manage",
    "jobs.list_jobs": "manage",
    "jobs.retry_job": "manage",
    "jobs.delete_job": "manage",
    "jobs.show": "manage",
    "jobs.retry": "manage",
    "jobs.delete": "manage",
    "account.show": "read",
    "sessions.end": "read",
    "authenticator.begin": "read",
    "authenticator.show": "read",
    "authenticator.confirm": "read",
    "authenticator.renew_recovery_codes": "read",
    "authenticator.remove": "read",
    "proof.prove": "read",
    "proof.mail": "read",
    "proof.passkey": "read",
    "passkey_pages.begin": "read",
    "passkey_pages.make": "read",
    "passkey_pages.rename": "read",
    "passkey_pages.remove": "read",
    "sessions.end_others": "read",
    "account.change_password": "read",
    "account.forget_device": "read",
    "members_api.list_members": "read",
    "members_api.invite": "manage_members",
    "members_api.send_again": "manage_members",
    "members_api.revoke_invitation": "manage_members",
    "members_api.change_role": "manage_members",
    "members_api.remove": "manage_members",
    "members_api.hand_over": "own",
    "organisation.show": "read",
    "organisation.rename": "manage_members",
    "organisation.invite": "manage_members",
    "organisation.revoke_invitation": "manage_members",
    "organisation.send_again": "manage_members",
    "organisation.change_role": "manage_members",
    "organisation.remove": "manage_members",
    "organisation.hand_over": "own",
    "organisation.close": "own",
    "organisation.reopen": "own",
    "organisation.leave": "read",
    "organisation.switch": "read",
    "invitation.accept": "read",
    "organisation.show_audit": "manage_members",
    "organisation.export_audit": "manage_members",
}

# What a person does only with a fresh proof that it is still them; the last three, where they ask for much.
DANGEROUS = {
    "organisation.hand_over",
    "organisation.close",
    "members_api.hand_over",
    "authenticator.begin",
    "authenticator.confirm",
    "authenticator.renew_recovery_codes",
    "authenticator.remove",
    "passkey_pages.begin",
    "passkey_pages.remove",
    "organisation.change_role",
    "members_api.change_role",
    "key_pages.make",
    "keys_api.create_api_key",
}


@pytest.fixture(scope="module")
def plain_app() -> Flask:
    """The floor plan alone: assembling connects to nothing."""
    return create_app(
        Settings(
            secret_key="k" * 32,
            database_url="postgresql:///x",
            ingest_database_url="postgresql:///x",
            redis_url="unix:///x",
            redis_cache_url="unix:///x",
            mail_url="smtp://localhost:1",
            public_url="http://localhost",
        )
    )


def test_every_route_is_guarded_or_on_the_list(plain_app: Flask) -> None:
    for rule in plain_app.url_map.iter_rules():
        view = plain_app.view_functions[rule.endpoint]
        guarded = isinstance(getattr(view, "required", None), Permission)
        assert guarded != getattr(view, "open_door", False), f"{rule} is neither guarded nor open, or both"
        assert getattr(view, "open_door", False) == (rule.endpoint in OPEN), rule


def test_only_write_keys_open_the_front_door(plain_app: Flask) -> None:
    sending = {
        rule.rule
        for rule in plain_app.url_map.iter_rules()
        if getattr(plain_app.view_functions[rule.endpoint], "required", None) is Permission.SEND
    }
    assert sending == {
        "/api/logs",
        "/api/logs/<app_id>",
        "/api/logs/<app_id>/validate",
        "/api/logs/<app_id>/batches",
        "/api/logs/<app_id>/batches/<batch_id>",
        "/api/logs/<app_id>/batches/<batch_id>/refused",
    }


def test_nothing_changes_by_get(plain_app: Flask) -> None:
    """A view that changes something has no GET of its own."""
    for rule in plain_app.url_map.iter_rules():
        required = getattr(plain_app.view_functions[rule.endpoint], "required", None)
        if required in (Permission.SEND,) and not rule.endpoint.startswith("batches.show_"):
            assert "GET" not in (rule.methods or ()), rule


def test_every_guarded_route_asks_for_what_the_table_says(plain_app: Flask) -> None:
    views = plain_app.view_functions
    assert {name: view.required for name, view in views.items() if hasattr(view, "required")} == GUARDED


def test_every_dangerous_route_asks_for_a_proof(plain_app: Flask) -> None:
    views = plain_app.view_functions
    assert {name for name, view in views.items() if hasattr(view, "is_dangerous")} == DANGEROUS
