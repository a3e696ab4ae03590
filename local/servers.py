"""Only the stores and the mailbox, for tests: real PostgreSQL, both Redis, real SMTP.

```python
with servers.start(Path(folder)) as running:
    environment = {**os.environ, **running.environment}
```
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from local import outside, progress
from local.places import Places
from local.ports import Ports
from local.stack import Lock, start_stores
from local.stores import Stores
from local.supervisor import Supervisor, end_leftovers

PUBLIC_URL = "http://localhost:8080"


@dataclass(frozen=True)
class Servers:
    """Running servers. `environment` holds the product's settings; the operator URLs allow every command."""

    environment: Mapping[str, str] = field(repr=False)
    admin_dsn: str = field(repr=False)
    redis_operator_url: str = field(repr=False)
    cache_operator_url: str = field(repr=False)
    mailbox_url: str


@contextmanager
def start(var: Path, public_url: str = PUBLIC_URL) -> Iterator[Servers]:
    """Start the servers with their state in `var`; at exit end them and forget what they kept outside of it.

    Call it in the main thread: the servers end when the thread that started them does, so that a killed test
    run leaves none behind. Raises Trouble where they cannot start.
    """
    places = Places.prepare(var)
    with Lock(places):
        end_leftovers(places)
        ports = Ports()
        stores = Stores.prepare(places, ports, {})
        supervisor = Supervisor(places, stores.programs())
        try:
            start_stores(supervisor, stores, progress.silent)
            yield _described(stores, places, public_url)
        finally:
            supervisor.stop(15)
            ports.close()
            places.remove_sockets()
            outside.forget(places)


def _described(stores: Stores, places: Places, public_url: str) -> Servers:
    if not (stores.postgres and stores.redis and stores.cache and stores.post):
        raise AssertionError("an empty environment names no real server")
    return Servers(
        environment=stores.settings() | {"SECRET_KEY": places.secret("secret_key"), "PUBLIC_URL": public_url},
        admin_dsn=stores.postgres.admin_dsn(),
        redis_operator_url=stores.redis.operator_url,
        cache_operator_url=stores.cache.operator_url,
        mailbox_url=stores.post.page_url,
    )
