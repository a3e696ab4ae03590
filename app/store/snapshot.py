"""One view for several questions: figures that are shown together were true together."""

from app.extensions import db


def begin() -> None:
    """Until the transaction ends, every question is answered as of its first one. What was done before is committed.

    Reads alone can be done in it without fear: a row that somebody else changed meanwhile cannot be changed here.
    """
    db.session.commit()
    db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
