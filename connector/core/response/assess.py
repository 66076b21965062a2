"""From lesions over time to a response report: the visits, then the best response and the durations."""

from connector.core.assessment import ResponseReport
from connector.core.errors import BadCase
from connector.core.response.case import Policies, ResponseCase
from connector.core.response.checks import check_case
from connector.core.response.conclusion import conclude
from connector.core.response.durations import overall_survival
from connector.core.response.mrecist import MRECIST, mrecist
from connector.core.response.recist_1_1 import RECIST_1_1, Criteria
from connector.core.response.visits import follow


def criteria_of(name: str, policies: Policies) -> Criteria:
    """Return the criteria by the name in a case. Raises BadCase for a name that is not known."""
    if name == RECIST_1_1.name:
        return RECIST_1_1
    if name == MRECIST:
        return mrecist(require_5_mm=policies.mrecist_5_mm)
    raise BadCase("criteria", name, f"is not known: write {RECIST_1_1.name} or {MRECIST}")


def assess_response(case: ResponseCase) -> ResponseReport:
    """
    Judge every visit of a case, and the course as a whole.

    Raises BadCase, naming the field, for a case that cannot be judged. What can be judged but should be looked at is a
    flag on its visit. Source: RECIST_1_1; mRECIST shares the algorithm on viable diameters.
    """
    criteria = criteria_of(case.criteria, case.policies)
    check_case(case)
    visits, assessed = follow(case, criteria)
    start = case.treatment_start or case.visits[0].on
    conclusion = conclude(
        assessed, start, case.policies, death_on=case.death_date, new_therapy_on=case.new_therapy_date
    )
    return ResponseReport(
        criteria=criteria.name,
        visits=visits,
        best_overall_response=conclusion.best_overall_response,
        confirmed_best_overall_response=conclusion.confirmed_best_overall_response,
        progression_free_survival=conclusion.progression_free_survival,
        duration_of_response=conclusion.duration_of_response,
        policies=case.policies.as_text(),
        target_ids=tuple(lesion.id for lesion in case.targets),
        non_target_ids=tuple(lesion.id for lesion in case.non_targets),
        time_to_response_days=conclusion.time_to_response_days,
        overall_survival=overall_survival(
            start,
            death_on=case.death_date,
            last_contact_on=case.last_contact_date,
            last_visit_on=case.visits[-1].on,
        ),
    )
