"""Which Observation decides a fact, and what is refused with a reason."""

from datetime import date
from decimal import Decimal

import pytest

from connector.fhir.identity import FACT_SYSTEM

ANSWER = "http://loinc.org"


def value(reading, name):
    return reading.facts[name].value if name in reading.facts else None


def reasons(reading):
    return " | ".join(f"{one.where}: {one.reason}" for one in reading.skipped)


@pytest.mark.parametrize(
    ("code", "number", "unit", "fact", "expected"),
    [
        ("1975-2", Decimal("0.8"), "mg/dL", "bilirubin_total_umol_l", Decimal("13.6831662846783")),
        ("14631-6", 14, "umol/L", "bilirubin_total_umol_l", 14),
        ("1751-7", Decimal("3.9"), "g/dL", "albumin_g_l", 39),
        ("6301-6", Decimal("1.1"), "{INR}", "inr", Decimal("1.1")),
        ("2160-0", 1, "mg/dL", "creatinine_umol_l", Decimal("88.4016973125884")),
        ("1992-7", 1500, "ng/L", "calcitonin_pg_ml", 1500),
        ("2039-6", 12, "ug/L", "cea_ng_ml", 12),
        ("8302-2", 172, "cm", "height_m", Decimal("1.72")),
        ("29463-7", 70, "kg", "weight_kg", 70),
    ],
)
def test_a_laboratory_value_in_any_accepted_unit(fhir, read, code, number, unit, fact, expected):
    observed = read(fhir.observation(code, number, unit)).facts[fact]
    assert observed.value == expected
    assert observed.origin == "Observation/o1/_history/3"
    assert observed.observed_on == date(2026, 1, 10)


@pytest.mark.parametrize(
    ("results", "expected", "why"),
    [
        ([("a", 10, "2026-01-01", "final"), ("b", 20, "2026-01-09", "final")], 20, "the latest stands"),
        ([("b", 20, "2026-01-09", "final"), ("a", 10, "2026-01-01", "final")], 20, "in whatever order they come"),
        ([("a", 10, "2026-01-01", "final"), ("b", 20, "2026-01-09", "preliminary")], 10, "preliminary does not count"),
        ([("a", 10, "2026-01-01", "final"), ("b", 20, "2026-01-09", "entered-in-error")], 10, "nor an error"),
        ([("a", 10, "2026-01-01", "final"), ("b", 20, "2026-01-09", "cancelled")], 10, "nor a cancelled one"),
        ([("a", 10, "2026-01-01", "amended")], 10, "amended counts"),
        (
            [("a", 10, "2026-01-01T09:00:00+01:00", "final"), ("b", 20, "2026-01-01T08:30:00Z", "final")],
            20,
            "by instant",
        ),
        ([("a", 10, "2026-01-01", "final"), ("b", 20, "2026-01-01", "final")], None, "two of one day contradict"),
        ([("a", 10, "2026-01-01", "final"), ("b", 10, "2026-01-01", "final")], 10, "the same twice does not"),
        ([("a", 10, "2026", "final")], None, "a year says no day"),
    ],
)
def test_which_result_decides(fhir, read, results, expected, why):
    resources = [fhir.observation("1751-7", v, "g/L", uid=u, on=on, status=s) for u, v, on, s in results]
    assert value(read(*resources), "albumin_g_l") == expected, why


@pytest.mark.parametrize(
    ("latest", "why"),
    [
        ({"unit": "furlong"}, "unit"),
        ({"comparator": "<"}, "only a bound"),
        ({"value": "1.0"}, "not a number"),
    ],
)
def test_an_unusable_latest_result_is_never_replaced_by_an_older_one(fhir, read, latest, why):
    old = fhir.observation("1992-7", 1500, "pg/mL", uid="old", on="2025-06-01")
    new = fhir.observation("1992-7", 2, "pg/mL", uid="new", on="2026-01-01")
    new["valueQuantity"] = {**new["valueQuantity"], "code": None, **latest}
    reading = read(old, new)
    assert "calcitonin_pg_ml" not in reading.facts
    assert "calcitonin_pg_ml" not in reading.series, "a trend without the latest value would mislead"
    assert "Observation/new" in reasons(reading)
    assert why in reasons(reading)


