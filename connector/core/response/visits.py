"""Every visit in turn: what it shows, compared with the baseline and with what earlier visits showed."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from connector.core.assessment import VisitResponse
from connector.core.response import mrecist
from connector.core.response.best_response import Assessed, confirming
from connector.core.response.case import (
    AfterComplete,
    ContinuingResponse,
    Lesion,
    Measurement,
    NewLesion,
    Policies,
    Response,
    ResponseCase,
    Visit,
)
from connector.core.response.equivocal import confirmed_later
from connector.core.response.flags import baseline_date_flags, follow_up_flags, size_flags
from connector.core.response.lesions import TargetSum, first_treated_on, non_targets_found, target_sum
from connector.core.response.measurable import baseline_flags
from connector.core.response.mrecist import MRECIST
from connector.core.response.recist_1_1 import (
    Call,
    Criteria,
    Found,
    Sums,
    change_percent,
    non_target_response,
    overall_response,
    responded,
    short_of_complete,
    target_response,
)

_RESPONDING = frozenset({Response.CR, Response.PR})
# Members by name, once: looking one up in its class costs more than the comparison.
_CR, _SD = Response.CR, Response.SD
_PERSISTS, _PROGRESSED = Found.PERSISTS, Found.PROGRESSED
_EQUIVOCAL, _UNEQUIVOCAL = NewLesion.EQUIVOCAL, NewLesion.UNEQUIVOCAL
_PER_VISIT = ContinuingResponse.PER_VISIT
_NO_TARGETS = Call(Response.NA, ())


def follow(case: ResponseCase, criteria: Criteria) -> tuple[tuple[VisitResponse, ...], tuple[Assessed, ...]]:
    """Judge every visit of a checked case in order; the second part is the sequence of overall responses."""
    course = Course(case, criteria)
    visits = [course.baseline(case.visits[0])]
    visits.extend(course.follow_up(visit) for visit in case.visits[1:])
    return tuple(visits), tuple(course.assessed)


@dataclass(slots=True)
class Course:
    """What a visit needs to know of those before it; grows visit by visit."""

    case: ResponseCase
    criteria: Criteria
    targets: tuple[Lesion, ...] = field(init=False)
    non_targets: tuple[Lesion, ...] = field(init=False)
    baseline_mm: Decimal | None = None
    nadir_mm: Decimal | None = None  # over complete sums only
    disease_is_progression: bool = False  # after a complete response, by the policy
    markers_were_raised: bool = False
    equivocal_on: date | None = None
    treated_on: dict[str, date] = field(init=False)
    confirmed_later: dict[date, date] = field(init=False)  # equivocal new lesions that were new lesions
    target_history: list[Assessed] = field(default_factory=list)
    assessed: list[Assessed] = field(default_factory=list)
    found_before: tuple[Measurement, ...] = ()

    def __post_init__(self) -> None:
        self.targets, self.non_targets = self.case.targets, self.case.non_targets
        self.treated_on = first_treated_on(self.case)
        self.confirmed_later = confirmed_later(self.case)

    def baseline(self, visit: Visit) -> VisitResponse:
        """Add up the first visit; later ones are compared with it, and it has no response itself."""
        total = target_sum(self.targets, visit, self.treated_on)
        if self.targets and total.complete:
            self.baseline_mm = self.nadir_mm = total.measured_mm
        flags = (*baseline_flags(self.targets, visit), *baseline_date_flags(self.case))
        if self.criteria.name == MRECIST:
            flags += (*mrecist.baseline_flags(self.case.lesions, visit),)
        self._remember(visit, total)
        return VisitResponse(
            on=visit.on,
            sum_mm=self.baseline_mm,
            nadir_mm=None,
            change_from_baseline_percent=None,
            change_from_nadir_percent=None,
            target_response=Response.NA,
            non_target_response=Response.NA,
            overall_response=Response.NA,
            reasons=("baseline: later visits are compared with this one",),
            flags=flags,
            label=visit.label,
        )

    def follow_up(self, visit: Visit) -> VisitResponse:
        """Judge one later visit, and remember it for the next."""
        total = target_sum(self.targets, visit, self.treated_on)
        found = non_targets_found(self.non_targets, visit, self.treated_on)
        target = self._judge_targets(visit, total)
        non_target = non_target_response(
            found,
            markers_normal=visit.markers_normal,
            markers_were_raised=self.markers_were_raised,
            reappeared=self.disease_is_progression and _PERSISTS in found,
        )
        confirmed_on = self.confirmed_later.get(visit.on) if self.confirmed_later else None
        new_lesion = visit.new_lesion if confirmed_on is None else _UNEQUIVOCAL
        overall = overall_response(target=target.response, non_target=non_target.response, new_lesion=new_lesion)
        reasons = target.reasons + non_target.reasons
        if new_lesion is _UNEQUIVOCAL:
            reasons += (_new_lesion_reason(confirmed_on),)
        if overall is _CR and not found and (marker := self._marker_against_complete(visit)):
            overall, reasons = Response.PR, (*reasons, marker)
        sum_mm = total.measured_mm if self.targets and total.complete else None
        flags = (
            *total.flags,
            *follow_up_flags(
                visit,
                baseline_reader=self.case.visits[0].reader,
                equivocal_on=self.equivocal_on,
                nadir_mm=self.nadir_mm,
                confirmed_on=confirmed_on,
            ),
            *size_flags(self.targets, found=total.found, found_before=self.found_before),
        )
        if self.criteria.name == MRECIST:
            flags += tuple(mrecist.visit_flags(self.non_targets, visit, target.response))
        change = change_percent(now=sum_mm, before=self.baseline_mm)
        unchanged_nadir = self.nadir_mm is self.baseline_mm
        shown = VisitResponse(
            visit.on,
            sum_mm,
            self.nadir_mm,
            change,
            change if unchanged_nadir else change_percent(now=sum_mm, before=self.nadir_mm),
            target.response,
            non_target.response,
            overall,
            reasons,
            flags,
            visit.label,
            visit.new_lesion,
        )
        seen = total.disease or _PERSISTS in found or _PROGRESSED in found
        self.assessed.append(Assessed(visit.on, overall, seen))
        if overall is _CR and self.case.policies.response_after_complete is AfterComplete.PROGRESSION:
            self.disease_is_progression = True
        if sum_mm is not None and self.nadir_mm is not None and sum_mm < self.nadir_mm:
            self.nadir_mm = sum_mm
        self._remember(visit, total)
        return shown

    def _marker_against_complete(self, visit: Visit) -> str | None:
        return short_of_complete(markers_normal=visit.markers_normal, markers_were_raised=self.markers_were_raised)

    def _judge_targets(self, visit: Visit, total: TargetSum) -> Call:
        if not self.targets:
            return _NO_TARGETS
        reappeared = total.disease and self.disease_is_progression
        sums = Sums(self.baseline_mm, self.nadir_mm, total.measured_mm, total.complete, not total.disease, reappeared)
        call = target_response(sums, self.criteria)
        if self.case.policies.continuing_response is _PER_VISIT:
            return call
        still_responding = call.response is _SD and continues(self.target_history, self.case.policies)
        self.target_history.append(Assessed(visit.on, call.response))
        return _continued(call, self.case.policies) if still_responding else call

    def _remember(self, visit: Visit, total: TargetSum) -> None:
        self.markers_were_raised = self.markers_were_raised or visit.markers_normal is False
        if visit.new_lesion is _EQUIVOCAL and self.equivocal_on is None and visit.on not in self.confirmed_later:
            self.equivocal_on = visit.on
        self.found_before = total.found


def continues(history: list[Assessed], policies: Policies) -> bool:
    """
    Tell whether an earlier partial response of the targets is still counted while their sum is neither PR nor PD.

    `history` holds the earlier target responses as measured. A progression ends what was before it.
    Source: EORTC, RECIST 1.1 questions and clarifications; RECIST_1_1 itself reads visit by visit.
    """
    since = 1 + max((index for index, one in enumerate(history) if one.response is Response.PD), default=-1)
    recent = history[since:]
    responding = [index for index, one in enumerate(recent) if one.response in _RESPONDING]
    if policies.continuing_response is ContinuingResponse.ANY_PR:
        return bool(responding)
    return any(confirming(recent, index, policies) is not None for index in responding)


def continued_from_sums(call: Call, policies: Policies, *, baseline_mm: Decimal, nadir_mm: Decimal) -> Call:
    """
    Apply the policy of a continuing response to sums without a course: the smallest was PR if it met PR.

    Sums carry no dates, so `confirmed_pr` takes it from the caller that this PR was confirmed, and the reason says so.
    """
    policy = policies.continuing_response
    if policy is _PER_VISIT or call.response is not _SD or not responded(nadir_mm, baseline_mm=baseline_mm):
        return call
    if policy is ContinuingResponse.CONFIRMED_PR:
        call = Call(_SD, (*call.reasons, "that the PR was confirmed is taken as given: sums carry no dates"))
    return _continued(call, policies)


def _continued(call: Call, policies: Policies) -> Call:
    policy = policies.continuing_response.value
    return Call(Response.PR, (f"PR continues until progression, by the policy {policy}", *call.reasons))


def _new_lesion_reason(confirmed_on: date | None) -> str:
    if confirmed_on is None:
        return "an unequivocal new lesion"
    return f"the equivocal new lesion was confirmed on {confirmed_on}, and dates from here"
