"""UIDs come from content: the same on any machine, and valid after PS3.5."""

import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.dicom.identity import IMPLEMENTATION_VERSION_NAME, OUR_MANUFACTURER, series_uid, uid_from


def test_the_same_parts_give_the_same_uid_on_every_machine():
    assert uid_from("sr", "1.2.3") == "2.25.179440830264174237272735894451752502998"


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        (("ab", "c"), ("a", "bc"), "parts do not run together"),
        (("a", ""), ("a",), "an empty part counts"),
        (("a", "b"), ("b", "a"), "their order counts"),
    ],
)
def test_other_parts_give_another_uid(one, other, why):
    assert uid_from(*one) != uid_from(*other), why


@given(st.lists(st.text(), max_size=4))
def test_every_uid_is_a_version_8_uuid_below_2_25(parts):
    uid = uid_from(*parts)
    assert re.fullmatch(r"2\.25\.(0|[1-9][0-9]*)", uid)
    assert len(uid) <= 64
    made = uuid.UUID(int=int(uid.removeprefix("2.25.")))
    assert (made.version, made.variant) == (8, uuid.RFC_4122)


def test_a_study_has_one_series_of_each_kind():
    assert series_uid("sr", "1.2.3") == series_uid("sr", "1.2.3")
    assert len({series_uid(kind, study) for kind in ("sr", "pdf") for study in ("1.2.3", "1.2.4")}) == 4


def test_names_fit_their_value_representations():
    assert len(IMPLEMENTATION_VERSION_NAME) <= 16
    assert len(OUR_MANUFACTURER) <= 64
