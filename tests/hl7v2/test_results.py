"""Results of laboratories as FHIR Observations: the same number, unit, day and status, or a reason why not."""

import json
from decimal import Decimal

import pytest
from hl7_case import OBR, PID, ZONE, bilirubin, block, header, oru, reading, segments

from connector.core.case import Identifier
from connector.fhir.identity import canonical_json
from connector.fhir.read_bundle import BundleRecordSource
from connector.hl7v2.message import BadMessage, Place
from connector.hl7v2.results import parse_local_codes, read_results
from connector.hl7v2.times import fhir_time


def observation(*lines, obr=OBR, **more):
    (patient,) = read_results(segments(oru(*lines, obr=obr)), reading(**more))
    (result,) = patient.results
    return result.observation


def facts(*lines):
    """What the record side reads of a message: the proof that number, unit and status arrive where they are used."""
    (patient,) = read_results(segments(oru(*lines)), reading())
    resources = [
        {**one.observation, "id": f"o{place}", "subject": {"reference": "Patient/p1"}}
        for place, one in enumerate(patient.results)
    ]
    mr = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    who = {"resourceType": "Patient", "id": "p1", "identifier": [{"type": mr, "system": "urn:x", "value": "1"}]}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in (who, *resources)]}
    parsed = json.loads(canonical_json(bundle), parse_float=Decimal)
    return BundleRecordSource(parsed).read([Identifier("1", "urn:x")])


@pytest.mark.parametrize(
    ("line", "fact", "value", "why"),
    [
        (bilirubin("17"), "bilirubin_total_umol_l", 17, "molar, with its UCUM code"),
        (bilirubin("1.20", unit="mg/dL"), "bilirubin_total_umol_l", Decimal("20.5247494270174"),
         "1.20 mg/dL are 12.0 mg/L, by 584.66 g/mol"),
        (bilirubin("17", unit="µmol/L"), "bilirubin_total_umol_l", 17, "a unit as it is printed"),
        ("OBX|1|NM|6301-6^INR^LN||1.10|{INR}^^UCUM|||||F", "inr", Decimal("1.10"), "no time of its own: OBR-7"),
        ("OBX|1|NM|ALB^Albumin^L^1751-7^Albumin^LN||38|g/L|35-52||||F", "albumin_g_l", 38, "LOINC as alternate"),
        ("OBX|1|SN|1992-7^Calcitonin^LN||^1250|pg/mL|||||F", "calcitonin_pg_ml", 1250, "a structured number"),
        ("OBX|1|SN|1992-7^Calcitonin^LN||=^12.5|ng/L|||||F", "calcitonin_pg_ml", Decimal("12.5"), "with its sign"),
        ("OBX|1|ST|2160-0^Creatinine^LN||88|umol/L|||||F", "creatinine_umol_l", 88, "a number sent as a text"),
        ("OBX|1|NM|89247-1^ECOG^LN||1||||||F", "ecog_ps", 1, "a score without unit"),
        ("OBX|1|CWE|82810-3^Pregnancy^LN||60001007^Not pregnant^SCT||||||F", "pregnancy_status", "not_pregnant", ""),
        ("OBX|1|NM|8098-6^anti-Tg^LN||4.0|[IU]/mL^^UCUM|<4.1|NEG|||F", "tg_antibodies_positive", False, "by its flag"),
    ],
)  # fmt: skip
def test_a_result_becomes_the_fact_that_it_states(line, fact, value, why):
    record = facts(line)
    assert record.facts[fact].value == value, (why, record.skipped)


@pytest.mark.parametrize(
    ("line", "reason", "why"),
    [
        (bilirubin("<5"), "only a bound", "below the limit of detection is no number"),
        (bilirubin("17", unit="furlong"), "not known", "a unit nobody knows"),
        (bilirubin("17", status="P"), "only final", "a preliminary result decides nothing"),
        (bilirubin("17", status="X"), "only final", "the laboratory could not measure it"),
        (bilirubin("17", status="D"), "only final", "the laboratory took it back"),
    ],
)
def test_a_result_that_cannot_be_used_is_kept_and_told(line, reason, why):
    record = facts(line)
    assert "bilirubin_total_umol_l" not in record.facts, why
    assert reason in " ".join(one.reason for one in record.skipped), why


