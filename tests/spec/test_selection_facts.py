"""What a fact may be: names, types, ranges, words, and the sentence for everything else."""

from decimal import Decimal

import pytest

from connector.core.catalogue import FACTS, Facts, Sums, read_fact
from connector.core.errors import BadCase
from connector.core.fact_types import ENDLESS


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("informed_consent", True, True),
        ("histology", "MTC", "MTC"),
        ("ret_mutation", "M918T", "M918T"),
        ("liver_lesion_count", 3, 3),
        ("liver_lesion_count", 0, 0),
        ("liver_lesion_count", 999, 999),
        ("lung_shunt_fraction", Decimal("0.1"), Decimal("0.1")),
        ("lung_shunt_fraction", 1, Decimal(1)),
        ("lung_shunt_fraction", "0.05", Decimal("0.05")),
        ("calcitonin_change_percent", "-40", Decimal(-40)),
        ("calcitonin_doubling_time_months", "not_rising", ENDLESS),
        ("calcitonin_doubling_time_months", ENDLESS, ENDLESS),
        ("liver_lesion_diameters_mm", [12, "9.5"], (Decimal(12), Decimal("9.5"))),
        ("liver_symptoms", [], frozenset()),
        ("liver_symptoms", ["itching", "flushing"], frozenset({"itching", "flushing"})),
        ("liver_symptoms", frozenset({"itching"}), frozenset({"itching"})),
    ],
)
def test_a_fact_is_read(name, raw, expected):
    value = read_fact(name, raw)
    assert value == expected
    assert type(value) is type(expected)
    assert read_fact(name, value) == value, "a typed value is read as itself"


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("informed_consent", "yes", "must be true or false"),
        ("informed_consent", 1, "must be true or false"),
        ("informed_consent", None, "leave the fact out if it is not known"),
        ("histology", "papillary", "must be one of PTC, FTC"),
        ("histology", 3, "must be one of"),
        ("ret_mutation", "", "one line"),
        ("ret_mutation", "x" * 201, "one line"),
        ("ret_mutation", "a\nb", "one line"),
        ("liver_lesion_count", 2.5, "whole number"),
        ("liver_lesion_count", Decimal(2), "whole number"),
        ("liver_lesion_count", True, "whole number"),
        ("liver_lesion_count", -1, ">= 0 and <= 999"),
        ("liver_lesion_count", 1000, ">= 0 and <= 999"),
        ("liver_lesion_largest_diameter_mm", 0, "> 0"),
        ("liver_lesion_largest_diameter_mm", True, "must be a number"),
        ("liver_lesion_largest_diameter_mm", "12 mm", "without a unit"),
        ("liver_lesion_largest_diameter_mm", 0.1, "must be a number"),
        ("liver_lesion_largest_diameter_mm", Decimal("NaN"), "finite"),
        ("liver_lesion_largest_diameter_mm", Decimal("Infinity"), "finite"),
        ("liver_lesion_largest_diameter_mm", 10**10, "larger than any measurement"),
        ("lung_shunt_fraction", 15, "did you mean percent?"),
        ("lung_shunt_fraction", Decimal("-0.1"), ">= 0 and <= 1"),
        ("liver_tumour_burden_percent", Decimal("100.1"), "check the value and its unit"),
        ("child_pugh_score", 4, ">= 5 and <= 15"),
        ("liver_lesion_diameters_mm", [12, 0], "> 0"),
        ("liver_lesion_diameters_mm", 12, "must be a list"),
        ("liver_lesion_diameters_mm", [1] * 10_001, "at most 10000"),
        ("liver_symptoms", "itching", "must be a list"),
        ("liver_symptoms", ["fatigue"], "is not allowed in the list"),
        ("liver_symptoms", [["itching"]], "is not allowed in the list"),
        ("patient_declined_modalities", ["chemotherapy"], "use surgery, RFA"),
        ("liver_lesions", 3, "unknown fact"),
        ("cumulative_lung_dose_gy", 3, "unknown fact"),
    ],
)
def test_a_wrong_fact_is_refused_with_what_to_do(name, raw, says):
    with pytest.raises(BadCase, match=name) as refused:
        read_fact(name, raw)
    assert refused.value.field == f"facts.{name}"
    assert says in refused.value.message


def test_the_catalogue_tells_every_fact():
    assert len(FACTS) == 153 + 15, "153 clinical facts, and 15 parts that others are computed from"
    for name, fact in FACTS.items():
        assert fact.name == name
        assert fact.if_missing
        assert fact.type_name
        assert isinstance(fact.allowed, str)
    assert not set(vars(Sums)) & set(FACTS)


@pytest.mark.parametrize(
    ("fact", "allowed", "asked"),
    [
        (Facts.histology, "PTC, FTC, HTC, DTC_NOS, PDTC, MTC, ATC", True),
        (Facts.liver_lesion_diameters_mm, "each > 0", False),
        (Facts.calcitonin_doubling_time_months, "> 0, or not_rising", True),
        (Facts.informed_consent, "true, false", True),
        (Facts.ecog_ps, ">= 0 and <= 5", False),
        (Facts.liver_symptoms, "diarrhoea, abdominal_pain, hyperthyroidism, flushing, itching, other", False),
        (Facts.ret_mutation, "one line of at most 200 characters", False),
    ],
)
def test_a_fact_prints_what_is_allowed(fact, allowed, asked):
    assert (fact.allowed, fact.is_asked) == (allowed, asked)
