"""Which laboratory values after treatment are adverse events: each graded by CTCAE 5 against the value before it."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from connector.core.assessment import Finding
from connector.core.case import LabResult
from connector.core.response.adverse_events import CTCAE_5, Analyte, Grade, LabValue, grade


def adverse_findings(labs: Sequence[LabResult], *, treated_on: date | None) -> tuple[Finding, ...]:
    """
    Tell the worst grade of every analyte since the start of treatment, and the last one where it has got better.

    Without a dated treatment nothing is an adverse event of it. What cannot be graded is told in one finding. Source:
    CTCAE_5.
    """
    if treated_on is None:
        return ()
    found: list[Finding] = []
    ungraded: dict[str, LabResult] = {}
    for analyte in Analyte:
        own = sorted((lab for lab in labs if lab.analyte == analyte), key=lambda lab: (lab.observed_on, lab.origin))
        baseline = next((lab.value for lab in reversed(own) if lab.observed_on <= treated_on), None)
        after = [(lab, _grade(analyte, lab, baseline)) for lab in own if lab.observed_on > treated_on]
        found += _worst(after)
        ungraded.update((need, lab) for lab, graded in after for need in graded.needs)
    if ungraded:
        text = f"laboratory values not graded by CTCAE 5: needs {', '.join(ungraded)}"
        found.append(Finding("adverse_event", text, CTCAE_5, tuple(lab.origin for lab in ungraded.values())))
    return tuple(found)


def _grade(analyte: Analyte, lab: LabResult, baseline: Decimal | None) -> Grade:
    return grade(
        LabValue(analyte, lab.value, lower_normal=lab.lower_normal, upper_normal=lab.upper_normal, baseline=baseline)
    )


def _worst(graded: Sequence[tuple[LabResult, Grade]]) -> Iterator[Finding]:
    known = [(lab, found, found.grade) for lab, found in graded if found.grade is not None]
    if not known:
        return
    worst_lab, worst, worst_grade = max(known, key=lambda one: one[2])
    last_lab, _, last_grade = known[-1]
    if worst_grade == 0:
        return
    text = f"{worst.term}: CTCAE 5 grade {worst_grade} on {worst_lab.observed_on}"
    if last_grade != worst_grade:
        text += f", grade {last_grade} on {last_lab.observed_on}"
    origins = tuple(dict.fromkeys((worst_lab.origin, last_lab.origin)))
    yield Finding("adverse_event", "; ".join((text, *worst.notes)), CTCAE_5, origins)
