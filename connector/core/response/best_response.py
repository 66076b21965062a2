"""The best response over all visits, with and without confirmation, as RECIST 1.1 Table 3 and its notes read."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

from connector.core.assessment import DatedResponse
from connector.core.response.case import AfterComplete, Policies, Response

# Best first. What was not done, or had nothing to assess, comes last.
_RANK = {response: rank for rank, response in enumerate(("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "ND", "NA"))}
_DISEASE_WITHOUT_PROGRESSION = frozenset({Response.PR, Response.SD, Response.NON_CR_NON_PD})
# What a visit proves about a course once it is late enough, whatever else it shows.
_PROVES = {
    Response.CR: Response.SD,
    Response.PR: Response.SD,
    Response.SD: Response.SD,
    Response.NON_CR_NON_PD: Response.NON_CR_NON_PD,
}
# Members by name, once: looking one up in its class costs more than the comparison.
_CR, _PD, _NE = Response.CR, Response.PD, Response.NE
_RESPONDING = frozenset({Response.CR, Response.PR})
# What confirms a response, and what may stand between, by the response and the policy `accept_sd`.
_CONFIRMING = {
    (Response.CR, False): ({Response.CR}, {Response.CR, Response.NE}),
    (Response.CR, True): ({Response.CR}, {Response.CR, Response.NE}),
    (Response.PR, False): (_RESPONDING, {*_RESPONDING, Response.NE}),
    (Response.PR, True): (_RESPONDING, {*_RESPONDING, Response.NE, Response.SD}),
}
_NOT_ADEQUATE = frozenset({Response.NE, Response.ND, Response.NA})


class Assessed(NamedTuple):
    """
    The overall response at one visit.

    `disease_seen` is False when the response is less than CR only because something was not evaluable or a marker was
    raised; a bare sequence of responses cannot tell, and reads as seen.
    """

    on: date
    response: Response
    disease_seen: bool = True

    @property
    def adequate(self) -> bool:
        """Whether the visit says something about the disease."""
        return self.response not in _NOT_ADEQUATE


def counted(
    assessments: Iterable[Assessed], policies: Policies, *, new_therapy_on: date | None = None
) -> tuple[Assessed, ...]:
    """
    Return what counts towards the best response, in order of date.

    Up to the first progression, which is included, and not after another therapy was begun. Disease after a complete
    response is progression, or the complete response was a partial one, as the policy says.
    Source: RECIST_1_1, sections 4.6 and 4.7, Table 3 note a.
    """
    ordered = sorted(assessments, key=lambda assessed: assessed.on)
    if new_therapy_on is not None:
        ordered = [assessed for assessed in ordered if assessed.on <= new_therapy_on]
    if policies.response_after_complete is AfterComplete.RECLASSIFY:
        ordered = _with_complete_responses_reclassified(_up_to_progression(ordered))
    return tuple(_up_to_progression(_with_disease_after_complete_response(ordered)))


def _up_to_progression(ordered: Sequence[Assessed]) -> list[Assessed]:
    kept: list[Assessed] = []
    for assessed in ordered:
        kept.append(assessed)
        if assessed.response is _PD:
            break
    return kept


def _with_disease_after_complete_response(ordered: Sequence[Assessed]) -> list[Assessed]:
    if not any(assessed.response is _CR for assessed in ordered):
        return list(ordered)
    read: list[Assessed] = []
    complete = False
    for assessed in ordered:
        meaning = assessed.response
        if complete and meaning in _DISEASE_WITHOUT_PROGRESSION:
            meaning = Response.PD if assessed.disease_seen else Response.NE
        complete = complete or meaning is _CR
        read.append(assessed if meaning is assessed.response else assessed._replace(response=meaning))
    return read


def _with_complete_responses_reclassified(ordered: Sequence[Assessed]) -> list[Assessed]:
    """Turn each CR that disease follows into the partial response it must have been; read backwards."""
    read: list[Assessed] = []
    disease_later: Response | None = None
    for assessed in reversed(ordered):
        meaning = assessed.response
        if meaning is Response.CR and disease_later is not None:
            # Without target lesions there is no partial response to fall back to.
            meaning = Response.NON_CR_NON_PD if disease_later is Response.NON_CR_NON_PD else Response.PR
        elif meaning in _DISEASE_WITHOUT_PROGRESSION and assessed.disease_seen:
            disease_later = meaning
        read.append(assessed if meaning is assessed.response else assessed._replace(response=meaning))
    return read[::-1]


def confirming(sequence: Sequence[Assessed], first: int, policies: Policies) -> int | None:
    """
    Find the visit that confirms the CR or PR at index `first` of a sequence in order of date; None when there is none.

    At least `confirm_days` later, CR by CR and PR by PR or CR, with at most `max_ne` NE between, and SD between only
    for PR and by the policy `accept_sd`. Source: RECIST_1_1, section 4.6 and Table 3.
    """
    confirms, passes = _CONFIRMING[sequence[first].response, policies.accept_sd]
    not_evaluable = 0
    for index in range(first + 1, len(sequence)):
        later = sequence[index]
        if later.response in confirms and (later.on - sequence[first].on).days >= policies.confirm_days:
            return index
        not_evaluable += later.response is _NE
        if not_evaluable > policies.max_ne or later.response not in passes:
            return None
    return None


def _as_stable_disease(sequence: Sequence[Assessed], start: date, policies: Policies) -> Iterable[Assessed]:
    """Read every visit for what it proves on its own: SD or better late enough is SD, too early it is nothing yet."""
    for assessed in sequence:
        proves = _PROVES.get(assessed.response)
        if proves is None:
            yield assessed
        elif (assessed.on - start).days < policies.min_sd_days:
            yield Assessed(assessed.on, _NE)
        else:
            yield assessed if proves is assessed.response else Assessed(assessed.on, proves)


def _best(candidates: Iterable[Assessed | None]) -> Assessed | None:
    """Pick the best, the earliest of equals."""
    return min(filter(None, candidates), key=lambda one: _RANK[one.response], default=None)


def _dated(best: Assessed | None) -> DatedResponse:
    """Nothing at all is NE without a date."""
    return DatedResponse(_NE, None) if best is None else DatedResponse(best.response, best.on)


def responders(sequence: Sequence[Assessed]) -> Iterable[Assessed]:
    """Every CR and PR, confirmed or not."""
    return (assessed for assessed in sequence if assessed.response in _RESPONDING)


def confirmed_responders(sequence: Sequence[Assessed], policies: Policies) -> Iterable[Assessed]:
    """Every CR and PR that a later visit confirms, at the date of the first of the two visits."""
    return (
        assessed
        for index, assessed in enumerate(sequence)
        if assessed.response in _RESPONDING and confirming(sequence, index, policies) is not None
    )


def best_overall_responses(
    sequence: Sequence[Assessed], start: date, policies: Policies
) -> tuple[DatedResponse, DatedResponse]:
    """
    Return the best response without confirmation, and the one that later visits confirm, from what `counted` has kept.

    SD and NON-CR/NON-PD need a visit at least `min_sd_days` after the start; earlier ones are NE. A CR or PR that is
    not confirmed is SD when late enough, else PD when that follows, else NE. Source: RECIST_1_1, section 4.6, Table 3.
    """
    anyway = _best(_as_stable_disease(sequence, start, policies))
    responding = tuple(responders(sequence))
    if not responding:
        best = _dated(anyway)
        return best, best
    return (
        _dated(_best((*responding, anyway))),
        _dated(_best((*confirmed_responders(sequence, policies), anyway))),
    )
