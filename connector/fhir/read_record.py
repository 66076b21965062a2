"""Parses the FHIR R4 resources of one patient to our types: pure, without network, the same for a file and an EHR."""

from collections.abc import Iterable, Mapping, Sequence

from connector.core.case import RecordReading
from connector.core.evidence import Observed
from connector.fhir.identity import FACT_SYSTEM
from connector.fhir.observation_codes import GRADED_CODES, OBSERVATION_CODES
from connector.fhir.read_allergies import read_allergies
from connector.fhir.read_conditions import read_conditions
from connector.fhir.read_laboratory import read_laboratory
from connector.fhir.read_medications import read_medications
from connector.fhir.read_observations import read_observations
from connector.fhir.read_pathology import READ_CODES, read_pathology
from connector.fhir.read_patient import read_identity
from connector.fhir.read_procedures import read_procedures
from connector.fhir.read_stated_facts import read_stated_facts
from connector.fhir.read_temperature import read_temperatures
from connector.fhir.record_notes import RecordNotes
from connector.fhir.resource import Json, codings, patient_of, reference_of

READ_TYPES = (
    "Observation",
    "Condition",
    "Procedure",
    "MedicationRequest",
    "MedicationStatement",
    "MedicationAdministration",
    "AllergyIntolerance",
)
_READ = frozenset().union(OBSERVATION_CODES["(any)"], READ_CODES, *GRADED_CODES.values())
_SEX = {"M": "male", "F": "female"}


def read_record(resources: Iterable[Json], *, patient: Json, patient_reference: str | None = None) -> RecordReading:
    """
    Read everything that the resources say about the patient.

    A resource about someone else, or about nobody, is listed and not used. `patient_reference` is how a writer refers
    to the patient, when that is not the plain reference.
    """
    notes = RecordNotes()
    own = _own(resources, reference_of(patient), notes)
    identity = read_identity(patient)
    if identity.sex in _SEX:
        notes.state("sex", _SEX[identity.sex], [patient], None)
    observations = own["Observation"]
    read_observations(observations, notes)
    read_pathology(observations, notes)
    read_stated_facts(observations, notes)
    read_conditions(own["Condition"], notes)
    read_procedures(own["Procedure"], own["MedicationAdministration"], notes)
    medications = {reference_of(one): one for one in own["Medication"]}
    read_medications([*own["MedicationRequest"], *own["MedicationStatement"]], medications, notes)
    read_allergies(own["AllergyIntolerance"], notes)
    read_temperatures(observations, notes)
    labs = read_laboratory(observations, notes)
    return RecordReading(
        identity=identity,
        patient_reference=patient_reference or reference_of(patient),
        facts=dict(sorted(notes.facts.items())),
        references=dict(sorted(notes.references.items())),
        skipped=tuple(sorted(set(notes.skipped), key=lambda one: (one.where, one.reason))),
        series=dict(sorted(notes.series.items())),
        treatments=tuple(sorted(set(notes.treatments), key=_in_order)),
        labs=labs,
    )


def is_read(observation: Json) -> bool:
    """Whether an Observation carries a code from which a fact may be read."""
    codes = set(codings(observation.get("code")))
    return bool(codes & _READ) or any(system == FACT_SYSTEM for system, _ in codes)


def _in_order(treatment: Observed[str]) -> tuple[str, str, str]:
    return str(treatment.observed_on or ""), treatment.value, treatment.origin


def _own(resources: Iterable[Json], patient: str, notes: RecordNotes) -> Mapping[str, Sequence[Json]]:
    """Resources by type, in an order that does not depend on the server's."""
    own: dict[str, list[Json]] = {name: [] for name in (*READ_TYPES, "Medication")}
    for resource in sorted(resources, key=reference_of):
        kind = resource.get("resourceType")
        if kind == "Medication":
            own["Medication"].append(resource)
        elif isinstance(kind, str) and kind in own:
            about = patient_of(resource)
            if about == patient:
                own[kind].append(resource)
            else:
                notes.skip(resource, "it is about nobody" if about is None else "it is about another patient")
    return own
