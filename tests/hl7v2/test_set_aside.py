"""Messages that are not taken: they wait for a person with their reason, bounded, until they come right."""

import json
from pathlib import Path

import pytest
from hl7_case import PID, bilirubin, block, header, make_door, oru, with_images

from connector.hl7v2 import intake
from connector.store import tables as t
from connector.store.erase import Eraser


def test_a_bad_message_is_set_aside_for_a_person_until_it_comes_right(door, capsys):
    door.send(oru(bilirubin("17,5"), control_id="9"))
    (waiting,) = door.book.waiting()
    assert (waiting["sender"], waiting["kind"], waiting["reason"]) == ("LIS/LAB", "ORU^R01", "OBX-5 is no number")
    (kept,) = door.aside.iterdir()
    assert kept.read_bytes() == oru(bilirubin("17,5"), control_id="9")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert door.code(oru(bilirubin("17.5"), control_id="9")) == "AA"
    assert door.book.waiting() == []
    assert list(door.aside.iterdir()) == []
    said = "".join(capsys.readouterr())
    assert not any(secret in said for secret in ("12345", "LESION", "17,5"))


def test_a_message_set_aside_goes_with_the_case_of_its_patient(door, tmp_path):
    case_ref = with_images(door, path=tmp_path / "image.dcm")
    door.send(oru(bilirubin("17,5"), control_id="9"))
    other = PID.replace("12345", "54321")
    door.send(oru(bilirubin("17,5"), pid=other, control_id="10"))
    assert len(list(door.aside.iterdir())) == 2
    eraser = Eraser(door.bench.engine, door.bench.ledger.trail, folder=tmp_path, now=door.bench.clock)
    assert eraser.erase(case_ref, because="order 17", by="dpo")["erased"] == case_ref
    (kept,) = door.aside.iterdir()
    assert b"54321" in kept.read_bytes(), "another patient's message waits on"


def test_a_field_that_slipped_into_another_place_is_neither_logged_nor_kept_with_the_reason(door, capsys):
    """A sender that shifts its fields may put anything into OBX-2: the reason names the place, not the content."""
    (ack,) = door.send(oru("OBX|1|Lesion Test|1975-2^Bilirubin total^LN||17|umol/L|||||F|||20260112080000"))
    assert ack["MSA"][1] == "AE"
    (waiting,) = door.book.waiting()
    captured = capsys.readouterr()
    assert "OBX-2" in waiting["reason"]
    assert "lesion" not in (json.dumps(ack) + waiting["reason"] + captured.out + captured.err).lower()


def test_a_refused_message_that_uses_a_control_id_again_leaves_what_was_taken_as_it_is(door):
    good = oru(control_id="5")
    assert door.code(good) == "AA"
    assert door.code(oru(bilirubin("17,5"), control_id="5")) == "AE"
    assert sorted(row.state for row in door.rows(t.message)) == ["set_aside", "taken"]
    assert door.code(good) == "AA"
    assert len(door.results()) == 1
    assert len(door.book.waiting()) == 1, "the person still sees the refused one"


def test_two_refused_messages_with_one_control_id_both_wait_for_a_person(door):
    """A counter that starts anew must not push out what nobody has looked at yet."""
    one, other = oru(bilirubin("17,5"), control_id="5"), oru(bilirubin("19,5"), control_id="5")
    assert [door.code(each) for each in (one, other, one, other)] == ["AE"] * 4
    assert sorted(Path(each["path"]).read_bytes() for each in door.book.waiting()) == sorted([one, other])
    good = oru(bilirubin("21"), pid=PID.replace("12345", "777"), control_id="5")
    assert [door.code(each) for each in (good, good)] == ["AA", "AA"]
    assert len(door.book.waiting()) == 2, "another patient's message of that name was taken, once; these two still wait"
    assert len([row for row in door.rows(t.message) if row.state == "taken"]) == 1


def test_strangers_leave_one_row_and_no_file(tmp_path):
    door = make_door(tmp_path, allowed=frozenset({"RIS"}))
    for number in range(5):
        assert door.code(oru(control_id=str(number)).replace(b"LIS^", f"X{number}^".encode())) == "AR"
    assert not door.aside.exists()
    (waiting,) = door.book.waiting()
    assert (waiting["sender"], waiting["kind"]) == ("X4/LAB", "ORU^R01")
    assert "CONNECTOR_HL7_ALLOWED_SENDERS" in waiting["reason"]


def test_a_feed_of_every_admission_leaves_one_row_a_reason_and_no_file(door):
    """An interface engine that routes all of ADT here hears AR each time, and hides nothing that waits."""
    for number in range(9):
        kind = "ADT^A08" if number % 3 else "OML^O21"
        assert door.code(block(header(kind=kind, control_id=str(number)), PID)) == "AR"
    assert door.code(oru(control_id="t").replace(b"|P|2.5.1", b"|T|2.5.1")) == "AR"
    assert not door.aside.exists()
    seen = sorted((one["kind"], one["reason"].split(":")[0]) for one in door.book.waiting())
    assert seen == [("ADT^A08", f"only {intake._kinds()} are taken"), ("OML^O21", f"only {intake._kinds()} are taken"),
                    ("ORU^R01", "MSH-11 is not P")]  # fmt: skip


@pytest.mark.parametrize(("most", "most_bytes"), [(2, 10**9), (10, 2 * len(oru(bilirubin("x"), control_id="1")))])
def test_what_waits_for_a_person_is_bounded_and_the_sender_hears_its_refusal_all_the_same(
    door, monkeypatch, most, most_bytes
):
    monkeypatch.setattr(intake, "MOST_ASIDE", most)
    monkeypatch.setattr(intake, "MOST_ASIDE_BYTES", most_bytes)
    assert [door.code(oru(bilirubin("x"), control_id=str(number))) for number in range(4)] == ["AE"] * 4
    assert len(list(door.aside.iterdir())) == len(door.book.waiting()) == 2
    assert door.code(oru(bilirubin("17"), control_id="0")) == "AA", "one that comes right makes room"
    assert len(list(door.aside.iterdir())) == 1
