"""Reads Procedures: earlier local treatments of the liver and the lung, and the radioiodine given in a lifetime."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from connector.core.units import mci_from_gbq
from connector.fhir import ucum
from connector.fhir.identity import MODALITY_SYSTEM
from connector.fhir.read_treatments import note_procedure
from connector.fhir.record_notes import RecordNotes, Unusable
from connector.fhir.resource import (
    ATC,
    SNOMED,
    Json,
    Key,
    codes_in,
    codings,
    day,
    has_code,
    items,
    members,
    reference_of,
    short_reference,
    timing,
)
from connector.terminology import Concept

CPT = "http://www.ama-assn.org/go/cpt"
LOCAL_MODALITIES = frozenset(
    {"surgery", "RFA", "MWA", "laser", "cryoablation", "PEI", "TACE", "TAE", "TARE", "ablation_plus_TACE"}
)
_ABLATIONS = frozenset({"RFA", "MWA", "laser", "cryoablation", "PEI", "lung_RFA"})


def _snomed(code: str, meaning: str) -> Key:
    return SNOMED, Concept(code, "SCT", meaning).code


_LIVER = frozenset({_snomed("10200004", "Liver structure"), _snomed("76015000", "Hepatic artery")})
_LUNG = frozenset({_snomed("39607008", "Lung structure")})
# Codes that name the treatment and the liver together.
_OF_THE_LIVER: Mapping[Key, str] = {
    _snomed("107963000", "Liver excision"): "surgery",
    (CPT, "47370"): "RFA",
    (CPT, "47380"): "RFA",
    (CPT, "47382"): "RFA",
    (CPT, "47383"): "cryoablation",
    (CPT, "79445"): "TARE",
}
_ANYWHERE: Mapping[Key, str] = {_snomed("879916008", "Radiofrequency ablation"): "RFA"}
_EMBOLISATION = frozenset(
    {_snomed("57238002", "Selective embolization of artery"), _snomed("16736007", "Transcatheter embolization")}
)
_RADIOPHARMACEUTICAL = frozenset({_snomed("440252007", "Administration of radiopharmaceutical")})
_Y90 = frozenset({_snomed("764678003", "Yttrium-90 microspheres"), _snomed("14691008", "Yttrium-90"),
                  _snomed("409105003", "Yttrium-90 microspheres (product)")})  # fmt: skip
_I131 = frozenset({_snomed("1368003", "Iodine-131"), _snomed("111160004", "Sodium iodide I-131"), (ATC, "V10XA01"),
                   _snomed("16560241000119104", "Oral radionuclide therapy")})  # fmt: skip
# What every patient has had; it treats no metastasis, so it must not read as a treatment that may be missing.
_OF_THE_NECK = frozenset({_snomed("13619001", "Thyroidectomy"), _snomed("24443003", "Total thyroidectomy"),
                          _snomed("30956003", "Subtotal thyroidectomy"), (CPT, "60240"), (CPT, "60252"),
                          (CPT, "60254"), (CPT, "60260")})  # fmt: skip
_EXTERNAL_BEAM = frozenset({_snomed("33195004", "Teleradiotherapy procedure")})


@dataclass(frozen=True, slots=True)
class _Treatment:
    procedure: Json
    modality: str
    on: date | None


def read_procedures(procedures: Sequence[Json], administrations: Sequence[Json], notes: RecordNotes) -> None:
    """Note earlier treatments; a procedure whose code is not known is listed, since it may be one."""
    liver, lung, radioiodine = [], [], []
    for procedure in procedures:
        try:
            modality, organ = _classify(procedure)
        except Unusable as fault:
            notes.skip(procedure, str(fault))
            continue
        treatment = _Treatment(procedure, modality, day(timing(procedure, "performed")))
        if modality == "RAI" or (organ in ("liver", "lung") and modality in LOCAL_MODALITIES | _ABLATIONS):
            note_procedure(modality, procedure, notes)
        if modality == "RAI":
            radioiodine.append(procedure)
        elif modality == "EBRT" and organ == "liver":
            notes.state("prior_ebrt_target", True, [procedure], treatment.on)
        elif organ == "lung" and modality in _ABLATIONS:
            lung.append(treatment)
        elif organ == "liver" and modality in LOCAL_MODALITIES:
            liver.append(treatment)
        else:
            notes.skip(procedure, f"{modality} of a site that no fact speaks of, so nothing is taken from it")
    _note_liver(liver, notes)
    if lung:
        notes.state("lung_prior_ablation_count", len(lung), [one.procedure for one in lung], _last_day(lung))
    _note_radioiodine(radioiodine, administrations, notes)


def _classify(procedure: Json) -> tuple[str, str]:
    """(modality, organ). Raises Unusable when it was not done, or when the code does not tell."""
    if next(codings(procedure.get("code")), None) is None:
        raise Unusable("the procedure has no code")
    if procedure.get("status") != "completed":
        raise Unusable(f"status is {procedure.get('status')!r}: only completed procedures are used")
    return treatment_named(procedure)


def treatment_named(procedure: Json) -> tuple[str, str]:
    """The (modality, organ) that a procedure or an order for one names. Raises Unusable when the code does not tell."""
    found = set(codings(procedure.get("code")))
    organ = _organ(procedure)
    named = {_OF_THE_LIVER[key] for key in found if key in _OF_THE_LIVER}
    if len(named) == 1:
        return named.pop(), "liver"
    local = codes_in(procedure.get("code"), MODALITY_SYSTEM)
    if len(local) == 1:
        return local[0], "lung" if local[0] == "lung_RFA" else organ if organ != "unknown" else "liver"
    known = _by_agent_or_code(found, set(_agents(procedure)) | found, organ)
    if known is not None:
        return known
    anywhere = {_ANYWHERE[key] for key in found if key in _ANYWHERE}
    if anywhere and organ != "unknown":
        return anywhere.pop(), organ
    if found & _EMBOLISATION and organ == "liver":
        raise Unusable("an embolisation of the liver: the code does not tell TAE from TACE from TARE, so add our code")
    raise Unusable(
        "the code is not in the accepted list, so an earlier treatment may be missing: add our modality code"
    )


def _by_agent_or_code(found: set[Key], agents: set[Key], organ: str) -> tuple[str, str] | None:
    """What was given, or a code of its own, tells the treatment."""
    if found & _RADIOPHARMACEUTICAL and agents & _Y90:
        return "TARE", "liver" if organ == "unknown" else organ
    if agents & _I131 and not agents & _Y90:
        return "RAI", organ
    if found & _EXTERNAL_BEAM:
        return "EBRT", organ
    return ("surgery", "neck") if found & _OF_THE_NECK else None


def _organ(procedure: Json) -> str:
    for site in members(procedure, "bodySite"):
        if has_code(site, _LIVER):
            return "liver"
        if has_code(site, _LUNG):
            return "lung"
    return "other" if members(procedure, "bodySite") else "unknown"


def _agents(resource: Json) -> Iterator[Key]:
    """What was used: usedCode, the medication, and coded extensions (mCODE and CodeX put the isotope there)."""
    for concept in (*members(resource, "usedCode"), items(resource, "medicationCodeableConcept")):
        yield from codings(concept)
    for extension in _extensions(resource):
        yield from codings(extension.get("valueCodeableConcept"))


def _extensions(resource: Json) -> Iterator[Json]:
    for extension in members(resource, "extension"):
        yield extension
        yield from _extensions(extension)


def _note_liver(treatments: Sequence[_Treatment], notes: RecordNotes) -> None:
    if not treatments:
        return
    procedures = [one.procedure for one in treatments]
    last = _last_day(treatments)
    notes.state("prior_lrt_modalities", frozenset(one.modality for one in treatments), procedures, last)
    notes.state("prior_lrt_count", len(treatments), procedures, last)
    undated = [one for one in treatments if one.on is None]
    latest = [one for one in treatments if one.on == last]
    if undated or len({one.modality for one in latest}) != 1:
        for one in undated or latest:
            notes.skip(one.procedure, "last_lrt_modality: the day is missing, or two treatments share the last day")
        return
    notes.state("last_lrt_modality", latest[0].modality, [latest[0].procedure], last)


def _last_day(treatments: Sequence[_Treatment]) -> date | None:
    return max((one.on for one in treatments if one.on), default=None)


def _note_radioiodine(procedures: Sequence[Json], administrations: Sequence[Json], notes: RecordNotes) -> None:
    """
    Sum the activities of every radioiodine treatment; one without activity leaves the sum unknown.

    A MedicationAdministration that is part of a Procedure, or of the same day with the same activity, is the same
    treatment.
    """
    given: dict[str, tuple[Decimal | None, list[Json]]] = {}
    for resource in (*procedures, *_radioiodine_administrations(administrations, notes)):
        try:
            activity = _activity_mbq(resource)
        except ucum.UnknownUnit as fault:
            notes.skip(resource, f"radioiodine: {fault}")
            activity = None
        key = _treatment_key(resource)
        known, resources = given.get(key, (None, []))
        if known is not None and activity is not None and known != activity:
            notes.skip(resource, "radioiodine: two activities for one treatment; correct the record")
            return
        given[key] = (activity if known is None else known, [*resources, resource])
    if not given:
        return
    activities_mci = []
    for activity, resources in given.values():
        if activity is None:
            notes.skip(resources[0], "radioiodine without its activity: the lifetime sum is not known")
            return
        activities_mci.append(mci_from_gbq(activity / 1000))
    sources = [resource for _, resources in given.values() for resource in resources]
    days = [one for one in (_given_on(source) for source in sources) if one]
    last = max(days, default=None)
    notes.state("rai_cumulative_activity_mci", sum(activities_mci, Decimal(0)), sources, last)
    notes.state("rai_administrations_mci", tuple(activities_mci), sources, last)


def _radioiodine_administrations(administrations: Sequence[Json], notes: RecordNotes) -> Iterator[Json]:
    for administration in administrations:
        if not set(_agents(administration)) & _I131:
            continue
        if administration.get("status") == "completed":
            note_procedure("RAI", administration, notes)
            yield administration
        else:
            notes.skip(administration, f"status is {administration.get('status')!r}: only completed ones are used")


def _given_on(resource: Json) -> date | None:
    return day(timing(resource, "performed") or timing(resource, "effective"))


def _treatment_key(resource: Json) -> str:
    on = _given_on(resource)
    if on:
        return on.isoformat()
    for part in members(resource, "partOf"):
        if isinstance(part.get("reference"), str):
            return short_reference(part["reference"])
    return reference_of(resource)


def _activity_mbq(resource: Json) -> Decimal | None:
    """The one activity that the resource states, in its dosage or in an extension; None when it states none."""
    quantities: list[Any] = [items(items(resource, "dosage"), "dose")]
    quantities += [extension.get("valueQuantity") for extension in _extensions(resource)]
    found = set()
    for quantity in quantities:
        if isinstance(quantity, Mapping) and quantity:
            unit = ucum.unit_of(quantity)
            if unit.endswith(("Bq", "Ci")):
                found.add(ucum.convert(quantity, "MBq"))
    if len(found) > 1:
        raise ucum.UnknownUnit("several activities are given: correct the record")
    return found.pop() if found else None
