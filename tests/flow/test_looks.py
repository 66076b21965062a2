"""News of a record: found in rounds whose turn the ledger knows, at once after a hint, and no storm of hints is one."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from ledger_case import Bench, complete_quiet, receipt
from pydantic import SecretStr
from redis import Redis
from state_peers import answers, free_port, redis_server, wait_until
from steps_case import House

from connector.core.errors import Refused, TryLater
from connector.looks import GATHER_SECONDS, HINTED_ROUNDS, HINTED_SECONDS, Hints
from connector.service import Service, web
from connector.settings import Settings
from connector.store import tables as t


def test_new_observations_ask_for_a_new_assessment(house: House) -> None:
    house.run_all()
    assert house.looks.round() == 1
    assert house.status()["jobs"]["assess.due"] == 1
    assert house.looks.round() == 0, "not before its turn"
    house.bench.clock.seconds += 61
    assert house.looks.round() == 0, "nothing changed"


def test_a_round_that_meets_the_one_before_asks_for_no_second_assessment(house: House) -> None:
    """A round over many patients takes longer than the time between two: the next one begins meanwhile."""
    house.run_all()
    rounds = []

    def slow(_reference: str, _mark: str | None) -> tuple[bool, str | None]:
        rounds.append(house.looks.round() if not rounds else None)
        return True, "mark"

    house.looks._look = slow
    assert house.looks.round() == 1
    assert rounds == [0], "the second round leaves the patient to the first"


def test_a_look_that_was_overtaken_counts_for_nothing(house: House) -> None:
    """The record took longer to read than a round may take, so another worker has read it since."""
    house.run_all()
    (followed,) = house.bench.desk.followed(not_since=house.bench.clock(), studied_after=0)
    assert house.bench.desk.looked(followed, seen_until="newer", changed=True)
    house.run_all()
    assert not house.bench.desk.looked(followed, seen_until="older", changed=True)
    assert "assess.due" not in house.status()["jobs"]
    (followed,) = house.bench.desk.followed(not_since=house.bench.clock(), studied_after=0)
    assert followed.seen_until == "newer"


def test_a_hint_while_the_record_is_read_has_it_read_again_at_once(house: House) -> None:
    house.run_all()
    looks = []

    def look(_reference: str, _mark: str | None) -> tuple[bool, str | None]:
        looks.append(1)
        if len(looks) == 1:
            house.bench.desk.look_now()  # of what came after the server had answered
        return False, "mark"

    house.looks._look = look
    house.looks.round()
    house.looks.round()
    assert len(looks) == 2
    house.looks.round()
    assert len(looks) == 2, "and no third time"


@pytest.mark.parametrize("state", ["prior", "kept_out", "rejected"])
def test_news_ask_for_the_newest_study_that_is_assessed_at_all(house: House, state: str) -> None:
    house.run_all()
    house.bench.inbox.receive(receipt("1.2.4.1", study="1.2.4", date="20990101"))
    with house.bench.engine.begin() as connection:
        connection.execute(sa.update(t.study).where(t.study.c.study_instance_uid == "1.2.4").values(state=state))
    (followed,) = house.bench.desk.followed(not_since=house.bench.clock(), studied_after=0)
    assert followed.latest_study_instance_uid == "1.2.3"


@pytest.mark.parametrize("state", ["tidying", "tidied"])
def test_news_of_a_patient_whose_newest_study_was_tidied_away_fetch_and_park_nothing(house: House, state: str) -> None:
    house.run_all()
    house.bench.inbox.receive(receipt("1.2.4.1", study="1.2.4", date="20990101"))
    with house.bench.engine.begin() as connection:
        connection.execute(sa.update(t.study).where(t.study.c.study_instance_uid == "1.2.4").values(state=state))
    assert house.looks.round() == 0
    assert "assess.due" not in house.status()["jobs"], "what was told of it stands; only an order has it fetched"


def test_a_record_that_is_away_is_looked_at_again(house: House) -> None:
    house.run_all()

    def away(_reference: str, _mark: str | None) -> tuple[bool, str | None]:
        raise TryLater("503")

    house.looks._look = away
    assert house.looks.round() == 0
    house.bench.clock.seconds += 60
    house.looks._look = lambda _reference, _mark: (True, "mark")
    assert house.looks.round() == 1


def followed_patients(house: House, count: int) -> None:
    """Patients 1 to `count` with one study each, whose records are looked at in this order."""
    desk, clock = house.bench.desk, house.bench.clock
    for number in range(1, count + 1):
        house.bench.inbox.receive(receipt(f"1.2.80.{number}.1", study=f"1.2.80.{number}", patient=f"P{number}"))
        case_ref = house.bench.ledger.study(f"1.2.80.{number}").case_ref
        with house.bench.engine.begin() as connection:
            desk.follow(connection, case_ref=case_ref, record_reference=f"Patient/{number}")
        (followed,) = (one for one in desk.followed(not_since=0.0, studied_after=0) if one.case_ref == case_ref)
        desk.put_off_look(followed, polled_at=float(number))
    complete_quiet(house.bench, 0)
    clock.seconds += 1000


def looks_of(house: House, failing: dict[str, Exception]) -> list[str]:
    """The records that one round looks at, of which some fail."""
    seen = []

    def look(reference: str, _mark: str | None) -> tuple[bool, str | None]:
        seen.append(reference.removeprefix("Patient/"))
        if reference in failing:
            raise failing[reference]
        return False, None

    house.looks._look = look
    house.looks.round()
    return seen


def test_one_record_that_always_fails_keeps_no_news_of_others_back(house: House) -> None:
    """It stood at the head of each round, and ended it: nobody's news came any more, and nothing said so."""
    followed_patients(house, 3)
    failing = {"Patient/1": TryLater("504")}
    assert looks_of(house, failing) == ["1", "2", "3"]
    house.bench.clock.seconds += 59
    assert looks_of(house, failing) == [], "it waits for its turn like the others"
    house.bench.clock.seconds += 1
    assert looks_of(house, failing) == ["1", "2", "3"]


