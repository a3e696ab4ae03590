"""A small world: Alice's organisation with an app `shop`, and Charlie's, which must see nothing of it."""

from dataclasses import dataclass
from typing import Any

import orjson
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.auth import keys
from app.extensions import db
from app.store import apps
from app.store.apps import AppRef
from app.store.keys import add_write_key
from app.store.tables import ApiKey, Organisation


@dataclass(frozen=True)
class Tenant:
    """An organisation with one app and one key of each kind."""

    organisation_id: int
    app: AppRef
    write_key: str
    api_key: str

    def send(self, client: FlaskClient, body: Any, path: str = "", **headers: str) -> TestResponse:
        """POST events as this tenant's app; bytes go as they are."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        return client.post(
            path or f"/api/logs/{self.app.slug}",
            data=data,
            headers={"Authorization": f"Bearer {self.write_key}", **headers},
        )

    def get(self, client: FlaskClient, path: str) -> TestResponse:
        """GET an API path as this tenant."""
        return client.get(path, headers={"Authorization": f"Bearer {self.api_key}"})

    def post(self, client: FlaskClient, path: str, body: bytes | dict[str, Any]) -> TestResponse:
        """POST to the management API as this tenant."""
        headers = {"Authorization": f"Bearer {self.api_key}"}
        if isinstance(body, bytes):
            return client.post(path, data=body, headers=headers)
        return client.post(path, json=body, headers=headers)


@dataclass(frozen=True)
class World:
    """Who there is."""

    alice: Tenant
    charlie: Tenant

    @classmethod
    def made(cls, flask_app: Flask) -> "World":
        with flask_app.app_context():
            return cls(make_tenant("Alice & friends", "shop"), make_tenant("Charlie's", "shop"))


def make_tenant(name: str, slug: str) -> Tenant:
    """A new organisation with an app and its keys, committed."""
    organisation = Organisation(name=name)
    db.session.add(organisation)
    db.session.flush()
    app = apps.create(organisation.id, slug, slug.title())
    write_key, api_key = keys.mint(keys.Kind.WRITE), keys.mint(keys.Kind.API)
    add_write_key(app, write_key.hash, write_key.prefix)
    db.session.add(
        ApiKey(
            organisation_id=organisation.id,
            key_hash=api_key.hash,
            prefix=api_key.prefix,
            scopes=["read", "manage"],
        )
    )
    db.session.commit()
    return Tenant(organisation.id, app, write_key.key, api_key.key)
