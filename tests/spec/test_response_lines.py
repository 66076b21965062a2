"""The fast readers and writers of case lines give what the plain ones of the standard library give, or step back."""

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.contract.reading import dumps, exact_line, load
from connector.core.errors import BadCase
from connector.core.response.case import Response

numbers = st.one_of(
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda number: float(number) if abs(number) < 10 else 1.5),
    st.floats(allow_nan=False, allow_infinity=False),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=12,
)


def by_the_standard_library(text):
    return json.loads(text, parse_float=Decimal)


@given(values, st.booleans())
@example({"a": 0.1}, True)
@example({"a": 10**40}, True)
@example(-0.0, True)
def test_a_line_is_read_as_the_standard_library_reads_it_with_decimals_as_written(value, ascii_only):
    text = json.dumps(value, ensure_ascii=ascii_only)
    read, expected = (
        load(text.encode("utf-8", "surrogatepass") if not ascii_only else text),
        by_the_standard_library(text),
    )
    assert repr(read) == repr(expected)


@pytest.mark.parametrize(
    ("text", "expected", "why"),
    [
        ("21.50", Decimal("21.50"), "trailing zeros are kept"),
        ("0.1", Decimal("0.1"), "never through a binary float"),
        ("12345678901234567890.123456789", Decimal("12345678901234567890.123456789"), "nor cut to 17 digits"),
        ("1e-2", Decimal("1e-2"), "an exponent is read here and refused where a decimal is wanted"),
        ('"\\ud800"', "\ud800", "a lone surrogate, which only the slow reader takes"),
        (b"\xef\xbb\xbf[1]", [1], "a byte order mark, as some editors write"),
    ],
)
def test_values_come_as_written(text, expected, why):
    read = load(text)
    assert read == expected, why
    assert str(read) == str(expected), why


@pytest.mark.parametrize(
    ("text", "field", "why"),
    [
        ('{"a": 1, "b": {"c": 2, "c": 3}}', "c", "two values of one name, at any depth"),
        ('{"a": NaN}', "a", "not a number, told by its field"),
        ('{"a": [{"b": 1}, {"b": [2, Infinity]}]}', "b.1", "not finite, within a list"),
        ("-Infinity", "(case)", "not finite, and in no field"),
        ("[1] 2", "(case)", "more than one value"),
        (b'"\xff"', "(case)", "not UTF-8"),
        ("[" * 100_000, "(case)", "nested without end"),
        ("1" * 5000, "(case)", "thousands of digits"),
    ],
)
def test_what_is_refused(text, field, why):
    with pytest.raises(BadCase) as refused:
        load(text)
    assert refused.value.field == field, why


@pytest.mark.parametrize(
    "result",
    [
        {"sum_mm": Decimal("91.00"), "date": date(2025, 1, 2), "response": Response.NON_CR_NON_PD, "flags": ("a", "b")},
        {"policies": frozenset({"b", "a"}), "days": 2**63 - 1, "none": None},
        {"value": 2**70},
        {"value": "\ud800"},
        {"value": Decimal("1E+400")},
    ],
    ids=["words", "sets", "more than 64 bits", "a lone surrogate", "an endless decimal"],
)
def test_a_line_is_written_as_the_plain_writer_writes_it(result):
    assert json.loads(exact_line(result)) == json.loads(dumps(result))
    assert b"\n" not in exact_line(result)