def test_three_records_away_in_a_row_end_the_round_and_head_not_the_next(house: House) -> None:
    followed_patients(house, 5)
    away = {f"Patient/{number}": TryLater("503") for number in range(1, 6)}
    assert looks_of(house, away) == ["1", "2", "3"], "the EHR is away as a whole"
    assert looks_of(house, {}) == ["4", "5"], "the next round begins with who was not asked for"


@pytest.mark.parametrize("between", [None, Refused("403")], ids=["answered", "refused"])
def test_an_ehr_that_answers_in_between_is_not_away(house: House, between: Exception | None) -> None:
    followed_patients(house, 5)
    failing = {f"Patient/{number}": TryLater("503") for number in (1, 2, 4, 5)}
    assert looks_of(house, {**failing, **({"Patient/3": between} if between else {})}) == ["1", "2", "3", "4", "5"]


def test_a_record_is_left_alone_for_as_long_as_the_ehr_asks(house: House) -> None:
    followed_patients(house, 1)
    assert looks_of(house, {"Patient/1": TryLater("429", 120.0)}) == ["1"]
    house.bench.clock.seconds += 119
    assert looks_of(house, {}) == []
    house.bench.clock.seconds += 1
    assert looks_of(house, {}) == ["1"]


def test_news_told_of_a_record_that_was_away_have_it_read_in_the_next_round(house: House) -> None:
    followed_patients(house, 1)
    looks_of(house, {"Patient/1": TryLater("503")})
    house.bench.desk.look_now()
    assert looks_of(house, {}) == ["1"]


def test_a_storm_of_hints_makes_three_rounds_a_minute() -> None:
    rounds, seconds = [], [0]
    hints = Hints(lambda: rounds.append(seconds[0]), now=lambda: seconds[0])
    for seconds[0] in range(125):  # a hint every second, for two minutes
        hints.take_up()
    assert rounds == [0, 1, 2, 60, 61, 62, 120, 121, 122], "the clock's rounds find the rest"
    assert (HINTED_ROUNDS, HINTED_SECONDS) == (3, 60.0)


@contextmanager
def hinted(begin) -> Iterator[Hints]:
    hints = Hints(begin)
    hints.start()
    try:
        yield hints
    finally:
        hints.stop()


