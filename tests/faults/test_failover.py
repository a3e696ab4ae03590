"""The primary dies under load: its synchronous standby takes over, and nothing that was answered is lost."""

import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests import clusters
from tests.clusters import Cluster, message_ids, plot, product_settings
from tests.conftest import eventually
from tests.senders import product, sending

BACK_SECONDS = 15.0
SYNCHRONOUS = "synchronous_standby_names = 'FIRST 1 (follower)'\n"


@pytest.fixture
def ground() -> Iterator[Path]:
    with clusters.grounds() as folder:
        yield folder


@pytest.mark.timeout(300)
def test_a_killed_primary_loses_nothing_and_its_standby_takes_over(
    ground: Path, environment: Mapping[str, str]
) -> None:
    primary = Cluster(plot(ground, "primary")).make().start()
    primary.furnish()
    standby = Cluster(plot(ground, "standby")).follow(primary, "follower").start()
    primary.write(primary.data / "postgresql.auto.conf", SYNCHRONOUS)
    primary.ask("SELECT pg_reload_conf()")
    eventually(lambda: primary.ask("SELECT sync_state FROM pg_stat_replication") == "sync")

    # The standby stands first: who takes no writes is passed over.
    with product(environment, product_settings([standby, primary])) as running, sending(running) as sent:
        eventually(lambda: len(sent.kept) > 100)
        os.kill(primary.pid, signal.SIGKILL)
        killed_at = time.monotonic()
        standby.promote()  # as whoever watches them would
        promoted_at = time.monotonic()
        eventually(lambda: [at for at in sent.kept.values() if at > promoted_at])
        back_after = next(at for at in sent.kept.values() if at > promoted_at) - killed_at
        count = len(sent.kept)
        eventually(lambda: len(sent.kept) > count + 100)
        assert (
            running.tenant.get(running.flask_app.test_client(), "/api/apps/shop/summary").status_code == 200
        )
        kept = set(sent.kept)
    there = message_ids(standby)
    assert kept - there == set()
    assert there - set(sent.begun) == set()
    assert back_after < BACK_SECONDS, f"{back_after:.1f} s, answers {dict(sent.statuses)}"
    assert 500 not in sent.statuses
