"""Is the patient in the images the patient in the record? A wrong patient is the worst outcome there is."""

import unicodedata
from collections.abc import Mapping, Sequence

from connector.core.case import Identifier, PatientIdentity
from connector.core.errors import ImpossibleInput

_GERMAN = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "æ": "ae"})


class TwoPatients(ImpossibleInput):
    """The images and the record name two people; `record` is for the person who compares, and is not in the text."""

    def __init__(self, message: str, record: PatientIdentity) -> None:
        super().__init__(message)
        self.record = record


def identifiers_to_search(imaging: PatientIdentity, issuers: Mapping[str, str]) -> tuple[Identifier, ...]:
    """
    Translate the identifiers of the images into those of the record.

    An issuer is mapped to its FHIR system; an identifier without issuer is searched by value among type MR. Raises
    ImpossibleInput when an issuer has no mapping, or when there is no identifier at all.
    """
    found = []
    for identifier in imaging.identifiers:
        if identifier.system is None:
            found.append(Identifier(identifier.value, None, "MR"))
        elif identifier.system in issuers or identifier.system in issuers.values():
            system = issuers.get(identifier.system, identifier.system)
            found.append(Identifier(identifier.value, system))
    if found:
        return tuple(found)
    if imaging.identifiers:
        raise ImpossibleInput(
            "the issuer of the patient ID is not known: add it to CONNECTOR_PATIENT_ISSUERS as ISSUER=system"
        )
    raise ImpossibleInput("the images carry no patient ID: send them again with (0010,0020) filled")


def contradictions(imaging: PatientIdentity, record: PatientIdentity) -> tuple[str, ...]:
    """
    Name what contradicts between two identities; empty when nothing does.

    A value that is missing on one side contradicts nothing. Names are compared without accents, case, blanks and
    hyphens, given names by their first part, and with both usual foldings of umlauts.
    """
    found = []
    if imaging.birth_date and record.birth_date and imaging.birth_date != record.birth_date:
        found.append("birth date")
    if imaging.sex and record.sex and imaging.sex != record.sex:
        found.append("sex")
    if _differ(imaging.family_name, record.family_name):
        found.append("family name")
    if _differ(_first(imaging.given_name), _first(record.given_name)):
        found.append("given name")
    return tuple(found)


def same_patient(identities: Sequence[PatientIdentity]) -> bool:
    """Whether identities of several objects can be one patient: a shared identifier and no contradiction."""
    first, *others = identities
    keys = {(identifier.value, identifier.system) for identifier in first.identifiers}
    return all(
        keys & {(identifier.value, identifier.system) for identifier in other.identifiers}
        and not contradictions(first, other)
        for other in others
    )


def _first(given_name: str | None) -> str | None:
    return given_name.split()[0] if given_name and given_name.split() else None


def _differ(one: str | None, other: str | None) -> bool:
    return bool(one and other) and not (_foldings(one or "") & _foldings(other or ""))


def _foldings(name: str) -> set[str]:
    lowered = name.casefold()
    return {_letters(lowered.translate(_GERMAN)), _letters(lowered)}


def _letters(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name)
    return "".join(character for character in decomposed if character.isalnum())
