"""Celery tasks: one id in, one step of the flow; the ledger holds the work and the broker only wakes us up."""

import warnings
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

from celery import Celery
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import celeryd_after_setup
from kombu.exceptions import OperationalError

from connector.core.errors import BadCase
from connector.logs import get_logger
from connector.settings import Settings
from connector.settings.reading import read_settings

if TYPE_CHECKING:
    from connector.app import App

log = get_logger("worker")

TIDY_SECONDS = 3600.0
FORWARD_SECONDS = 5.0
LOOK_SECONDS = 10.0  # between two looks at whose turn it is, or less where records are read more often
TASK_OF_KIND = {"assess": "connector.assess", "deliver": "connector.deliver", "withdraw": "connector.assess"}


def make_celery(settings: Settings, app: Callable[[], "App"]) -> Celery:
    """
    Make the Celery application.

    Tasks are acknowledged late and given back when a child dies; no result is kept; messages are JSON and hold ids
    only. `app` is called in the worker process on first use, so that no connection is shared across a fork.
    """
    # Without a host kombu warns, at each start, that it takes localhost for it.
    broker_url = "memory://localhost/" if settings.broker_url == "memory://" else settings.broker_url
    celery = Celery("connector", broker=broker_url)
    celery.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        # A step goes on while the broker is away: its lease makes the message that comes again harmless, and a step
        # that was ended for a short loss of the broker would wait until its lease runs out. Celery 6 will end it.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options={
            # Only the broker in memory polls: a second between two looks would be the largest part of an answer.
            "polling_interval": 0.02 if settings.broker_url.startswith("memory:") else 1.0,
            # A message unacknowledged for longer than a lease belongs to a dead worker.
            "visibility_timeout": settings.lease_seconds + 60,
            "unacked_restore_throttle": 1,
            "socket_connect_timeout": 2,
        },
        task_routes={"connector.deliver": {"queue": "deliver"}, "connector.assess": {"queue": "assess"}},
        task_default_queue="sweep",
        beat_schedule={
            # A tick that waited is worth nothing: the next one sees the same ledger.
            "sweep": {
                "task": "connector.sweep",
                "schedule": settings.sweep_seconds,
                "options": {"expires": 5 * settings.sweep_seconds},
            },
            "look": {
                "task": "connector.look",
                "schedule": min(settings.ehr_poll_seconds, LOOK_SECONDS),
                "options": {"expires": settings.ehr_poll_seconds},
            },
            "forward": {
                "task": "connector.forward",
                "schedule": FORWARD_SECONDS,
                "options": {"expires": FORWARD_SECONDS},
            },
            "tidy": {"task": "connector.tidy", "schedule": TIDY_SECONDS, "options": {"expires": TIDY_SECONDS}},
        },
    )

    def work(job_id: str) -> None:
        app().pulse.beat("worker")
        hand_out(celery, ((following, "deliver") for following in app().steps.run(job_id)))

    def sweep() -> None:
        app().pulse.beat("worker")
        app().pulse.beat("sweep")
        hand_out(celery, app().steps.sweep())

    def look() -> None:
        app().looks.round()

    def tidy() -> None:
        tidied = app().look_after()
        if tidied.cases:
            log.info("tidied", count=tidied.cases)

    def forward() -> None:
        app().forwarder.run()

    steps = {"assess": work, "deliver": work, "sweep": sweep, "look": look, "tidy": tidy, "forward": forward}
    for name, step in steps.items():
        # Not shared: another service in this process has its own ledger.
        celery.task(step, name=f"connector.{name}", shared=False)
    return celery


def hand_out(celery: Celery, jobs: Iterable[tuple[str, str]]) -> None:
    """Send one message a job; when the broker is away the ledger still knows, and the sweep sends again."""
    try:
        for job_id, kind in jobs:
            celery.send_task(TASK_OF_KIND[kind], args=[job_id], ignore_result=True)
    except OperationalError as fault:
        log.warning("broker_away", exception_type=type(fault).__name__)


def ask_for_look(celery: Celery) -> None:
    """Have a worker look for news now; when the broker is away, or none is set, the clock's next look finds them."""
    if celery.conf.broker_url.startswith("memory:"):
        return
    try:
        celery.send_task("connector.look", ignore_result=True, expires=LOOK_SECONDS)
    except OperationalError as fault:
        log.warning("broker_away", exception_type=type(fault).__name__)


def _keep_what_was_chosen(**_: Any) -> None:
    """Celery advises at each lost connection to choose what was chosen above, however it was chosen."""
    warnings.filterwarnings("ignore", message=r"\s*In Celery 5\.1 we introduced", category=CPendingDeprecationWarning)


celeryd_after_setup.connect(_keep_what_was_chosen)


@cache
def _this_process() -> "App":
    from connector.app import build  # noqa: PLC0415 - the clock runs without the parts

    return build(read_settings())


def __getattr__(name: str) -> Any:
    """Offer `celery` to `celery --app connector.worker`, made when asked for."""
    if name == "celery":
        return make_celery(read_settings(), _this_process)
    raise AttributeError(name)


def run_worker(settings: Settings, concurrency: int) -> None:
    """Run worker processes for all queues until stopped."""
    _refuse_memory_broker(settings)
    _build_once(settings)
    make_celery(settings, _this_process).worker_main(
        [
            "--quiet", "worker", "--queues", "sweep,assess,deliver", "--concurrency", str(concurrency),
            "--without-gossip", "--without-mingle", "--loglevel", "WARNING",
        ]
    )  # fmt: skip


def _build_once(settings: Settings) -> None:
    """
    Refuse at once what is set wrongly, which else would fail in every task. Raises BadCase.

    Before the fork, so that the worker processes share what is imported; what was opened is closed again.
    """
    from connector.app import build  # noqa: PLC0415 - the clock runs without them
    from connector.store.away import DatabaseAway  # noqa: PLC0415 - as above

    try:
        build(settings).close()
    except DatabaseAway as fault:
        log.warning("ledger_away", reason=f"{fault}; each task tries again")


def run_beat(settings: Settings) -> None:
    """Run the clock; its own memory of the last tick is not kept, since a tick has no past."""
    _refuse_memory_broker(settings)
    make_celery(settings, _this_process).Beat(
        scheduler_cls="celery.beat:Scheduler", loglevel="WARNING", quiet=True, max_interval=settings.sweep_seconds
    ).run()


def _refuse_memory_broker(settings: Settings) -> None:
    if settings.broker_url.startswith("memory:"):
        raise BadCase("CONNECTOR_BROKER_URL", settings.broker_url, "works inside `serve` only: give a redis:// URL")
