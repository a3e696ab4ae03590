"""Entry for Gunicorn: make everything cooperative first, then assemble the product."""

from gevent import monkey

monkey.patch_all()

from app import create_app, doctor  # noqa: E402  (patching comes before any import that opens a socket)
from app.store import green  # noqa: E402

flask_app = create_app()
green.install(flask_app.extensions["settings"].database_deadline_seconds)
doctor.refuse_unsafe(flask_app)
