"""The one decision: from the facts of a case to an assessment; the same case and day always give the same answer."""

from collections.abc import Iterable
from datetime import date
from hashlib import sha256

from connector.core.assessment import Assessment, DoseReport, ResponseReport
from connector.core.canonical import canonical
from connector.core.case import CaseFacts, TimePoint
from connector.core.dosimetry.constants import DEFAULT_PROFILE, constants_for
from connector.core.dosimetry.voxel_map import local_deposition
from connector.core.errors import ImpossibleInput
from connector.core.imaging_facts import imaging_facts, joined
from connector.core.response import assess_response, response_case
from connector.core.selection import select
from connector.core.versions import RULESET


def assess(case: CaseFacts, *, today: date, connector_version: str) -> Assessment:
    """
    Judge response, absorbed dose and selection of one case.

    Each part that cannot be judged says what it needs in `needs`; none keeps the others from speaking.
    """
    assessed = _assessed_time_point(case)
    facts, disputed = joined(case.facts, imaging_facts(assessed, today=today) if assessed else {})
    response, response_needs = _response(case.time_points)
    dose, dose_needs = _dose(case)
    selection = select(facts, today)
    needs = [*response_needs, *dose_needs]
    if selection.missing:
        needs.append("selection is clearer with: " + ", ".join(selection.missing))
    return Assessment(
        case_ref=case.case_ref,
        study_instance_uid=case.study_instance_uid,
        assessed_on=today,
        connector_version=connector_version,
        ruleset=RULESET,
        input_digest=input_digest(case),
        inputs=tuple(sorted(_origins(case))),
        time_points=case.time_points,
        response=response,
        selection=selection,
        dose=dose,
        needs=tuple(needs),
        warnings=(
            *(f"record and images differ in {name}: left out until a person decides" for name in disputed),
            *(f"not used: {skipped.where}: {skipped.reason}" for skipped in case.skipped),
        ),
    )


def input_digest(case: CaseFacts) -> str:
    """
    Hash everything that enters the decision, with the rule set and the constants.

    `case_ref` is left out, so that the digest does not change with the key that makes it opaque.
    """
    digest = sha256()
    parts = (RULESET, DEFAULT_PROFILE, case.study_instance_uid, case.time_points, case.facts, case.skipped)
    for part in (*parts, case.activity, case.regions):
        digest.update(canonical(part).encode("utf-8"))
        digest.update(b"\x00")
    return digest.hexdigest()


def _assessed_time_point(case: CaseFacts) -> TimePoint | None:
    return next((point for point in case.time_points if point.study_instance_uid == case.study_instance_uid), None)


def _response(time_points: tuple[TimePoint, ...]) -> tuple[ResponseReport | None, list[str]]:
    ready = response_case(time_points)
    if isinstance(ready, tuple):
        return None, [f"response cannot be decided: {need}" for need in ready]
    return assess_response(ready), []


def _dose(case: CaseFacts) -> tuple[DoseReport | None, list[str]]:
    if case.activity is None:
        return None, []
    try:
        constants = constants_for(nuclide_name=case.activity.nuclide)
        return local_deposition(case.activity, case.regions, constants=constants, scale_to_gbq=None), []
    except ImpossibleInput as fault:
        return None, [f"absorbed dose cannot be decided: {fault}"]


def _origins(case: CaseFacts) -> Iterable[str]:
    yield from {observed.origin for observed in case.facts.values()}
    yield from {lesion.origin for point in case.time_points for lesion in point.lesions}
    yield from {point.study_instance_uid for point in case.time_points}
    yield from {region.origin for region in case.regions}
    if case.activity is not None:
        yield case.activity.series_instance_uid
