"""`python -m app.jobs.worker`: a process per queue and a sweeper, forked from a parent that watches them.

The parent imports the product once and freezes that memory, so that the children share it.
Road not taken: RQ's own worker pool, whose children each import the product anew.
"""

import gc
import signal
from functools import partial

import structlog

from app import create_app, doctor, metrics
from app.jobs.crew import WATCHED, Crew, Post
from app.jobs.listener import listen
from app.jobs.queues import Queue
from app.jobs.sweeper import sweep_for_ever

log = structlog.get_logger()


def main() -> None:
    flask_app = create_app()
    doctor.refuse_unsafe(flask_app)
    folder = flask_app.extensions["settings"].prometheus_multiproc_dir
    if folder:
        metrics.begin(folder)
    posts = [Post(queue.value, partial(listen, flask_app, queue)) for queue in Queue]
    posts.append(Post("sweeper", partial(sweep_for_ever, flask_app)))
    gc.collect()
    gc.freeze()  # or the collector would touch, and thereby copy, every shared page
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)  # from here on the crew ends in order
    log.info("worker_started", posts=[post.name for post in posts])
    Crew(posts, partial(metrics.ended, directory=folder)).run()


if __name__ == "__main__":
    main()