@pytest.mark.parametrize(
    ("status", "fhir"),
    [("F", "final"), ("C", "corrected"), ("P", "preliminary"), ("S", "preliminary"), ("I", "registered"),
     ("X", "cancelled"), ("D", "entered-in-error"), ("W", "entered-in-error"), ("U", "final")],
)  # fmt: skip
def test_every_status_of_table_0085_has_its_status_in_fhir(status, fhir):
    assert observation(bilirubin(status=status))["status"] == fhir


@pytest.mark.parametrize("status", ["O", "N"])
def test_what_was_only_ordered_is_no_result(status):
    (patient,) = read_results(segments(oru(bilirubin(status=status))), reading())
    assert (patient.results, patient.passed_over) == ([], 1)


@pytest.mark.parametrize(
    ("written", "low", "high"),
    [("3.5-5.0", "3.5", "5.0"), ("3.5 - 5.0", "3.5", "5.0"), ("<21", None, "21"), (">60", "60", None),
     ("negative", None, None), ("", None, None)],
)  # fmt: skip
def test_limits_are_read_where_they_are_numbers(written, low, high):
    ranges = observation(bilirubin(range=written)).get("referenceRange", [{}])
    assert {side: str(ranges[0][side]["value"]) for side in ("low", "high") if side in ranges[0]} == {
        side: value for side, value in (("low", low), ("high", high)) if value
    }


def test_a_local_code_is_read_by_the_laboratorys_list():
    line = "OBX|1|NM|BILG^Bilirubin gesamt^L||17|umol/L|||||F"
    (patient,) = read_results(segments(oru(line)), reading())
    assert patient.passed_over == 1, "without the list nobody knows it"
    code = observation(line, local_codes=parse_local_codes("BILG=1975-2"))["code"]
    assert code["coding"][0] == {"system": "http://loinc.org", "code": "1975-2"}
    assert code["coding"][1] == {"code": "BILG", "display": "Bilirubin gesamt"}


@pytest.mark.parametrize("pairs", ["BILG", "BILG=1975-3", "=1975-2", "BILG="])
def test_a_wrong_list_is_told(pairs):
    with pytest.raises(ValueError, match="CODE=LOINC"):
        parse_local_codes(pairs)


def test_results_that_nobody_reads_are_passed_over_with_all_their_faults():
    lines = ("OBX|1|NM|718-99^unknown^LN||not a number|?|||||F", "OBX|2|ED|PDF^Report^L||^^PDF^Base64^JVBERi0||||||F")
    (patient,) = read_results(segments(oru(*lines, bilirubin(n=3))), reading())
    assert (len(patient.results), patient.passed_over) == (1, 2)


def test_several_patients_of_a_message_keep_their_results():
    other = PID.replace("12345", "777")
    found = read_results(segments(block(header(), PID, OBR, bilirubin("1"), other, OBR, bilirubin("2"))), reading())
    assert [(one.identifiers[0].value, str(one.results[0].observation["valueQuantity"]["value"])) for one in found] == [
        ("12345", "1"),
        ("777", "2"),
    ]


def test_a_correction_has_the_key_of_its_original_and_another_code_has_not():
    def key(*lines):
        (patient,) = read_results(segments(oru(*lines)), reading())
        return patient.results[0].key

    assert key(bilirubin("17")) == key(bilirubin("18", status="C", n=7))
    assert key(bilirubin()) != key(bilirubin().replace("1975-2", "14631-6"))
    assert key(bilirubin()) != key(bilirubin().replace("LN||17", "LN|2|17")), "another sub-id of the same panel"


