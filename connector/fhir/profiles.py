"""The profiles of what we write into an EHR: what each resource always holds, by which codes, and an example."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connector.fhir import identity
from connector.fhir.reconcile import OPEN_STATUS
from connector.fhir.resource import LOINC, SNOMED
from connector.fhir.write_document_reference import TUMOUR_BOARD_NOTE
from connector.fhir.write_observations import MEAN_DOSE, RESPONSE, TUMOUR_SIZE, UNVERIFIED
from connector.fhir.write_viability import UPTAKE, VIABILITY, VIABLE_SIZE

Json = dict[str, Any]
_AI = "meta.security.code"
_OBSERVED = ("identifier", "category", "code", "subject", "effectiveDateTime", "device", "derivedFrom")
_DICOM_CODES = "http://dicom.nema.org/resources/ontology/DCM"
# Elements on our paths that repeat (R4).
_LISTS = frozenset({"security", "coding", "category", "component", "content", "agent", "reason"})
_UCUM = "http://unitsofmeasure.org"


@dataclass(frozen=True, slots=True)
class Profile:
    """
    One kind of resource as we write it.

    `code` tells the Observations apart; `fixed` are elements (dots go down, through lists too) with the one value they
    have while a resource is ours and untouched; `always` are elements that are never left out; `systems` the code
    systems of what is coded, that of `code` first.
    """

    name: str
    resource_type: str
    what: str
    fixed: Mapping[str, str]
    always: tuple[str, ...]
    systems: tuple[str, ...] = ()
    code: str | None = None
    shaped_after: str = ""
    told_by: tuple[str, str] = ("", "")  # the element that tells it from others of its type, and its value

    def is_of(self, resource: Json) -> bool:
        """Whether a resource is of this kind."""
        if resource["resourceType"] != self.resource_type:
            return False
        path, value = self.told_by
        told = not path or value in found(resource, path)
        return told and (self.code is None or self.code in found(resource, "code.coding.code"))

    def faults(self, resource: Json) -> list[str]:
        """What of a resource does not keep to this profile."""
        held = {path: found(resource, path) for path in (*self.always, *self.fixed)}
        missing = [f"{path} is missing" for path in self.always if not held[path]]
        other = [f"{path} is {held[path]}" for path, value in self.fixed.items() if value not in held[path]]
        return missing + other


def found(resource: Any, path: str) -> list[Any]:
    """Every value at a path of an element; lists are gone through."""
    values = [resource]
    for name in path.split("."):
        held = [value[name] for value in values if isinstance(value, dict) and name in value]
        values = [each for one in held for each in (one if isinstance(one, list) else [one])]
    return values


def example(profile: Profile) -> Json:
    """The skeleton of a resource of this kind: what is fixed of it; `connector process` writes whole ones."""
    made: Json = {"resourceType": profile.resource_type}
    for path, value in profile.fixed.items():
        _put(made, path.split("."), value)
    if profile.code is not None:
        made["code"] = {"coding": [{"system": profile.systems[0], "code": profile.code}]}
    return made


def _put(into: Json, path: list[str], value: str) -> None:
    name, *rest = path
    if not rest:
        into[name] = value
    elif name in _LISTS:
        held = into.setdefault(name, [{}])
        _put(held[0], rest, value)
    else:
        _put(into.setdefault(name, {}), rest, value)


_MARKED = {_AI: "AIAST"}
_IMAGED = _MARKED | {"status": UNVERIFIED, "category.coding.code": "imaging"}
PROFILES = (
    Profile("software", "Device", "this software in its version", {"status": "active"},
            ("identifier", "manufacturer", "deviceName", "version", "type")),
    Profile("lesion", "BodyStructure", "a lesion for life, by its DICOM tracking UID", _MARKED,
            ("identifier", "morphology", "location", "description", "patient"), (SNOMED,)),
    Profile("lesion size", "Observation", "diameters in mm and volume in mL of a lesion in one study",
            _IMAGED | {"component.valueQuantity.system": _UCUM},
            (*_OBSERVED, "focus", "component"), (LOINC, SNOMED, _UCUM), TUMOUR_SIZE.code, "mCODE STU4 tumor size"),
    Profile("response", "Observation", "response of the study with sum, nadir and changes", _IMAGED,
            (*_OBSERVED, "valueCodeableConcept", "component", "method"), (LOINC, SNOMED, identity.CODE_SYSTEM, _UCUM),
            RESPONSE.code, "mCODE STU4 cancer disease status"),
    Profile("absorbed dose", "Observation", "mean dose of a region in Gy, its least and most, and dose-volume numbers",
            _MARKED | {"status": UNVERIFIED, "category.coding.code": "therapy", "valueQuantity.system": _UCUM,
                       "valueQuantity.code": "Gy"},
            (*_OBSERVED, "valueQuantity", "component", "method"), (_DICOM_CODES, _UCUM), MEAN_DOSE.code),
    Profile("viable size", "Observation", "diameters in mm of the enhancing, viable part of a lesion", _IMAGED,
            (*_OBSERVED, "focus", "component"), (identity.CODE_SYSTEM, _UCUM), VIABLE_SIZE),
    Profile("viability", "Observation", "whether a treated lesion is viable, and since when", _IMAGED,
            (*_OBSERVED, "focus", "valueCodeableConcept"), (identity.CODE_SYSTEM,), VIABILITY),
    Profile("uptake", "Observation", "SUV, functional volume and glycolysis of a lesion in PET", _IMAGED,
            (*_OBSERVED, "focus", "component"), (identity.CODE_SYSTEM, _DICOM_CODES, _UCUM), UPTAKE),
    Profile("risks", "RiskAssessment", "published outcomes with their intervals, and every input in `basis`",
            _MARKED | {"status": "preliminary"},
            ("identifier", "subject", "occurrenceDateTime", "performer", "basis", "method"), (identity.CODE_SYSTEM,)),
    Profile("proposal", "CarePlan", "what is proposed, with its ServiceRequests and Goals; `draft` until superseded",
            _MARKED | {"intent": "proposal", "category.coding.code": "395082007"},
            ("identifier", "status", "subject", "author", "created", "title", "description", "supportingInfo"),
            (SNOMED, identity.MODALITY_SYSTEM)),
    Profile("exclusion", "DetectedIssue", "a rule that excludes a treatment, or facts that contradict each other",
            _MARKED | {"status": OPEN_STATUS["DetectedIssue"]},
            ("identifier", "patient", "author", "detail"), (identity.CODE_SYSTEM,)),
    Profile("report", "DocumentReference", "the board's report as PDF",
            _MARKED | {"status": "current", "docStatus": "preliminary", "type.coding.code": TUMOUR_BOARD_NOTE.code,
                       "content.attachment.contentType": "application/pdf"},
            ("identifier", "type", "subject", "date", "author", "content.attachment.hash", "context.related"),
            (LOINC,)),
    Profile("review", "Task", "the request that the board looks at a result", _MARKED | {"intent": "proposal"},
            ("identifier", "status", "code", "focus", "for", "authoredOn", "requester"), (identity.CODE_SYSTEM,),
            told_by=("intent", "proposal")),
    Profile("request to retract", "Task",
            "the urgent request that a person retracts what we may not, on a wrong patient's images",
            _MARKED | {"intent": "order", "priority": "urgent"},
            ("identifier", "status", "code.text", "for", "authoredOn", "requester", "description"),
            told_by=("intent", "order")),
    Profile("provenance", "Provenance", "appended for each change: who made it from what",
            {"agent.type.coding.code": "author", "reason.coding.code": "AIAST"},
            ("target", "recorded", "agent.who", "entity"), (), told_by=("reason.coding.code", "AIAST")),
    Profile("retraction", "Provenance", "appended for each retraction: which person had what nullified, and when",
            {"activity.coding.code": "NULLIFY", "reason.coding.code": "PATSFTY", "agent.type.coding.code": "author"},
            ("target", "recorded", "agent.who", "reason.text"),
            ("http://terminology.hl7.org/CodeSystem/v3-DataOperation",
             "http://terminology.hl7.org/CodeSystem/v3-ActReason"),
            told_by=("activity.coding.code", "NULLIFY")),
)  # fmt: skip
