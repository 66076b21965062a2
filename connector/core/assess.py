"""The one decision: from the facts of a case to an assessment; the same case and day always give the same answer."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from connector.core.adverse_findings import adverse_findings, after_embolisation, liver_after_radioembolisation
from connector.core.assessment import Assessment, DoseReport, Earlier, Finding, ResponseReport, Selection
from connector.core.canonical import canonical
from connector.core.case import CaseFacts, FactValue, TimePoint
from connector.core.catalogue import in_words
from connector.core.changes import what_changed
from connector.core.dosimetry.constants import DEFAULT_PROFILE, constants_for
from connector.core.dosimetry.map_findings import situation_of
from connector.core.dosimetry.map_report import RegionOptions
from connector.core.dosimetry.voxel_map import local_deposition
from connector.core.dosimetry.work_up import WorkUpFacts, work_up_facts
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Observed
from connector.core.imaging_facts import gap_findings, imaging_facts, joined, nearness_facts
from connector.core.lesion_reports import UptakeReport
from connector.core.marker_course import marker_courses, marker_facts, marker_findings, reports
from connector.core.response.case import Response
from connector.core.response.from_readings import judge
from connector.core.response.viable_course import treated_lesions, uptake_reports, viable_facts, viable_report
from connector.core.selection import select
from connector.core.selection.freshness import dated, too_old
from connector.core.selection.sensitivity import first_options, what_would_change, worth_knowing
from connector.core.treatments import days_since_last_local, treatment_start
from connector.core.versions import RULESET

Facts = Mapping[str, Observed[FactValue]]
MOST_BLOCKING = 6
PARTS = ("response", "dose", "selection")
WITHOUT_PROGRESSION = frozenset({Response.CR, Response.PR, Response.SD, Response.NON_CR_NON_PD})


def assess(
    case: CaseFacts,
    *,
    today: date,
    connector_version: str,
    previous: Earlier | None = None,
    parts: Sequence[str] = PARTS,
) -> Assessment:
    """
    Judge response, absorbed dose and selection of one case, and say what changed since the `previous` assessment.

    Each part that cannot be judged says what it needs in `needs`; none keeps the others from speaking. A site may ask
    for some `parts` only: the others are left out, and the result says so.
    """
    assessed = _assessed_time_point(case)
    started = _Start.of(case, assessed)
    response, response_needs = judge(case.time_points, started.on, case.readings)
    dose, dose_needs = _dose(case)
    progression = _progression(response, assessed)
    treated = treated_lesions(case.time_points, case.treatments)
    viable = viable_report(case.time_points, started.on, treated)
    courses = marker_courses(case.series, case.facts)
    computed = marker_facts(case.series, courses, case.facts, treated_on=started.on)
    computed |= days_since_last_local(case.facts, today)
    seen = imaging_facts(assessed, today=today) if assessed else {}
    seen |= nearness_facts(case.gaps, assessed.studied_on) if assessed else {}
    measured = _work_up(case, assessed) if assessed else WorkUpFacts({})
    seen |= measured.facts
    seen |= viable_facts(assessed, viable, treated) if assessed else {}
    if assessed is not None and progression is not None:
        seen["radiological_progression"] = Observed(progression, assessed.study_instance_uid, assessed.studied_on)
    # What the record states stands before what is computed from its series; the images are a source of their own.
    facts, disputed = joined({**computed, **case.facts}, seen)
    facts = dated(facts, today)
    selection = select(facts, today)
    changing = what_would_change({name: fact.value for name, fact in facts.items()}, selection)
    return Assessment(
        case_ref=case.case_ref,
        study_instance_uid=case.study_instance_uid,
        assessed_on=today,
        connector_version=connector_version,
        ruleset=RULESET,
        input_digest=input_digest(case, parts),
        inputs=tuple(sorted(_origins(case))),
        time_points=case.time_points,
        response=response if "response" in parts else None,
        selection=selection if "selection" in parts else None,
        dose=dose if "dose" in parts else None,
        needs=(
            *(
                f"response cannot be decided without {need}"
                for need in response_needs
                if "response" in parts and not response
            ),
            *(f"response needs {need}" for need in response_needs if "response" in parts and response),
            *(dose_needs if "dose" in parts else ()),
            *(_selection_needs(selection) if "selection" in parts else ()),
        ),
        warnings=(
            *(f"{part} is left out: the routing rule of this study does not ask for it" for part in _left_out(parts)),
            *started.doubts,
            *case.warnings,
            *measured.warnings,
            *(f"record and images differ in {name}: left out until a person decides" for name in disputed),
            *_stated_otherwise(computed, case.facts),
            *too_old(facts, today),
            *(f"not used: {skipped.where}: {skipped.reason}" for skipped in case.skipped),
        ),
        markers=reports(case.series, courses),
        viable=viable,
        treated_lesions=treated,
        uptake=_uptake(case, assessed, started.on),
        findings=(
            *started.findings,
            *gap_findings(case.gaps),
            *marker_findings(courses, progression=progression),
            *adverse_findings(case.labs, treated_on=started.on),
            *liver_after_radioembolisation(facts, case.treatments, progression=progression, today=today),
            *after_embolisation(
                facts, case.treatments, today=today, temperatures_c=case.series.get("body_temperature_c", ())
            ),
        ),
        changes=(
            what_changed(previous, selection, response, study_instance_uid=case.study_instance_uid) if previous else ()
        ),
        worth_knowing=worth_knowing(changing, now=first_options(selection)),
    )


def _work_up(case: CaseFacts, assessed: TimePoint) -> WorkUpFacts:
    return work_up_facts(
        case.activity, case.regions, assessed, lung_mass=case.lung_mass, planar_shunt=case.planar_lung_shunt
    )


def _left_out(parts: Sequence[str]) -> tuple[str, ...]:
    return tuple(part for part in PARTS if part not in parts)


def input_digest(case: CaseFacts, parts: Sequence[str] = PARTS) -> str:
    """
    Hash everything that enters the decision, with the rule set and the constants.

    `case_ref` is left out, so that the digest does not change with the key that makes it opaque.
    """
    digest = sha256()
    first = (RULESET, DEFAULT_PROFILE, case.study_instance_uid, case.time_points, case.facts, case.skipped)
    for part in (*first, case.activity, case.regions, case.series, case.treatments, case.labs, case.lung_mass):
        digest.update(canonical(part).encode("utf-8"))
        digest.update(b"\x00")
    # Not in every digest: a result made before planar views, several readers and distances were read is still the same.
    if case.planar_lung_shunt is not None:
        digest.update(canonical(case.planar_lung_shunt).encode("utf-8"))
    if case.readings:
        digest.update(canonical(case.readings).encode("utf-8"))
    if case.gaps:
        digest.update(canonical(case.gaps).encode("utf-8"))
    if _left_out(parts):
        digest.update(canonical(_left_out(parts)).encode("utf-8"))
    return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Start:
    """From when response is counted, with the words for a reader; `on` is None when the record does not tell."""

    on: date | None
    findings: tuple[Finding, ...] = ()
    doubts: tuple[str, ...] = ()

    @classmethod
    def of(cls, case: CaseFacts, assessed: TimePoint | None) -> "_Start":
        if assessed is None:
            return cls(None)
        started, doubt = treatment_start(case.treatments, imaged_on=assessed.studied_on)
        if started is None:
            return cls(None, doubts=(doubt,) if doubt else ())
        text = f"response is counted from the start of {started.value.replace('_', ' ')} on {started.observed_on}"
        return cls(started.observed_on, findings=(Finding("course", text, origins=(started.origin,)),))


def _assessed_time_point(case: CaseFacts) -> TimePoint | None:
    return next((point for point in case.time_points if point.study_instance_uid == case.study_instance_uid), None)


def _progression(response: ResponseReport | None, assessed: TimePoint | None) -> bool | None:
    """Whether the assessed images show progression; None when they were not judged, or not evaluable."""
    if response is None or assessed is None:
        return None
    words = [visit.overall_response for visit in response.visits[1:] if visit.on == assessed.studied_on]
    if not words:
        return None
    return True if words[0] == Response.PD else False if words[0] in WITHOUT_PROGRESSION else None


def _uptake(case: CaseFacts, assessed: TimePoint | None, treated_on: date | None) -> tuple[UptakeReport, ...]:
    if assessed is None:
        return ()
    return uptake_reports(case.time_points, assessed_on=assessed.studied_on, treated_on=treated_on)


def _dose(case: CaseFacts) -> tuple[DoseReport | None, list[str]]:
    if case.activity is None:
        return None, []
    try:
        constants = constants_for(nuclide_name=case.activity.nuclide)
        options = RegionOptions(situation=situation_of(case.facts))
        dose = local_deposition(case.activity, case.regions, constants=constants, scale_to_gbq=None, options=options)
    except ImpossibleInput as fault:
        return None, [f"absorbed dose cannot be decided: {fault}"]
    return dose, []


def _selection_needs(selection: Selection) -> Iterator[str]:
    """The few facts without which the leading answer stays open; the others that would be asked for are counted."""
    if selection.status != "cannot_decide":
        return
    shown = selection.blocking[:MOST_BLOCKING]
    further = len({*selection.blocking, *selection.missing}.difference(shown))
    named = ", ".join(map(in_words, shown)) or "a review by the board"
    yield f"selection cannot be decided: needs {named}" + (
        f" ({further} further facts would refine it)" if further else ""
    )


def _stated_otherwise(computed: Facts, stated: Facts) -> Iterator[str]:
    for name in sorted(computed.keys() & stated.keys()):
        if computed[name].value != stated[name].value:
            yield f"{in_words(name)}: the record's word stands, and its dated values say {computed[name].value}"


def _origins(case: CaseFacts) -> Iterable[str]:
    yield from {observed.origin for observed in case.facts.values()}
    yield from {lesion.origin for point in case.time_points for lesion in point.lesions}
    yield from {lesion.origin for reading in case.readings for lesion in reading.lesions}
    yield from {point.study_instance_uid for point in case.time_points}
    yield from {region.origin for region in case.regions}
    yield from {value.origin for series in case.series.values() for value in series}
    yield from {treatment.origin for treatment in case.treatments}
    yield from {lab.origin for lab in case.labs}
    yield from {gap.origin for gap in case.gaps}
    yield from {observed.origin for observed in (case.lung_mass, case.planar_lung_shunt) if observed is not None}
    if case.activity is not None:
        yield case.activity.series_instance_uid
