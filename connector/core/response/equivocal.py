"""When an equivocal new lesion turns out to be one, progression dates from the scan that first showed it."""

from datetime import date

from connector.core.response.case import EquivocalConfirmed, NewLesion, ResponseCase

_EQUIVOCAL = NewLesion.EQUIVOCAL


def confirmed_later(case: ResponseCase) -> dict[date, date]:
    """
    Return the day of confirmation by the day of each visit whose equivocal new lesion a later visit confirms.

    A later unequivocal new lesion may be another one: by the policy `equivocal_confirmed` it confirms when its visit
    says so (`confirms_equivocal_of`), always, or never. Source: RECIST_1_1, section 4.3.5: "progression should be
    declared using the date of the initial scan".
    """
    if not any(visit.new_lesion is _EQUIVOCAL for visit in case.visits):
        return {}
    policy = case.policies.equivocal_confirmed
    if policy is EquivocalConfirmed.NEVER:
        return {}
    equivocal: list[date] = []
    confirmed: dict[date, date] = {}
    for visit in case.visits:
        if visit.new_lesion is _EQUIVOCAL:
            equivocal.append(visit.on)
        since = visit.confirms_equivocal_of
        if since is None and equivocal and policy is EquivocalConfirmed.ALWAYS:
            since = equivocal[0]
        if since is not None and visit.new_lesion is NewLesion.UNEQUIVOCAL:
            confirmed = {on: visit.on for on in equivocal if on >= since} | confirmed
    return confirmed
