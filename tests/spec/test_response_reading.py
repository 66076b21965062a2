"""The short way of reading a case of lesions takes what the models take, to the same case, and leaves them the rest."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.contract import respond_lesions
from connector.contract.reading import parse
from connector.contract.respond_lesions import LesionsCase, read_lesions
from connector.core.errors import BadCase
from connector.core.response.case import NewLesion

LESION = {"id": "T01", "role": "target", "site": "liver", "lymph_node": False}
VISIT = {"date": "2025-01-02", "measurements": {"T01": "21.0"}, "new_lesion": "none"}
CASE = {"criteria": "recist-1.1", "treatment_start": "2025-01-02", "lesions": [LESION], "visits": [VISIT]}

ODD = st.sampled_from(
    [None, True, False, 0, 1, -1, Decimal("1.5"), "", "x", "none", "absent", "merged:T01", "0", " 5 ", "+5", "5.",
     "1e2", "2025-02-30", "2025-01", "long_axis", "Bauchhöhle", "\ud800", "li\0ver", "\x7f", "li\u00a0ver",
     "\u0085", [], ["1", "2"], ["1"], [[]], {}, {"T01": 3}]
)  # fmt: skip
FIELDS = {
    "case": ["criteria", "treatment_start", "lesions", "visits", "policies", "readers", "new_therapy_date",
             "death_date", "last_contact_date", "other"],
    "lesion": ["id", "role", "site", "lymph_node", "axis", "slice_thickness_mm", "other"],
    "visit": ["date", "measurements", "new_lesion", "label", "reader", "markers_normal", "confirms_equivocal_of",
              "other"],
}  # fmt: skip


@st.composite
def nearly_right(draw):
    """A right case in which up to two fields, anywhere, hold something odd."""
    parts = {"case": dict(CASE), "lesion": dict(LESION), "visit": dict(VISIT)}
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from(sorted(parts)))
        parts[name][draw(st.sampled_from(FIELDS[name]))] = draw(ODD)
    case = parts["case"]
    if case["lesions"] is CASE["lesions"]:
        case["lesions"] = [parts["lesion"]]
    if case["visits"] is CASE["visits"]:
        case["visits"] = [parts["visit"]]
    return case


def by_the_models(case):
    return respond_lesions.of_models(parse(LesionsCase, case))


@given(nearly_right())
def test_whatever_the_short_way_takes_the_models_take_to_the_same_case(case):
    plain = respond_lesions.plain_case(case)
    if plain is not None:
        assert plain == by_the_models(case)


@given(nearly_right())
def test_a_case_is_read_or_refused_as_by_the_models(case):
    def outcome(read):
        try:
            return read(case)
        except BadCase as fault:
            return (fault.field, repr(fault.value), fault.message)

    if "readers" not in case:
        assert outcome(lambda one: read_lesions(one)[0]) == outcome(by_the_models)


@pytest.mark.parametrize(
    ("part", "field", "value"),
    [
        ("case", "policies", {"confirm": True, "max_ne": 0}),
        ("case", "policies", {}),
        ("case", "death_date", "2026-01-02"),
        ("case", "death_date", None),
        ("lesion", "axis", "long_axis"),
        ("lesion", "slice_thickness_mm", Decimal("2.5")),
        ("visit", "label", "C1"),
        ("visit", "markers_normal", False),
        ("visit", "measurements", {"T01": ["12", 9]}),
    ],
)
def test_what_users_write_goes_the_short_way(part, field, value):
    parts = {"case": dict(CASE), "lesion": dict(LESION), "visit": dict(VISIT)}
    parts[part][field] = value
    case = {**parts["case"], "lesions": [parts["lesion"]], "visits": [parts["visit"]]}
    assert respond_lesions.plain_case(case) == by_the_models(case)


def test_the_case_that_is_read():
    read, readers = read_lesions(CASE)
    assert readers is None
    assert (read.criteria, read.treatment_start) == ("recist-1.1", date(2025, 1, 2))
    assert [lesion.id for lesion in read.targets] == ["T01"]
    (visit,) = read.visits
    assert (visit.on, visit.new_lesion) == (date(2025, 1, 2), NewLesion.NONE)
    assert visit.measurements["T01"].diameters_mm == (Decimal("21.0"),)