@pytest.mark.parametrize(
    ("segments_sent", "condition", "place", "why"),
    [
        ([header(), OBR, bilirubin()], 100, Place("OBX", 1), "results of nobody"),
        ([header(), PID, bilirubin()], 100, Place("OBX", 1), "a result without its order"),
        ([header()], 100, Place("PID"), "no patient"),
        ([header(), "PID|1||^^^HOSPITAL^MR", OBR, bilirubin()], 101, Place("PID", 1, 3), "no number of the patient"),
        ([header(), PID, OBR, bilirubin("17,5")], 102, Place("OBX", 1, 5), "a decimal comma: 175 or 17.5?"),
        ([header(), PID, OBR, bilirubin("abc")], 102, Place("OBX", 1, 5), "no number"),
        ([header(), PID, OBR, bilirubin(status="")], 103, Place("OBX", 1, 11), "no status"),
        ([header(), PID, OBR, bilirubin(status="Q")], 103, Place("OBX", 1, 11), "no status of the table"),
        ([header(), PID, OBR, bilirubin().replace("|NM|", "||")], 101, Place("OBX", 1, 2), "no type"),
        ([header(), PID, OBR, bilirubin().replace("|NM|", "|ED|")], 103, Place("OBX", 1, 2), "a picture of a number"),
        ([header(), PID, OBR, bilirubin().replace("20260112080000", "yesterday")], 102, Place("OBX", 1, 14), "no time"),
        ([header(), PID, "OBR|1|P1|L1|X", "OBX|1|NM|6301-6^INR^LN||1.1||||||F"], 101, Place("OBR", 1, 7), "no day"),
        ([header(), PID, "OBR|1|||X|||20260112", bilirubin()], 101, Place("OBR", 1, 3), "an order without number"),
        ([header(), PID, OBR, "OBX|1|SN|1992-7^C^LN||^1^-^2|ng/L|||||F"], 102, Place("OBX", 1, 5), "a range"),
    ],
)  # fmt: skip
def test_a_fault_names_its_place(segments_sent, condition, place, why):
    with pytest.raises(BadMessage) as fault:
        read_results(segments(block(*segments_sent)), reading())
    assert (fault.value.condition, fault.value.place, fault.value.rejects) == (condition, place, False), why
    assert "LESION" not in str(fault.value)
    assert "12345" not in str(fault.value)


@pytest.mark.parametrize(
    ("written", "fhir", "why"),
    [
        ("20260112", "2026-01-12", "a day"),
        ("202601", "2026-01", "a month stays a month"),
        ("2026", "2026", "a year"),
        ("202601120800", "2026-01-12T08:00:00+01:00", "no offset: the laboratory's zone, in winter"),
        ("20260712080000", "2026-07-12T08:00:00+02:00", "and in summer"),
        ("20260112080000.1234-0500", "2026-01-12T08:00:00-05:00", "an offset as sent"),
        ("20261312", None, "no month"),
        ("20260230", None, "no such day"),
        ("12.01.2026", None, "another spelling"),
        ("", None, "nothing"),
    ],
)
def test_times_keep_their_day_and_get_their_offset(written, fhir, why):
    assert fhir_time(written, ZONE) == fhir, why


@pytest.mark.parametrize(
    ("pid3", "identifiers"),
    [
        ("12345^^^HOSPITAL&1.2.36.146&ISO^MR", [("12345", "urn:oid:1.2.36.146", "MR")]),
        ("12345^^^HOSPITAL^PI", [("12345", "urn:oid:1.2.36.146", "MR")]),
        ("12345^^^&1.2.36.146&ISO^MR", [("12345", "urn:oid:1.2.36.146", "MR")]),
        ("12345^^^OTHER&9.9&ISO^MR", [("12345", "urn:oid:9.9", "MR")]),
        ("12345^^^OTHER^MR", [("12345", None, "OTHER")]),
        ("12345", [("12345", None, "MR")]),
        ("A1^^^SSA^SS~12345^^^HOSPITAL^MR", [("A1", None, "SSA"), ("12345", "urn:oid:1.2.36.146", "MR")]),
    ],
)
def test_assigning_authorities_are_those_of_images_and_record(pid3, identifiers):
    (patient,) = read_results(segments(oru(pid=f"PID|1||{pid3}||X")), reading())
    assert [(one.value, one.system, one.type_code) for one in patient.identifiers] == identifiers
