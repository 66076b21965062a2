"""Reads Patients and finds the one whose record it is; a wrong patient is the worst outcome there is."""

from collections.abc import Sequence
from datetime import date

from connector.core.case import Identifier, PatientIdentity
from connector.core.errors import ImpossibleInput
from connector.fhir.resource import Json, codings, items, members, reference_of, short_reference

_IDENTIFIER_TYPES = "http://terminology.hl7.org/CodeSystem/v2-0203"
_SEX = {"male": "M", "female": "F", "other": "O"}
_NAME_ORDER = ("official", "usual", None)
_ENDED_NAMES = frozenset({"old", "maiden", "nickname", "anonymous", "temp"})


def read_identity(patient: Json) -> PatientIdentity:
    """Who the patient is to the record; the official name counts, a partial birth date is not known."""
    name = _name(patient)
    given = [part for part in name.get("given", ()) if isinstance(part, str)]
    birth_date = patient.get("birthDate")
    return PatientIdentity(
        identifiers=tuple(_identifiers(patient)),
        family_name=name.get("family"),
        given_name=" ".join(given) or None,
        birth_date=date.fromisoformat(birth_date) if isinstance(birth_date, str) and len(birth_date) == 10 else None,  # noqa: PLR2004 - yyyy-mm-dd
        sex=_SEX.get(str(patient.get("gender"))),
    )


def carries(patient: Json, wanted: Identifier) -> bool:
    """
    Whether the patient carries the identifier in use.

    By value and system; without system by value among identifiers of type MR (HL7 v2 table 0203).
    """
    return any(
        identifier.value == wanted.value
        and (identifier.type_code == "MR" if wanted.system is None else identifier.system == wanted.system)
        for identifier in _identifiers(patient)
    )


def the_one(patients: Sequence[Json], identifiers: Sequence[Identifier]) -> Json:
    """
    The one patient that carries one of the identifiers; a record merged into another gives way to it.

    Raises ImpossibleInput when there is none or more than one.
    """
    found = {
        reference_of(patient): patient
        for patient in patients
        if any(carries(patient, identifier) for identifier in identifiers)
    }
    known = {reference_of(patient): patient for patient in patients}
    surviving = {reference_of(one): one for one in (_survivor(patient, known) for patient in found.values())}
    if not surviving:
        raise ImpossibleInput("no patient in the record carries the identifier: check the issuer mapping, or the ID")
    if len(surviving) > 1:
        raise ImpossibleInput("several patients in the record carry the identifier: resolve the duplicate in the EHR")
    return next(iter(surviving.values()))


def replaced_by(patient: Json) -> str | None:
    """The reference of the record that this one was merged into."""
    for link in members(patient, "link"):
        reference = items(link, "other").get("reference")
        if link.get("type") == "replaced-by" and isinstance(reference, str):
            return short_reference(reference)
    return None


def _survivor(patient: Json, known: dict[str, Json]) -> Json:
    seen = {reference_of(patient)}
    while (target := replaced_by(patient)) is not None:
        if target in seen or target not in known:
            raise ImpossibleInput("the patient was merged into a record that is not at hand: resolve it in the EHR")
        seen.add(target)
        patient = known[target]
    return patient


def _identifiers(patient: Json) -> list[Identifier]:
    found = []
    for identifier in members(patient, "identifier"):
        if identifier.get("use") == "old" or not isinstance(identifier.get("value"), str):
            continue
        types = [code for system, code in codings(identifier.get("type")) if system == _IDENTIFIER_TYPES]
        found.append(
            Identifier(str(identifier["value"]), identifier.get("system"), types[0] if types else None),
        )
    return found


def _name(patient: Json) -> Json:
    names = [name for name in members(patient, "name") if name.get("use") not in _ENDED_NAMES]
    for use in _NAME_ORDER:
        for name in names:
            if name.get("use") == use:
                return name
    return {}
