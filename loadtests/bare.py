"""The least that Flask can do, on the same Gunicorns: what `ingest_vs_bare_flask` is measured against."""

from flask import Flask

flask_app = Flask(__name__)


@flask_app.post("/")
def ok() -> str:
    return "ok"
