"""Viable tumour, treated lesions and uptake over time: beside RECIST, from the same studies, never mixed with it."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from connector.core.case import Enhancement, LesionMeasurement, LesionRole, LesionState, TimePoint, Uptake
from connector.core.evidence import Observed
from connector.core.response import assess_response, response_case
from connector.core.response.case import NewLesion
from connector.core.response.mrecist import SeenNodule, new_nodule
from connector.core.response.viable_course import treated_lesions, uptake_reports, viable_report

START = date(2026, 1, 1)
TARGET = LesionRole.TARGET


def on(week):
    return START + timedelta(7 * week)


def lesion(label, week, whole, viable=None, *, across=None, site="liver", **more):
    def exact(value):
        return None if value is None else Decimal(value)

    state = LesionState.ABSENT if whole == 0 else LesionState.MEASURED
    return LesionMeasurement(
        f"2.25.{label[1:]}", label, site, None, site == "lymph_node", f"1.2.{week}", on(week),
        **{"role": TARGET, "state": state, "long_axis_mm": exact(whole), "short_axis_mm": exact(whole),
           "viable_mm": exact(viable), "viable_across_mm": exact(across), **more},
    )  # fmt: skip


def point(week, *lesions, new="none"):
    return TimePoint(f"1.2.{week}", on(week), "CT", lesions, new_lesion=new)


def treatment(modality, week):
    return Observed(modality, "Procedure/1", on(week))


def overall(report):
    return [visit.overall_response for visit in report.response.visits[1:]]


def test_the_viable_sum_responds_where_the_whole_lesion_does_not():
    points = [
        point(0, lesion("T1", 0, 50, 50), lesion("T2", 0, 30, 20)),
        point(8, lesion("T1", 8, 52, 10), lesion("T2", 8, 31, 0)),
    ]
    viable = viable_report(points, on(1), ())
    assert (overall(viable), viable.response.visits[1].sum_mm) == (["PR"], 10)
    recist = assess_response(response_case(points, on(1)))
    assert (recist.visits[1].overall_response, recist.visits[1].sum_mm) == ("SD", 83), "and RECIST keeps its own sum"


@pytest.mark.parametrize(
    ("points", "expected", "why"),
    [
        ([point(0, lesion("T1", 0, 50, 50))], None, "one study"),
        ([point(0, lesion("T1", 0, 50)), point(8, lesion("T1", 8, 50))], None, "nobody measured what enhances"),
        (
            [point(0, lesion("T1", 0, 50, 40)), point(4, lesion("T1", 4, 50)), point(8, lesion("T1", 8, 50, 50))],
            ["PD"],
            "a study without viable diameters is no visit here",
        ),
        (
            [
                point(0, lesion("T1", 0, 50, 40), lesion("T2", 0, 30, 30)),
                point(8, lesion("T1", 8, 50, 20), lesion("T2", 8, 30)),
            ],
            ["NE"],
            "one viable diameter is missing",
        ),
        (
            [
                point(0, lesion("T1", 0, 50, 40), lesion("T2", 0, 30)),
                point(8, lesion("T1", 8, 50, 20), lesion("T2", 8, 60)),
            ],
            ["PR"],
            "a lesion whose viable part is never measured takes no part",
        ),
        (
            [
                point(0, lesion("T1", 0, 50, 40), lesion("T2", 0, 30, "9.9")),
                point(8, lesion("T1", 8, 50, 28), lesion("T2", 8, 30, 20)),
            ],
            ["PR"],
            "less than 10 mm of viable tumour is no target",
        ),
        (
            [point(0, lesion("T1", 0, 50, 40)), point(8, lesion("T1", 8, 50, 0))],
            ["CR"],
            "no enhancement is left, although the lesion is there",
        ),
        (
            [point(0, lesion("T1", 0, 20, 20)), point(8, lesion("T1", 8, 20, 24))],
            ["PD"],
            "20 % and 4 mm: mRECIST asks for no 5 mm",
        ),
    ],
)
def test_viable_response(points, expected, why):
    viable = viable_report(points, None, ())
    assert (viable and overall(viable)) == expected, why


N, E, U = NewLesion.NONE, NewLesion.EQUIVOCAL, NewLesion.UNEQUIVOCAL


@pytest.mark.parametrize(
    ("course", "expected", "why"),
    [
        ([(10, True)], [U], "exactly 10 mm and typical"),
        ([("9.9", True)], [E], "typical, and just too small"),
        ([(30, False)], [E], "large, and not typical"),
        ([(8, False), (18, False)], [E, U], "grown by exactly 10 mm, whatever the pattern"),
        ([(8, False), ("17.9", False)], [E, E], "grown by just less"),
        ([(8, True), (9, True), (10, True)], [E, E, U], "typical all the time, large enough at last"),
        ([(12, True), (6, False)], [U, U], "it stays one"),
        ([(12, False), (0, False), (12, True)], [E, N, U], "gone in between"),
        ([(None, True), (9, True)], [E, E], "not measured"),
    ],
)
def test_a_new_nodule_of_the_liver(course, expected, why):
    seen = [SeenNodule(None if size is None else Decimal(size), typical) for size, typical in course]
    assert list(new_nodule(seen)) == expected, why


def test_a_nodule_that_turns_out_to_be_tumour_dates_progression_back():
    points = [
        point(0, lesion("T1", 0, 50, 40)),
        point(8, lesion("T1", 8, 50, 40), lesion("T9", 8, 12, role=None)),
        point(16, lesion("T1", 16, 50, 40), lesion("T9", 16, 14, 12, role=None)),
    ]
    viable = viable_report(points, None, ())
    assert overall(viable) == ["PD", "PD"]
    assert viable.response.progression_free_survival.days == 56
    assert overall(viable_report(points[:2], None, ())) == ["SD"], "until then it is equivocal"


@pytest.mark.parametrize(
    ("now", "across", "expected", "why"),
    [
        (20, 10, "PR", "400 to 200 mm2: exactly half"),
        (20, "10.1", "SD", "just more than half"),
        (25, 20, "SD", "exactly 25 % more"),
        (25, "20.1", "PD", "just past 25 %"),
        (0, None, "CR", "nothing enhances"),
        (20, None, "NE", "one diameter is missing"),
    ],
)
def test_easl_judges_the_products(now, across, expected, why):
    points = [point(0, lesion("T1", 0, 30, 20, across=20)), point(8, lesion("T1", 8, 30, now, across=across))]
    assert [one.response for one in viable_report(points, None, ()).easl] == [expected], why


def test_without_second_diameters_there_is_no_easl():
    points = [point(0, lesion("T1", 0, 30, 20)), point(8, lesion("T1", 8, 30, 20, across=20))]
    assert viable_report(points, None, ()).easl == ()


MASS, NO_MASS = Enhancement.MASSLIKE, Enhancement.EXPECTED


@pytest.mark.parametrize(
    ("modality", "scans", "expected", "residual", "progression", "why"),
    [
        ("RFA", [(10, NO_MASS, None), (20, MASS, 8)], "non_viable viable", None, 20, "back after a clear scan"),
        ("TACE", [(10, MASS, 20)], "viable", 10, None, "judged at once: residual"),
        ("TARE", [(10, MASS, 30), (20, MASS, 31), (30, MASS, 32)], "non_progressing equivocal viable", None, 20,
         "judged by change from the 30 mm before, confirmed by a second scan"),
        ("TARE", [(10, MASS, 30)], "non_progressing", None, None, "stable enhancement after radiation is no tumour"),
        ("surgery", [(10, MASS, 30)], None, None, None, "what was cut out has no viability"),
        ("RFA", [(10, None, 0), (20, None, 5)], None, None, None, "a diameter alone does not say that it was treated"),
    ],
)  # fmt: skip
def test_treated_lesions(modality, scans, expected, residual, progression, why):
    later = [point(week, lesion("T1", week, 40, size, enhancement=word)) for week, word, size in scans]
    found = treated_lesions([point(0, lesion("T1", 0, 30, 30)), *later], [treatment(modality, 2)])
    if expected is None:
        assert found == (), why
        return
    (report,) = found
    assert " ".join(scan.viability for scan in report.scans) == expected, why
    assert report.residual_on == (None if residual is None else on(residual))
    assert report.local_progression_on == (None if progression is None else on(progression))
    assert report.text.startswith(f"T1 after {modality} on {on(2)}: ")


def test_a_lesion_called_treated_is_judged_by_its_diameters_of_enhancement():
    treated = lesion("T1", 10, None, 0, state=LesionState.TREATED_LOCALLY)
    points = [point(0, lesion("T1", 0, 30, 30)), point(10, treated), point(20, lesion("T1", 20, 30, 9))]
    (report,) = treated_lesions(points, [treatment("MWA", 2)])
    assert [scan.viability for scan in report.scans] == ["non_viable", "viable"]
    assert report.local_progression_on == on(20)


def test_a_treatment_that_is_not_dated_or_comes_later_judges_nothing():
    points = [point(10, lesion("T1", 10, 30, 30, enhancement=MASS))]
    assert treated_lesions(points, [Observed("RFA", "Procedure/1"), treatment("TACE", 10)]) == ()


def test_uptake_is_compared_with_the_last_pet_before_treatment():
    points = [point(week, lesion("T1", week, 30, uptake=Uptake(suv, suv, suv, 10.0, 10 * suv, "41 % of SUVmax")))
              for week, suv in ((0, 12.0), (4, 10.0), (12, 5.0))]  # fmt: skip
    (report,) = uptake_reports(points, assessed_on=on(12), treated_on=on(5))
    assert (report.before_on, report.suv_max_percent, report.tlg_percent) == (on(4), "-50.0", "-50.0")
    assert "SUVmax 5.00 (-50.0 %)" in report.text
    (report,) = uptake_reports(points, assessed_on=on(12), treated_on=None)
    assert report.before_on == on(0), "without a treatment, the first"
    (report,) = uptake_reports(points[2:], assessed_on=on(12), treated_on=on(5))
    assert (report.before_on, report.suv_max_percent) == (None, None)
    assert uptake_reports(points[:2], assessed_on=on(12), treated_on=on(5)) == (), "the assessed day has no PET"
