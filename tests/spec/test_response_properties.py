"""What must hold of every course, whatever its numbers."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.contract.respond_measurement import measurement
from connector.core.case import LesionRole
from connector.core.response import assess_response
from connector.core.response.best_response import Assessed
from connector.core.response.case import Lesion, Policies, Response, ResponseCase, Visit
from connector.core.response.conclusion import conclude
from connector.core.response.mrecist import mrecist
from connector.core.response.recist_1_1 import RECIST_1_1, Sums, target_response

START = date(2025, 1, 1)
BEST_FIRST = ["CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "ND", "NA"]
tenths = st.integers(0, 1500).map(lambda tenth: Decimal(tenth) / 10)
present = st.integers(50, 1500).map(lambda tenth: Decimal(tenth) / 10)


@st.composite
def courses(draw):
    """Up to five lesions over up to six visits, with gaps and vanished lesions."""
    count, followed = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    lesions = [
        Lesion(f"L{number}", LesionRole.TARGET, f"organ {number}", lymph_node=draw(st.booleans()))
        for number in range(count)
    ]
    rows = [{lesion.id: measurement(draw(present)) for lesion in lesions}]
    found = st.one_of(tenths, st.sampled_from(["absent", "too_small", "not_evaluable", None]))
    rows += [{lesion.id: measurement(draw(found)) for lesion in lesions} for _ in range(followed)]
    visits = [Visit(START + timedelta(42 * number), row) for number, row in enumerate(rows)]
    return ResponseCase("recist-1.1", tuple(lesions), tuple(visits), START)


@settings(deadline=None)
@given(courses(), st.randoms(use_true_random=False))
def test_the_order_of_lesions_does_not_matter(case, random):
    shuffled = list(case.lesions)
    random.shuffle(shuffled)
    again = assess_response(ResponseCase("recist-1.1", tuple(shuffled), case.visits, START))
    for before, after in zip(assess_response(case).visits, again.visits, strict=True):
        assert (before.sum_mm, before.nadir_mm, before.overall_response) == (
            after.sum_mm,
            after.nadir_mm,
            after.overall_response,
        )


@settings(deadline=None)
@given(courses())
def test_the_nadir_never_rises_and_is_a_sum_that_was_measured(case):
    report = assess_response(case)
    nadirs = [visit.nadir_mm for visit in report.visits[1:]]
    assert nadirs == sorted(nadirs, reverse=True)
    sums = [visit.sum_mm for visit in report.visits]
    assert all(nadir in sums[: number + 1] for number, nadir in enumerate(nadirs))
    assert all(visit.nadir_mm <= sums[0] for visit in report.visits[1:])


@settings(deadline=None)
@given(courses(), st.data())
def test_a_visit_with_a_missing_target_never_reads_better(case, data):
    number = data.draw(st.integers(1, len(case.visits) - 1))
    lesion = data.draw(st.sampled_from(case.lesions))
    visits = list(case.visits)
    visits[number] = Visit(visits[number].on, visits[number].measurements | {lesion.id: measurement(None)})
    without = assess_response(ResponseCase("recist-1.1", case.lesions, tuple(visits), START)).visits[number]
    before = assess_response(case).visits[number]
    assert without.overall_response in {"NE", before.overall_response}
    assert without.overall_response in {"NE", "PD"}


@settings(deadline=None)
@given(baseline=present, nadir=present, current=tenths, scale=st.integers(1, 50))
def test_the_relative_thresholds_are_free_of_scale(baseline, nadir, current, scale):
    nadir = min(nadir, baseline)
    free, bound = mrecist(require_5_mm=False), RECIST_1_1
    small = Sums(baseline, nadir, current, True, False, False)
    large = Sums(baseline * scale, nadir * scale, current * scale, True, False, False)
    assert target_response(small, free).response == target_response(large, free).response
    if target_response(small, bound).response == "PD":
        assert target_response(large, bound).response == "PD"


@settings(deadline=None)
@given(baseline=present, shrunk=present, more=tenths)
def test_a_larger_sum_never_reads_better(baseline, shrunk, more):
    nadir = min(baseline, shrunk)
    order = ["PR", "SD", "PD"]
    less, larger = (
        target_response(Sums(baseline, nadir, size, True, False, False), RECIST_1_1).response
        for size in (nadir, nadir + more)
    )
    assert order.index(less) <= order.index(larger)


def sequences():
    response = st.sampled_from([Response(word) for word in BEST_FIRST])
    return st.lists(st.tuples(st.integers(1, 60), response), max_size=8).map(_dated)


def _dated(pairs):
    day, assessed = START, []
    for gap, response in pairs:
        day += timedelta(gap)
        assessed.append(Assessed(day, response))
    return assessed


policies = st.builds(
    Policies,
    confirm_days=st.sampled_from([14, 28, 56]),
    min_sd_days=st.sampled_from([28, 42, 56]),
    max_ne=st.integers(0, 2),
    accept_sd=st.booleans(),
)


def rank(best):
    return BEST_FIRST.index(best.response)


@settings(deadline=None)
@given(sequences(), policies)
def test_confirmation_never_makes_a_response_better(assessed, chosen):
    answer = conclude(assessed, START, chosen)
    assert rank(answer.confirmed_best_overall_response) >= rank(answer.best_overall_response)


@settings(deadline=None)
@given(sequences(), policies, st.data())
def test_one_more_visit_that_is_not_evaluable_never_makes_the_best_response_better(assessed, chosen, data):
    before = conclude(assessed, START, chosen).confirmed_best_overall_response
    day = data.draw(
        st.sampled_from(
            [START + timedelta(n) for n in range(1, 500) if START + timedelta(n) not in {one.on for one in assessed}]
        )
    )
    after = conclude([*assessed, Assessed(day, Response.NE)], START, chosen).confirmed_best_overall_response
    # Where nothing was assessed, or only visits that were not done, NE is itself the first answer.
    assert rank(after) >= min(rank(before), BEST_FIRST.index("NE"))


@settings(deadline=None)
@given(sequences(), policies)
def test_nothing_after_the_first_progression_counts(assessed, chosen):
    first = next((number for number, one in enumerate(assessed) if one.response == "PD"), len(assessed))
    assert conclude(assessed, START, chosen) == conclude(assessed[: first + 1], START, chosen)


@settings(max_examples=300, deadline=None)
@given(sequences(), policies)
def test_confirmed_response_reads_as_the_published_details(assessed, chosen):
    """The definition written out as sets over all pairs, without a search; where no disease follows a CR."""
    ends = next((number for number, one in enumerate(assessed) if one.response == "PD"), len(assessed))
    kept = assessed[: ends + 1]
    complete = [number for number, one in enumerate(kept) if one.response == "CR"]
    if complete and any(one.response in {"PR", "SD", "NON-CR/NON-PD"} for one in kept[complete[0] :]):
        return
    candidates = [(BEST_FIRST.index("NE"), date.max, "NE")] if not kept else []
    for number, one in enumerate(kept):
        late = (one.on - START).days >= chosen.min_sd_days
        alone = {"CR": "SD", "PR": "SD", "SD": "SD"}.get(one.response, str(one.response))
        if alone in {"SD", "NON-CR/NON-PD"} and not late:
            alone = "NE"
        candidates.append((BEST_FIRST.index(alone), one.on, alone))
        wanted = {"CR": {"CR"}, "PR": {"CR", "PR"}}.get(one.response, set())
        later = [
            other
            for other in range(number + 1, len(kept))
            if kept[other].response in wanted and (kept[other].on - one.on).days >= chosen.confirm_days
        ]
        if later:
            between = [str(other.response) for other in kept[number + 1 : later[0]]]
            allowed = wanted | {"NE"} | ({"SD"} if chosen.accept_sd and one.response == "PR" else set())
            if set(between) <= allowed and between.count("NE") <= chosen.max_ne:
                candidates.append((BEST_FIRST.index(one.response), one.on, str(one.response)))
    best = conclude(assessed, START, chosen).confirmed_best_overall_response
    assert best.response == min(candidates)[2]
    assert best.on == (min(candidates)[1] if kept else None)
