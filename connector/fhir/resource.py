"""Looks into raw FHIR JSON safely: origin, codes, dates and references, whatever a server left out."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

Json = Mapping[str, Any]
Key = tuple[str, str]  # (system, code)

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ATC = "http://www.whocc.no/atc"
ICD_O_3 = ("http://terminology.hl7.org/CodeSystem/icd-o-3", "urn:oid:2.16.840.1.113883.6.43.1")
ICD_10 = (
    "http://hl7.org/fhir/sid/icd-10",
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
    "http://fhir.de/CodeSystem/dimdi/icd-10-gm",
    "urn:oid:2.16.840.1.113883.6.90",
)


def reference_of(resource: Json) -> str:
    """Reference without version: `Observation/17`."""
    return f"{resource.get('resourceType', 'Resource')}/{resource.get('id', '(no id)')}"


def origin_of(resource: Json) -> str:
    """Reference with version, as it enters an `Observed`: `Observation/17/_history/3`."""
    version = items(resource, "meta").get("versionId")
    return f"{reference_of(resource)}/_history/{version}" if version else reference_of(resource)


def items(resource: Json, name: str) -> Json:
    """The object at a name, or an empty one."""
    value = resource.get(name)
    return value if isinstance(value, Mapping) else {}


def members(resource: Json, name: str) -> list[Json]:
    """Objects of a repeating element; anything else in it is left out."""
    value = resource.get(name)
    return [member for member in value if isinstance(member, Mapping)] if isinstance(value, list) else []


def codings(concept: Any) -> Iterator[Key]:
    """(system, code) pairs of a CodeableConcept."""
    if isinstance(concept, Mapping):
        for coding in members(concept, "coding"):
            if isinstance(coding.get("code"), str):
                yield str(coding.get("system", "")), coding["code"]


def has_code(concept: Any, accepted: frozenset[Key] | set[Key]) -> bool:
    """Whether one coding of the concept is accepted."""
    return any(key in accepted for key in codings(concept))


def codes_in(concept: Any, system: str) -> list[str]:
    """Codes of the concept in one system."""
    return [code for found, code in codings(concept) if found == system]


def icd_10(concept: Any) -> list[str]:
    """ICD-10 codes of the concept, without point: `C787`."""
    return [code.replace(".", "").upper() for system, code in codings(concept) if system in ICD_10]


def words(concept: Any) -> str:
    """Everything a CodeableConcept says in words, in lower case."""
    if not isinstance(concept, Mapping):
        return ""
    spoken = [concept.get("text"), *(coding.get("display") for coding in members(concept, "coding"))]
    return " ".join(word for word in spoken if isinstance(word, str)).casefold()


def moment(text: Any) -> datetime | None:
    """
    A FHIR date or dateTime as a moment that can be ordered; None for a partial date, which says no day.

    A date without time counts as its midnight UTC; it is only used to order resources.
    """
    if not isinstance(text, str) or len(text) < len("2026-01-02"):
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def day(text: Any) -> date | None:
    """The calendar day as it was written where the patient was, None for a partial date."""
    if not isinstance(text, str):
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        return None


def timing(resource: Json, name: str) -> Any:
    """The text of a [x] date choice: `nameDateTime`, `nameInstant`, `nameDate`, or the end or start of `namePeriod`."""
    for suffix in ("DateTime", "Instant", "Date"):
        if isinstance(resource.get(name + suffix), str):
            return resource[name + suffix]
    period = items(resource, f"{name}Period")
    return period.get("end") or period.get("start")


def patient_of(resource: Json) -> str | None:
    """The patient a resource is about (`Patient/17`), from `subject` or `patient`; None when it does not say."""
    for name in ("subject", "patient"):
        reference = items(resource, name).get("reference")
        if isinstance(reference, str):
            return short_reference(reference)
    return None


def short_reference(reference: str) -> str:
    """`Patient/17` from an absolute or versioned reference; a urn stays as it is."""
    if reference.startswith("urn:"):
        return reference
    parts = reference.split("/_history/", maxsplit=1)[0].rstrip("/").split("/")
    return "/".join(parts[-2:])


def study_day_of(entries: Sequence[Json]) -> str:
    """The day of the assessed images, as a transaction of ours says it; empty when none was read."""
    for entry in entries:
        resource = items(entry, "resource")
        if resource.get("resourceType") == "CarePlan":
            return str(items(resource, "period").get("start", ""))
        if resource.get("resourceType") == "Observation":
            return str(resource.get("effectiveDateTime", ""))
    return ""


def replaced(value: Any, places: Mapping[str, str]) -> Any:
    """The value with each reference turned into the address it stands for."""
    if isinstance(value, dict):
        return {
            key: places.get(one, one) if key == "reference" and isinstance(one, str) else replaced(one, places)
            for key, one in value.items()
        }
    return [replaced(one, places) for one in value] if isinstance(value, list) else value