def test_notices_that_come_together_are_one_round() -> None:
    rounds: list[float] = []
    with hinted(lambda: rounds.append(time.monotonic())) as hints:
        began = time.monotonic()
        for _ in range(50):
            hints.hint()
        wait_until(lambda: bool(rounds), seconds=5, what="the round")
        time.sleep(3 * GATHER_SECONDS)
    assert len(rounds) == 1
    assert rounds[0] - began >= GATHER_SECONDS, "the last of a panel's results is waited for"


def test_a_hint_while_a_round_runs_has_another_one_and_a_round_that_fails_ends_nothing() -> None:
    rounds: list[int] = []

    def begin() -> None:
        rounds.append(1)
        if len(rounds) == 1:
            hints.hint()
            raise RuntimeError("of this test")

    with hinted(begin) as hints:
        hints.hint()
        wait_until(lambda: len(rounds) == 2, seconds=5, what="the second round")


def settings_of(folder: Path, **given: object) -> Settings:
    return Settings(
        data_dir=folder, dicom_port=0, disk_reserve_mb=16, hook_secret=SecretStr("hook"),
        database_url=f"sqlite:///{folder / 'ledger.sqlite'}", **given,
    )  # fmt: skip


def hook(port: int, secret: str = "hook") -> int:  # noqa: S107 - made up
    address = f"http://127.0.0.1:{port}/fhir/notify/results"
    body = {"resourceType": "Observation", "subject": {"reference": "Patient/4711"}}
    return httpx.post(address, json=body, headers={"X-Connector-Secret": secret}).status_code


def test_a_hook_has_the_records_looked_at_at_once(tmp_path: Path) -> None:
    rounds: list[float] = []
    with Service(settings_of(tmp_path, http_port=0)) as service:
        service.app.looks.round = lambda: rounds.append(time.monotonic())
        assert hook(service.http_port, "wrong") == 401
        time.sleep(3 * GATHER_SECONDS)
        assert rounds == [], "who is not the EHR causes nothing"
        began = time.monotonic()
        assert hook(service.http_port) == 200
        wait_until(lambda: bool(rounds), seconds=20, what="the look")
    assert rounds[0] - began < 5, "the clock's next round may be ten seconds away"


@contextmanager
def web_part(settings: Settings) -> Iterator[int]:
    """`connector web` in a thread; yields its port."""
    stopped = threading.Event()
    thread = threading.Thread(target=web, args=(settings,), kwargs={"wait": stopped.wait}, daemon=True)
    thread.start()
    try:
        wait_until(lambda: answers(settings.http_port), seconds=20, what="the start of the HTTP door")
        yield settings.http_port
    finally:
        stopped.set()
        thread.join(30)


def test_the_parts_have_a_worker_look_by_a_message_that_names_nobody(tmp_path: Path) -> None:
    with redis_server(tmp_path) as (url, _):
        broker = Redis.from_url(url)
        with web_part(settings_of(tmp_path, http_port=free_port(), broker_url=url)) as port:
            assert [hook(port) for _ in range(20)] == [200] * 20
            wait_until(lambda: broker.llen("sweep") > 0, seconds=20, what="the message")
            time.sleep(3 * GATHER_SECONDS)
        messages = broker.lrange("sweep", 0, -1)
    assert len(messages) <= HINTED_ROUNDS, "twenty hooks are no twenty looks"
    for message in messages:
        assert json.loads(message)["headers"]["task"] == "connector.look"
        assert json.loads(message)["headers"]["expires"], "one that waited longer than a tick is worth nothing"
        assert b"4711" not in message


def test_without_the_broker_a_hook_stands_in_the_ledger_for_the_clock(bench: Bench, tmp_path: Path) -> None:
    with bench.engine.begin() as connection:
        bench.desk.follow(connection, case_ref="case", record_reference="Patient/1")
        connection.execute(sa.update(t.patient).values(polled_at=bench.clock()))
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    with web_part(settings_of(tmp_path, http_port=free_port(), broker_url=nobody)) as port:
        began = time.monotonic()
        assert hook(port) == 200
        assert time.monotonic() - began < 2, "the EHR does not wait for the broker"
    with bench.engine.connect() as connection:
        assert connection.execute(sa.select(t.patient.c.polled_at)).scalar_one() == 0.0, "due in the clock's next round"
