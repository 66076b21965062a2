"""What a message does here and what its sender hears: stored before it is accepted, refused with its place, once."""

import json
from dataclasses import replace

import pytest
import sqlalchemy as sa
from hl7_case import OBR, PID, acknowledged, bilirubin, block, header, make_door, oru, with_images
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message, parse_segments
from ledger_case import receipt

from connector.hl7v2.intake import KINDS
from connector.store import tables as t
from connector.store.tidy import forget_case

ORDER = (
    "ORC|NW|P77^HIS|A77^RIS||SC",
    "OBR|1|P77^HIS|A77^RIS|CTLIV^CT liver three phases^L|||||||||||||||ACC-77||||||CT",
)
MRG = "MRG|777^^^HOSPITAL&1.2.36.146&ISO^MR"
IPC = "IPC|ACC-78|RP1|1.2.840.99.1|SPS1|CT"


@pytest.mark.parametrize(
    ("content", "code", "error", "why"),
    [
        (oru(), "AA", None, "a result that is read here"),
        (oru("OBX|1|NM|718-99^x^LN||1||||||F"), "AA", None, "a result that nobody reads"),
        (oru(version="2.3"), "AA", None, "an older version"),
        (block(header(kind="ORM^O01"), PID, *ORDER), "AA", None, "an order of 2.3 to 2.5"),
        (block(header(kind="OMI^O23^OMI_O23"), PID, *ORDER, IPC), "AA", None, "an imaging order"),
        (block(header(kind="DFT^P03"), PID), "AR", ("MSH^1^9", "200"), "a kind that is not taken"),
        (block(header(kind="ADT^A01"), PID), "AR", ("MSH^1^9^1^2", "201"), "an admission"),
        (block(header(kind="ADT^A40"), PID, MRG), "AA", None, "two numbers become one"),
        (block(header(kind="ADT^A40"), PID), "AE", ("MRG^1", "100"), "a merge that says not of what"),
        (block(header(kind="ADT^A40"), MRG, PID), "AE", ("MRG^1", "100"), "a merge into nobody"),
        (block(header(kind="ADT^A40"), PID, PID, MRG), "AE", ("PID^1", "100"), "half a merge"),
        (block(header(kind="ADT^A40"), PID, "MRG|"), "AE", ("MRG^1^1", "101"), "a merge of no number"),
        (oru(control_id="1\0"), "AE", ("MSH^1", "102"), "a NUL"),
        (oru().replace(b"LIS^", b"LI\0S^"), "AE", ("MSH^1", "102"), "a NUL in the sender's name"),
        (block(header(kind="ORU^W01"), PID), "AR", ("MSH^1^9^1^2", "201"), "waveforms"),
        (oru().replace(b"|P|2.5.1", b"|T|2.5.1"), "AR", ("MSH^1^11", "202"), "a test in production"),
        (oru(version="3"), "AR", ("MSH^1^12", "203"), "no v2"),
        (oru(control_id=""), "AE", ("MSH^1^10", "101"), "nothing to acknowledge by"),
        (oru(pid="PID|1||||LESION^TEST"), "AE", ("PID^1^3", "101"), "nobody's results"),
        (oru(bilirubin("17,5")), "AE", ("OBX^1^5", "102"), "a number that could be two"),
        (block(header(kind="ORM^O01"), PID), "AE", ("ORC^1", "100"), "an order without order"),
        (block(header(kind="ORM^O01"), PID, "ORC||P1"), "AE", ("ORC^1^1", "101"), "an order that says not what to do"),
        (oru(charset="KLINGON"), "AE", ("MSH^1^18", "103"), "characters that nobody knows"),
        (oru(charset="ASCII").replace(b"LESION", "LÄSION".encode()), "AE", ("MSH^1^18", "102"), "not what it declares"),
        (b"hello, world", "AE", ("MSH^1", "100"), "no message"),
        (b"MSH|^~\\&|", "AE", ("MSH^1^10", "101"), "a header and nothing else"),
        (b"MSH|^~\\&", "AE", None, "less than a header"),
    ],
)  # fmt: skip
def test_what_the_sender_hears(door, content, code, error, why):
    (ack,) = door.send(content)
    assert ack["MSA"][1] == code, (why, ack)
    if error:
        assert (ack["ERR"][2], ack["ERR"][3].split("^")[0]) == error, (why, ack)
        assert ack["ERR"][4] == "E"
    for secret in ("12345", "LESION", "19610304"):
        assert secret not in json.dumps(ack)