def test_an_absent_result_was_not_measured_and_leaves_the_older_one(fhir, read):
    old = fhir.observation("1751-7", 40, "g/L", uid="old", on="2025-06-01")
    new = fhir.observation("1751-7", uid="new", dataAbsentReason={"text": "haemolysed"})
    assert value(read(old, new), "albumin_g_l") == 40


@pytest.mark.parametrize(
    ("more", "expected", "why"),
    [
        ({"valueInteger": 1}, 1, "a whole number"),
        ({"valueCodeableConcept": {"coding": [{"system": ANSWER, "code": "LA9624-3"}]}}, 2, "the LOINC answer"),
        ({"valueQuantity": {"value": 1, "code": "{score}"}}, 1, "a quantity without unit"),
        ({"valueInteger": 6}, None, "ECOG ends at 5"),
        ({"valueQuantity": {"value": Decimal("1.5")}}, None, "there is no half grade"),
        ({"valueQuantity": {"value": 1, "comparator": ">"}}, None, "a bound is no grade"),
        ({"valueString": "good"}, None, "words are not graded"),
        ({"valueInteger": True}, None, "true is no number"),
    ],
)
def test_ecog(fhir, read, more, expected, why):
    assert value(read(fhir.observation("89247-1", **more)), "ecog_ps") == expected, why


@pytest.mark.parametrize(
    ("more", "fact", "expected"),
    [
        ({"valueInteger": 7}, "child_pugh_score", 7),
        ({"valueInteger": 4}, "child_pugh_score", None),
        ({"valueString": "B"}, "child_pugh_class", "B"),
        ({"valueCodeableConcept": {"text": "Child-Pugh C"}}, "child_pugh_class", "C"),
        ({"valueString": "D"}, "child_pugh_class", None),
    ],
)
def test_child_pugh_is_a_score_or_a_class(fhir, read, more, fact, expected):
    assert value(read(fhir.observation("98153-0", **more)), fact) == expected


@pytest.mark.parametrize(
    ("code", "expected"), [("LA15173-0", "pregnant"), ("LA26683-5", "not_pregnant"), ("LA4489-6", None)]
)
def test_pregnancy(fhir, read, code, expected):
    answer = {"coding": [{"system": ANSWER, "code": code}]}
    assert value(read(fhir.observation("82810-3", valueCodeableConcept=answer)), "pregnancy_status") == expected


@pytest.mark.parametrize(
    ("more", "expected", "why"),
    [
        ({"interpretation": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
                                          "code": "POS"}]}]}, True, "the laboratory says positive"),
        ({"referenceRange": [{"high": {"value": 4, "unit": "[IU]/mL"}}]}, True, "above the laboratory's own limit"),
        ({"referenceRange": [{"high": {"value": 5, "unit": "[IU]/mL"}}]}, False, "at the limit is not above it"),
        ({}, None, "nobody says what is positive"),
    ],
)  # fmt: skip
def test_antibodies_against_thyroglobulin(fhir, read, more, expected, why):
    resource = fhir.observation("8098-6", 5, "[IU]/mL", **more)
    assert value(read(resource), "tg_antibodies_positive") == expected, why


