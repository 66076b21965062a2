"""Reads AllergyIntolerances: whether contrast media are tolerated, since arterial treatments need them."""

from collections.abc import Sequence

from connector.fhir.record_notes import RecordNotes
from connector.fhir.resource import ATC, SNOMED, Json, Key, codes_in, codings, day, has_code, members, words
from connector.terminology import Concept


def _snomed(code: str, meaning: str) -> Key:
    return SNOMED, Concept(code, "SCT", meaning).code


_CONTRAST = frozenset(
    {
        _snomed("293637006", "Allergy to contrast media"),
        _snomed("385420005", "Contrast media"),
        _snomed("426722004", "Iodinated contrast media"),
        _snomed("419098001", "X-ray contrast media"),
        _snomed("7140000", "Radiographic contrast media"),
    }
)
_NO_KNOWN_ALLERGY = frozenset({_snomed("716186003", "No known allergy")})
_IODINATED = "V08A"  # ATC: X-ray contrast media, iodinated
_AGENTS = ("iohexol", "iopamidol", "iodixanol", "iopromide", "iomeprol", "ioversol", "iobitridol", "iodinated contrast")


def read_allergies(allergies: Sequence[Json], notes: RecordNotes) -> None:
    """Note an allergy to contrast media, or its absence when refuted or no allergy is known; silence says nothing."""
    contrast = [one for one in allergies if _is_contrast(one)]
    for allergy in contrast or [one for one in allergies if has_code(one.get("code"), _NO_KNOWN_ALLERGY)]:
        verification = {code for _, code in codings(allergy.get("verificationStatus"))}
        clinical = {code for _, code in codings(allergy.get("clinicalStatus"))}
        on = day(allergy.get("recordedDate"))
        if "entered-in-error" in verification:
            notes.skip(allergy, "the allergy is marked entered-in-error")
        elif clinical and "active" not in clinical:
            notes.skip(allergy, "the allergy is not active")
        elif "unconfirmed" in verification and not contrast:
            notes.skip(allergy, "no known allergy, but unconfirmed")
        else:
            # An unconfirmed allergy to contrast media is treated as one: the harm is on one side only.
            notes.state("contrast_media_allergy", bool(contrast) and "refuted" not in verification, [allergy], on)


def _is_contrast(allergy: Json) -> bool:
    concepts = [allergy.get("code"), *(part.get("substance") for part in members(allergy, "reaction"))]
    return any(
        has_code(concept, _CONTRAST)
        or any(code.startswith(_IODINATED) for code in codes_in(concept, ATC))
        or any(agent in words(concept) for agent in _AGENTS)
        for concept in concepts
    )
