"""What libraries log: said in our words with what to do where it is known, and never in theirs."""

import io
import json
import logging
import warnings
from collections.abc import Iterator
from unittest.mock import MagicMock, patch

import pytest
from celery.beat import Service
from celery.platforms import check_privileges
from celery.signals import celeryd_after_setup
from celery.worker.consumer import consumer
from kombu.exceptions import OperationalError
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from connector import logs, worker
from connector.settings import Settings

URL = "redis://:LESION^TEST@127.0.0.1:9/0"


@pytest.fixture
def told() -> Iterator[io.StringIO]:
    """The log of one test, and the loggers as they were after it."""
    kept, level, text = logging.root.handlers[:], logging.root.level, io.StringIO()
    with warnings.catch_warnings():
        warnings.resetwarnings()
        logging.captureWarnings(capture=False)  # another test's
        logs.configure(to=text)
        yield text
        logging.captureWarnings(capture=False)
    logging.root.handlers[:] = kept
    logging.root.setLevel(level)
    logs.structlog.reset_defaults()


def lines(told: io.StringIO) -> list[dict]:
    assert "LESION" not in told.getvalue()
    return [json.loads(line) for line in told.getvalue().splitlines()]


def test_a_worker_and_a_clock_without_their_broker_say_so_and_name_the_setting(told, monkeypatch):
    """By Celery's own code, so that another wording of a later release is seen."""
    celery = worker.make_celery(Settings(broker_url=URL), lambda: None)
    listening = MagicMock(conninfo=celery.connection_for_read(), prefetch_multiplier=1, max_prefetch_count=1)
    consumer.Consumer.on_connection_error_before_connected(listening, OperationalError("LESION^TEST"))
    consumer.Consumer.on_connection_error_after_connected(listening, OperationalError("LESION^TEST"))
    clock = Service(celery, scheduler_cls="celery.beat:Scheduler").get_scheduler(lazy=True)

    def refused(callback, *_args, **_more):
        callback(OperationalError("LESION^TEST"), 2)

    monkeypatch.setattr("kombu.connection.Connection.ensure_connection", lambda _, callback, *__: refused(callback))
    clock._ensure_connected()
    away, lost, clock_away = lines(told)
    assert [one["event"] for one in (away, lost, clock_away)] == ["broker_away", "broker_lost", "broker_away"]
    assert "CONNECTOR_BROKER_URL" in away["reason"]
    assert clock_away["part"] == "celery.beat"
    assert all(one["where"] for one in (away, lost, clock_away))


def test_a_start_in_one_process_warns_of_nothing(told):
    """By kombu's own code: an administrator who sees a warning at each start no longer reads them."""
    connection = worker.make_celery(Settings(broker_url="memory://"), lambda: None).connection_for_write()
    assert connection.info()["transport"] == "memory"
    assert lines(told) == []


def test_a_step_goes_on_when_the_broker_is_lost_and_celery_does_not_advise_against_it(told, monkeypatch):
    """By Celery's own code: the choice is made in the worker, and its advice would be told at every lost connection."""
    celery = worker.make_celery(Settings(broker_url=URL), lambda: None)
    running = MagicMock(acknowledged=False, **{"task.acks_late": True})
    listening = MagicMock(prefetch_multiplier=1, max_prefetch_count=1, app=celery)
    monkeypatch.setattr(celery.log, "setup_logging_subsystem", lambda *_, **__: True)  # the test has its own
    for name in ("CELERY_LOG_LEVEL", "CELERY_LOG_FILE"):
        monkeypatch.setenv(name, "")
    celery.log.setup()
    celeryd_after_setup.send(sender="a worker", instance=None, conf=celery.conf)
    with patch.object(consumer, "active_requests", {running}):
        consumer.Consumer.on_connection_error_after_connected(listening, OperationalError("LESION^TEST"))
    running.cancel.assert_not_called()
    assert [line["event"] for line in lines(told)] == ["broker_lost"]


def test_a_worker_that_runs_as_root_is_told_so(told, monkeypatch):
    """By Celery's own code, as above."""
    monkeypatch.setattr("os.getuid", lambda: 0)
    check_privileges(["json"])
    (line,) = lines(told)
    assert line["event"] == "runs_as_root"
    assert "a user of its own" in line["reason"]


def test_a_warning_is_told_without_its_text(told, capsys):
    """As a modality's step of work is read: pydicom quotes the value that its VR does not allow."""
    asked = Dataset()
    asked._dict[Tag(0x0020000D)] = RawDataElement(Tag(0x0020000D), "UI", 12, b"LESION^TEST ", 0, False, True)
    for _ in asked.iterall():
        pass
    by_pydicom, by_python = lines(told)
    assert by_pydicom["part"] == "pydicom"
    assert (by_python["event"], by_python["exception_type"]) == ("library_message", "UserWarning")
    assert by_python["where"].startswith("valuerep.py:")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("logger", "text", "event", "level"),
    [
        ("celery.worker.request", "Task handler raised error: %r", "worker_process_lost", "error"),
        ("multiprocessing", "Process %r pid:%r exited with %r", "worker_process_lost", "error"),
        ("celery.app.trace", "Task %(name)s[%(id)s] raised unexpected: %(exc)s", "task_failed", "error"),
        ("kombu.connection", "Secure redis scheme specified (rediss)", "broker_not_verified", "warning"),
        ("a.library", "LESION^TEST has no birth date", "library_message", "warning"),
    ],
)
def test_every_message_has_an_event_and_a_reason_and_says_where_it_came_from(told, logger, text, event, level):
    logging.getLogger(logger).log(getattr(logging, level.upper()), text)
    (line,) = lines(told)
    assert (line["event"], line["level"], line["part"]) == (event, level, logger)
    assert line["where"].startswith("test_library_messages.")
    assert line["reason"] not in ("WARNING", "ERROR", "")


def test_of_an_exception_only_its_type_is_told(told):
    logging.getLogger("a.library").error("it failed", exc_info=KeyError("LESION^TEST"))
    (line,) = lines(told)
    assert line["exception_type"] == "KeyError"


@pytest.mark.parametrize(
    ("level", "told_as", "why"),
    [
        (30, "warning", "a usual level"),
        (35, "warning", "between two"),
        (39, "warning", "the last before the next"),
        (60, "critical", "above all"),
        (5, None, "a trace of a library, below all"),
    ],
)
def test_a_level_of_the_librarys_own_is_told_as_the_one_below(told, level, told_as, why):
    """A handler that raises ends whatever the library was doing, for the sake of a message."""
    library = logging.getLogger("a.library.with.levels")
    library.setLevel(1)
    library.log(level, "LESION^TEST")
    assert [line["level"] for line in lines(told)] == ([told_as] if told_as else []), why


def test_a_message_that_cannot_be_told_ends_nothing_in_the_library(told):
    told.close()
    logging.getLogger("a.library").warning("LESION^TEST")