@pytest.mark.parametrize(
    ("tsh", "expected", "why"),
    [
        ((Decimal("0.1"), "m[IU]/L", "2026-01-10"), 14, "suppressed"),
        ((Decimal("29.9"), "m[IU]/L", "2026-01-10"), 14, "just below the stimulated range"),
        ((30, "m[IU]/L", "2026-01-10"), None, "stimulated from 30 mIU/L"),
        ((Decimal("0.1"), "m[IU]/L", "2026-01-09"), None, "a TSH of another day does not tell"),
        (None, None, "without TSH it cannot be told"),
    ],
)
def test_thyroglobulin_is_compared_only_when_it_was_not_stimulated(fhir, read, tsh, expected, why):
    resources = [fhir.observation("3013-0", 14, "ng/mL", uid="tg")]
    if tsh:
        resources.append(fhir.observation("3016-3", tsh[0], tsh[1], uid="tsh", on=tsh[2]))
    assert value(read(*resources), "tg_unstimulated_ng_ml") == expected, why


def test_a_marker_keeps_every_dated_value(fhir, read):
    reading = read(
        fhir.observation("1992-7", 300, "pg/mL", uid="b", on="2025-06-01"),
        fhir.observation("1992-7", 100, "pg/mL", uid="a", on="2025-01-01"),
        fhir.observation("1992-7", 200, "furlong", uid="c", on="2025-03-01"),
    )
    assert [(one.value, one.observed_on) for one in reading.series["calcitonin_pg_ml"]] == [
        (100, date(2025, 1, 1)),
        (300, date(2025, 6, 1)),
    ]
    assert "Observation/c" in reasons(reading)


@pytest.mark.parametrize(
    ("name", "more", "expected", "why"),
    [
        ("surgical_candidate", {"valueBoolean": False}, False, "a board's word"),
        ("performance_status_class", {"valueString": "good"}, "good", "a word of the catalogue"),
        ("performance_status_class", {"valueString": "fine"}, None, "another word is not allowed"),
        ("patient_declined_modalities", {"valueString": "TACE, TARE"}, frozenset({"TACE", "TARE"}), "a set"),
        ("lung_shunt_fraction", {"valueQuantity": {"value": Decimal("8.2"), "code": "%"}}, Decimal("0.082"), "percent"),
        ("lung_shunt_fraction", {"valueQuantity": {"value": Decimal("8.2"), "code": "1"}}, None, "8.2 is no fraction"),
        ("life_expectancy_months", {"valueQuantity": {"value": 6, "code": "mo"}}, 6, "months"),
        ("life_expectancy_months", {"valueInteger": 6}, None, "a number without unit"),
        ("liver_lesion_count", {"valueInteger": 3}, 3, "a count"),
        ("no_such_fact", {"valueBoolean": True}, None, "an unknown name"),
    ],
)
def test_a_fact_stated_by_name(fhir, read, name, more, expected, why):
    reading = read(fhir.observation(name, system=FACT_SYSTEM, **more))
    assert value(reading, name) == expected, why
    assert (expected is None) == (name in reasons(reading))


@pytest.mark.parametrize(
    ("code", "text", "fact", "expected"),
    [
        ("21899-0", "pT3b", "pt_stage", "pT3"),
        ("21899-0", "pT1a(m)", "pt_stage", "pT1a"),
        ("21899-0", "pTX", "pt_stage", None),
        ("21900-6", "pN1b category (finding)", "n_stage", "N1"),
        ("21906-3", "cN0", "n_stage", "cN0"),
        ("21907-1", "cM1", "m_stage", "M1"),
    ],
)
def test_tnm(fhir, read, code, text, fact, expected):
    assert value(read(fhir.observation(code, valueCodeableConcept={"text": text})), fact) == expected