def test_an_acknowledgement_goes_back_the_way_the_message_came(door):
    (ack,) = door.send(oru(control_id="MSG-7"))
    assert ack["MSA"] == ["MSA", "AA", "MSG-7"]
    assert ack["MSH"][3:7] == ["CONNECTOR", "CLINIC", "LIS", "LAB"]
    assert ack["MSH"][7:13] == ["20260112093000+0000", "", "ACK^R01^ACK", ack["MSH"][10], "P", "2.5.1"]
    assert ack["MSH"][18] == "UNICODE UTF-8"
    assert 0 < len(ack["MSH"][10]) <= 20


def test_older_versions_have_the_place_and_the_words_where_they_look_for_them(door):
    (ack,) = door.send(oru(bilirubin("x"), version="2.3"))
    assert ack["ERR"] == ["ERR", "OBX^1^5^102&Data type error&HL70357"]
    assert ack["MSA"][3] == "OBX-5 is no number"


@pytest.mark.parametrize(
    ("accept", "apply", "good", "bad", "why"),
    [
        ("", "", ["AA"], ["AE"], "original mode"),
        ("AL", "NE", ["CA"], ["CE"], "IHE's usual: the commit is acknowledged and no more"),
        ("NE", "AL", ["AA"], ["AE"], "the application answers, the commit is silent"),
        ("AL", "AL", ["CA", "AA"], ["CE", "AE"], "both"),
        ("ER", "NE", [], ["CE"], "only faults"),
        ("SU", "NE", ["CA"], [], "only success"),
        ("NE", "NE", [], [], "nothing at all"),
    ],
)
def test_both_modes_of_acknowledgement(door, accept, apply, good, bad, why):
    asked = {"accept": accept, "apply": apply}
    assert [ack["MSA"][1] for ack in door.send(oru(control_id="g", **asked))] == good, why
    assert [ack["MSA"][1] for ack in door.send(oru(bilirubin("x"), control_id="b", **asked))] == bad, why
    assert [row.state for row in door.rows(t.message)].count("taken") == 1


def test_an_acknowledgement_is_never_acknowledged(door):
    assert door.send(block(header(kind="ACK"), "MSA|AA|1")) == []


@pytest.mark.parametrize(
    ("allowed", "code"),
    [({"LIS"}, "AA"), ({"LIS/LAB"}, "AA"), ({"RIS"}, "AR"), ({"LIS/OTHER"}, "AR"), (set(), "AA")],
)
def test_only_named_senders_are_heard(tmp_path, allowed, code):
    door = make_door(tmp_path, allowed=frozenset(allowed))
    assert door.code(oru()) == code


def test_a_message_that_comes_twice_is_taken_once_and_accepted_twice(door):
    case_ref = with_images(door)
    assert [door.code(oru()) for _ in range(3)] == ["AA"] * 3
    assert [one["meta"]["versionId"] for one in door.results()] == ["1"]
    assert len([row for row in door.rows(t.event) if row.kind == "message"]) == 1
    assert [row.case_ref for row in door.rows(t.message)] == [case_ref]


def test_a_control_id_that_is_used_again_for_something_else_loses_nothing(door):
    """Counters of senders start anew; what they then send is no duplicate."""
    with_images(door)
    door.send(oru(control_id="1"))
    other = OBR.replace("L26-001", "L26-002")
    assert door.code(oru(bilirubin("19"), obr=other, control_id="1")) == "AA"
    assert sorted(str(one["valueQuantity"]["value"]) for one in door.results()) == ["17", "19"]


