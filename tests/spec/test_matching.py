"""When two identities are one patient, and when a person must look."""

from datetime import date

import pytest

from connector.core.case import Identifier, PatientIdentity
from connector.core.errors import ImpossibleInput
from connector.core.matching import contradictions, identifiers_to_search, same_patient

ISSUERS = {"HOSP": "urn:oid:1.2.3"}


def _identity(**values: object) -> PatientIdentity:
    return PatientIdentity(**{"identifiers": (Identifier("1", "HOSP"),), **values})


@pytest.mark.parametrize(
    ("identifiers", "expected", "why"),
    [
        ((Identifier("1", "HOSP"),), (Identifier("1", "urn:oid:1.2.3"),), "an issuer is mapped to its system"),
        (
            (Identifier("1", "urn:oid:1.2.3"),),
            (Identifier("1", "urn:oid:1.2.3"),),
            "an issuer that is the system itself",
        ),
        ((Identifier("1"),), (Identifier("1", None, "MR"),), "without issuer: by value among type MR"),
        (
            (Identifier("1", "HOSP"), Identifier("9", "OTHER")),
            (Identifier("1", "urn:oid:1.2.3"),),
            "an identifier of a foreign issuer is not searched when a known one is there",
        ),
    ],
)
def test_which_identifiers_are_searched(identifiers, expected, why) -> None:
    assert identifiers_to_search(_identity(identifiers=identifiers), ISSUERS) == expected, why


@pytest.mark.parametrize(
    ("identifiers", "message"),
    [((Identifier("1", "OTHER"),), "CONNECTOR_PATIENT_ISSUERS"), ((), "no patient ID")],
)
def test_a_patient_that_cannot_be_searched_is_set_aside(identifiers, message) -> None:
    with pytest.raises(ImpossibleInput, match=message):
        identifiers_to_search(_identity(identifiers=identifiers), ISSUERS)


@pytest.mark.parametrize(
    ("imaging", "record", "expected", "why"),
    [
        ({}, {}, (), "nothing known contradicts nothing"),
        ({"sex": "F"}, {}, (), "one side silent"),
        ({"sex": "F"}, {"sex": "M"}, ("sex",), "two sexes"),
        ({"birth_date": date(1960, 1, 2)}, {"birth_date": date(1960, 2, 1)}, ("birth date",), "day and month swapped"),
        ({"family_name": "MUELLER"}, {"family_name": "Müller"}, (), "umlaut written out"),
        ({"family_name": "MULLER"}, {"family_name": "Müller"}, (), "umlaut dropped"),
        ({"family_name": "MULLER"}, {"family_name": "Miller"}, ("family name",), "another name"),
        ({"family_name": "GARCIA LOPEZ"}, {"family_name": "García-López"}, (), "accents, blanks and hyphens"),
        ({"given_name": "ANNA MARIA"}, {"given_name": "Anna"}, (), "a middle name on one side"),
        ({"given_name": "ANNA"}, {"given_name": "Maria"}, ("given name",), "another given name"),
        ({"given_name": " "}, {"given_name": "Maria"}, (), "a blank is not a name"),
        ({"family_name": "山田"}, {"family_name": "山田"}, (), "any script"),
        (
            {"sex": "F", "family_name": "A"},
            {"sex": "M", "family_name": "B"},
            ("sex", "family name"),
            "everything that contradicts is named",
        ),
    ],
)
def test_what_contradicts(imaging, record, expected, why) -> None:
    assert contradictions(_identity(**imaging), _identity(**record)) == expected, why


@pytest.mark.parametrize(
    ("other", "expected", "why"),
    [
        (_identity(), True, "the same identifier"),
        (_identity(identifiers=(Identifier("2", "HOSP"), Identifier("1", "HOSP"))), True, "one identifier is shared"),
        (_identity(identifiers=(Identifier("1", "OTHER"),)), False, "the same value of another issuer"),
        (_identity(sex="M"), False, "the same identifier, another sex"),
    ],
)
def test_objects_of_one_patient(other, expected, why) -> None:
    assert same_patient([_identity(sex="F"), other]) is expected, why
    assert same_patient([_identity()])
