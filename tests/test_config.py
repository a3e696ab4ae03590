"""Settings: read once, checked, and nothing dangerous by default."""

import pytest

from app.config import ConfigurationError, Settings, is_loopback

GIVEN = {
    "SECRET_KEY": "k" * 32,
    "ENCRYPTION_KEYS": "e" * 32,
    "DATABASE_URL": "postgresql:///app",
    "INGEST_DATABASE_URL": "postgresql:///ingest",
    "REDIS_URL": "unix:///state",
    "REDIS_CACHE_URL": "unix:///cache",
    "MAIL_URL": "smtp://localhost:25",
    "PUBLIC_URL": "https://events.example.com",
}


def test_reads_what_is_given_and_keeps_the_rest() -> None:
    settings = Settings.from_environment({**GIVEN, "MAX_DEPTH": "16", "TRUSTED_HOSTS": "a.example b.example"})
    assert (settings.max_depth, settings.max_keys) == (16, 2000)
    assert settings.all_trusted_hosts == ["events.example.com", "a.example", "b.example"]


@pytest.mark.parametrize("name", GIVEN)
def test_a_missing_setting_is_named(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment({k: v for k, v in GIVEN.items() if k != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SECRET_KEY", "short"),
        ("MAX_DEPTH", "many"),
        ("LOG_FORMAT", "xml"),
        ("PUBLIC_URL", "http://events.example.com"),
        ("PUBLIC_URL", "events.example.com"),
        ("PUBLIC_URL", "https://events.example.com/path"),
    ],
)
def test_a_wrong_or_unsafe_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Settings.from_environment({**GIVEN, name: value})


def test_a_secret_may_come_from_a_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "secret"
    file.write_text("f" * 40 + "\n")
    rest = {k: v for k, v in GIVEN.items() if k != "SECRET_KEY"}
    assert Settings.from_environment({**rest, "SECRET_KEY_FILE": str(file)}).secret_key == "f" * 40


def test_plain_http_is_for_this_machine_only() -> None:
    for url in ("http://localhost:8080", "http://127.0.0.1", "http://[::1]:8080"):
        assert not Settings.from_environment({**GIVEN, "PUBLIC_URL": url}).is_https
    assert not is_loopback("localhost.example.com")