@pytest.mark.parametrize(
    ("first", "second", "value", "version", "why"),
    [
        (("17", "F", "1015"), ("18", "C", "1100"), "18", "2", "a correction wins"),
        (("18", "C", "1100"), ("17", "F", "1015"), "18", "1", "an original that comes late does not"),
        (("17", "F", "1015"), ("17", "F", "1015"), "17", "1", "the same again is the same"),
        (("17", "P", "1015"), ("17", "F", "1015"), "17", "2", "final after preliminary, in the same minute"),
    ],
)
def test_the_laboratorys_last_word_stands(door, first, second, value, version, why):
    with_images(door)
    for number, (result, status, minute) in enumerate((first, second)):
        obr = OBR.replace("20260112101500", f"20260112{minute}00")
        assert door.code(oru(bilirubin(result, status=status), obr=obr, control_id=str(number))) == "AA"
    (kept,) = door.results()
    assert (str(kept["valueQuantity"]["value"]), kept["meta"]["versionId"]) == (value, version), why


def test_a_new_result_has_the_newest_study_assessed_again(door):
    with_images(door)
    with door.bench.engine.begin() as connection:
        connection.execute(sa.delete(t.job))
    door.send(oru())
    assert [(row.kind, row.ref) for row in door.rows(t.job)] == [("assess", "1.2.3")]


def test_a_new_result_passes_over_a_study_that_is_a_wrong_patients(door):
    """That study is never assessed: had it been asked for, nobody would have seen the result."""
    with_images(door)
    later = replace(
        receipt("1.2.4.1", study="1.2.4", patient="12345", date="20260105"), issuer_of_patient_id="HOSPITAL"
    )
    door.bench.inbox.receive(later)
    with door.bench.engine.begin() as connection:
        connection.execute(sa.update(t.study).where(t.study.c.study_instance_uid == "1.2.4").values(state="rejected"))
        connection.execute(sa.delete(t.job))
    door.send(oru())
    assert [(row.kind, row.ref) for row in door.rows(t.job)] == [("assess", "1.2.3")]


def test_a_hint_keeps_nothing_and_has_the_record_looked_at(tmp_path):
    door = make_door(tmp_path, results="hint")
    with_images(door)
    assert door.code(oru()) == "AA"
    assert door.results() == []
    assert [row.polled_at for row in door.rows(t.patient)] == [0.0]


@pytest.mark.parametrize("results", ["record", "hint"])
def test_results_of_somebody_without_images_wait_or_are_not_kept(tmp_path, results):
    door = make_door(tmp_path, results=results)
    assert door.code(oru()) == "AA"
    assert len(door.results()) == (results == "record")
    assert door.rows(t.job) == []


def test_results_whose_patient_never_comes_are_dropped_in_their_time(door):
    door.send(oru())
    door.bench.clock.seconds += 91 * 86400
    door.send(oru(pid=PID.replace("12345", "777"), control_id="2"))
    assert door.results() == []
    assert len(door.results("777")) == 1


def test_a_result_of_another_authority_is_never_this_patients(door):
    with_images(door)
    door.send(oru(pid="PID|1||12345^^^OTHER&9.9&ISO^MR"))
    assert door.results() == []


def test_an_order_is_kept_as_context_and_makes_us_look(door):
    case_ref = with_images(door)
    door.send(block(header(kind="OMI^O23^OMI_O23"), PID, *ORDER, IPC))
    (row,) = door.rows(t.message)
    assert json.loads(row.context) == [
        {
            "control": "NW", "state": "ordered", "placer": "P77", "filler": "A77", "procedure_code": "CTLIV",
            "procedure_system": "L", "accession": "ACC-78", "study_instance_uid": "1.2.840.99.1", "modality": "CT",
        }
    ]  # fmt: skip
    assert row.case_ref == case_ref
    assert [one.polled_at for one in door.rows(t.patient)] == [0.0]


def test_a_cancelled_order_says_so(door):
    door.send(block(header(kind="ORM^O01"), PID, ORDER[0].replace("|NW|", "|CA|"), ORDER[1]))
    assert json.loads(door.rows(t.message)[0].context)[0]["state"] == "cancelled"


def test_while_the_ledger_is_away_the_sender_keeps_its_message(door):
    with door.bench.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE message RENAME TO elsewhere"))
    (ack,) = door.send(oru())
    assert (ack["MSA"][1], ack["ERR"][3].split("^")[0]) == ("AR", "207")
    with door.bench.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE elsewhere RENAME TO message"))
    assert door.code(oru()) == "AA"