@pytest.mark.parametrize(
    ("gene", "change", "answer", "fact", "expected"),
    [
        ("HGNC:9967", "p.Met918Thr", "LA9633-4", "ret_mutation", "M918T"),
        ("HGNC:9967", "p.Met918Thr", "LA9634-2", "ret_mutation", None),
        ("HGNC:1097", "p.Val600Glu", "LA9633-4", "braf_v600e", True),
        ("HGNC:1097", "p.Val600Glu", "LA9634-2", "braf_v600e", False),
        ("HGNC:1097", "p.Lys601Glu", "LA9633-4", "braf_v600e", None),
    ],
)
def test_variants(fhir, read, gene, change, answer, fact, expected):
    def part(code, answer_code):
        return {
            "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
            "valueCodeableConcept": {"coding": [{"code": answer_code}]},
        }

    resource = fhir.observation(
        "69548-6",
        component=[part("48018-6", gene), part("48005-3", change)],
        valueCodeableConcept={"coding": [{"system": "http://loinc.org", "code": answer}]},
    )
    assert value(read(resource), fact) == expected


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"valueBoolean": True}, True),
        ({"valueCodeableConcept": {"coding": [{"system": "http://snomed.info/sct", "code": "373067005"}]}}, False),
        ({"valueCodeableConcept": {"text": "perhaps"}}, None),
    ],
)
def test_breastfeeding(fhir, read, more, expected):
    assert value(read(fhir.observation("63895-7", **more)), "breastfeeding") == expected


def test_thyroglobulin_named_as_stimulated_is_not_compared(fhir, read):
    named = {"coding": [{"system": "http://loinc.org", "code": "3013-0"}], "text": "Thyroglobulin, stimulated (rhTSH)"}
    tsh = fhir.observation("3016-3", Decimal("0.1"), "m[IU]/L", uid="tsh")
    reading = read({**fhir.observation("3013-0", 14, "ng/mL", uid="tg"), "code": named}, tsh)
    assert value(reading, "tg_unstimulated_ng_ml") is None
    assert "stimulation" in reasons(reading)


def test_a_tsh_in_an_unknown_unit_tells_nothing(fhir, read):
    tsh = fhir.observation("3016-3", 1, "furlong", uid="tsh")
    reading = read(fhir.observation("3013-0", 14, "ng/mL", uid="tg"), tsh)
    assert value(reading, "tg_unstimulated_ng_ml") is None
    assert "TSH" in reasons(reading)


@pytest.mark.parametrize("state", ["preliminary", "entered-in-error", "registered"])
@pytest.mark.parametrize("code", [("http://loinc.org", "21899-0"), (FACT_SYSTEM, "surgical_candidate")])
def test_only_final_statements_count(fhir, read, code, state):
    stated = fhir.observation(code[1], system=code[0], status=state, valueBoolean=True)
    reading = read(stated)
    assert set(reading.facts) == {"sex"}
    assert state in reasons(reading)


def test_of_two_statements_the_later_stands(fhir, read):
    def stated(uid, on, answer):
        return fhir.observation("surgical_candidate", system=FACT_SYSTEM, uid=uid, on=on, valueBoolean=answer)

    assert value(read(stated("a", "2026-01-02", True), stated("b", "2026-01-01", False)), "surgical_candidate") is True
    both = read(stated("a", "2026-01-02", True), stated("b", "2026-01-02", False), stated("c", "2026-01-03", True))
    assert value(both, "surgical_candidate") is None, "a contradiction is not settled by a third word"


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("surgical_candidate", {"valueString": "yes"}),
        ("liver_lesion_count", {"valueQuantity": {"value": 3}}),
        ("performance_status_class", {}),
        ("tn_ratio", {"valueQuantity": {"value": 3, "code": "mg"}}),
        ("liver_lesion_diameters_mm", {"valueString": "10, 20"}),
    ],
)
def test_a_statement_of_the_wrong_form_is_refused(fhir, read, name, more):
    reading = read(fhir.observation(name, system=FACT_SYSTEM, **more))
    assert name not in reading.facts
    assert name in reasons(reading)


def test_a_coded_word_serves_too(fhir, read):
    answer = {"coding": [{"system": FACT_SYSTEM, "code": "poor"}]}
    stated = fhir.observation("performance_status_class", system=FACT_SYSTEM, valueCodeableConcept=answer)
    assert value(read(stated), "performance_status_class") == "poor"