def test_a_batch_is_answered_by_a_batch(door):
    sent = block("BHS|^~\\&|LIS", header(control_id="1"), PID, OBR, bilirubin(), header(control_id="2"), PID, OBR,
                 bilirubin("x"), "BTS|2")  # fmt: skip
    (answer,) = door.intake.answer(sent)
    lines = answer.decode().rstrip("\r").split("\r")
    assert (lines[0][:4], lines[-1]) == ("BHS|", "BTS|2")
    assert [line for line in lines if line.startswith("MSA")] == ["MSA|AA|1", "MSA|AE|2"]


@pytest.mark.parametrize(
    ("charset", "codec"),
    [("8859/1", "iso8859-1"), ("UNICODE UTF-8", "utf-8"), ("8859/15", "iso8859-15"), ("UTF-8", "utf-8")],
)
def test_characters_are_those_that_are_declared(door, charset, codec):
    with_images(door)
    assert door.code(block(header(charset=charset), PID, OBR, bilirubin(unit="µmol/L"), charset=codec)) == "AA"
    assert door.results()[0]["valueQuantity"]["unit"] == "µmol/L"


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_segments_that_end_otherwise_are_read(door, ending):
    assert door.code(oru().replace(b"\r", ending.encode())) == "AA"


def test_separators_of_the_sender_are_its_own(door):
    with_images(door)
    swapped = oru().decode().translate(str.maketrans({"|": "#", "^": "*"})).replace("MSH#*~\\&", "MSH#*~\\&")
    assert door.code(swapped.encode()) == "AA"
    assert len(door.results()) == 1


def test_what_is_escaped_is_unescaped_and_leaves_escaped(door):
    (ack,) = door.send(oru(control_id=r"A\T\B"))
    assert ack["MSA"][2] == r"A\T\B"


def test_a_case_that_is_forgotten_leaves_no_message_and_no_result(door):
    case_ref = with_images(door)
    door.send(oru())
    door.send(oru(pid=PID.replace("12345", "777"), control_id="2"))
    with door.bench.engine.begin() as connection:
        forget_case(connection, case_ref)
    assert door.results() == []
    assert len(door.results("777")) == 1
    assert case_ref not in {row.case_ref for row in door.rows(t.message)}
    assert len(door.rows(t.message)) == 1


def test_the_kinds_are_those_of_the_statement():
    assert set(KINDS) == {("ORU", "R01"), ("ORM", "O01"), ("OMI", "O23"), ("ADT", "A40")}
    assert acknowledged(b"MSH|^~\\&\r")["MSH"][2] == "^~\\&"


def test_a_patient_who_is_named_before_each_order_keeps_every_result(door):
    """Some laboratories begin with PID again for each OBR: each group's results are this patient's."""
    other = OBR.replace("L26-001", "L26-002")
    content = block(header(), PID, OBR, bilirubin("17"), PID, other, bilirubin("18"))
    assert door.code(content) == "AA"
    assert sorted(str(one["valueQuantity"]["value"]) for one in door.results()) == ["17", "18"]


@pytest.mark.parametrize("version", ["2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6"])
@pytest.mark.parametrize("accept", ["", "AL"])
def test_another_library_finds_our_acknowledgements_valid(door, version, accept):
    """hl7apy knows the structure, the cardinalities and the data types of every version."""
    for number, (content, code) in enumerate((((), "A"), ((bilirubin("x"),), "E"))):
        (ack,) = door.intake.answer(oru(*content, version=version, accept=accept, control_id=str(number)))
        strict = VALIDATION_LEVEL.STRICT
        if version != "2.3":  # there MSH-9 names no structure that the judge could go by
            assert parse_message(ack.decode(), validation_level=strict).validate(report_file=None)
        read = {one.name: one for one in parse_segments(ack.decode(), version=version, validation_level=strict)}
        assert all(one.validate(report_file=None) for one in read.values())
        assert list(read)[:2] == ["MSH", "MSA"]
        assert (read["MSA"].msa_1.value, read["MSA"].msa_2.value) == (f"{'C' if accept else 'A'}{code}", str(number))
        assert read["MSH"].msh_12.value == version
