"""Which laboratory values after treatment are adverse events: each graded by CTCAE 5 against the value before it."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from connector.core.assessment import Finding
from connector.core.case import LabResult
from connector.core.response.adverse_events import CTCAE_5, Analyte, Grade, LabValue, grade


def adverse_findings(labs: Sequence[LabResult], *, treated_on: date | None) -> tuple[Finding, ...]:
    """
    Tell the worst grade of every analyte since the start of treatment, and the last one where it has got better.

    Without a dated treatment nothing is an adverse event of it. A value that cannot be graded is told with what it
    needs. Source: CTCAE_5.
    """
    if treated_on is None:
        return ()
    found: list[Finding] = []
    for analyte in Analyte:
        own = sorted((lab for lab in labs if lab.analyte == analyte), key=lambda lab: (lab.observed_on, lab.origin))
        baseline = next((lab.value for lab in reversed(own) if lab.observed_on <= treated_on), None)
        after = [(lab, _grade(analyte, lab, baseline)) for lab in own if lab.observed_on > treated_on]
        found += _finding(after)
    return tuple(found)


def _grade(analyte: Analyte, lab: LabResult, baseline: Decimal | None) -> Grade:
    return grade(
        LabValue(analyte, lab.value, lower_normal=lab.lower_normal, upper_normal=lab.upper_normal, baseline=baseline)
    )


def _finding(graded: Sequence[tuple[LabResult, Grade]]) -> Iterable[Finding]:
    known = [(lab, found) for lab, found in graded if found.grade is not None]
    if known:
        worst_lab, worst = max(known, key=lambda one: one[1].grade or 0)
        if worst.grade:
            last_lab, last = known[-1]
            text = f"{worst.term}: CTCAE 5 grade {worst.grade} on {worst_lab.observed_on}"
            text += f", grade {last.grade} on {last_lab.observed_on}" if last.grade != worst.grade else ""
            origins = tuple(dict.fromkeys((worst_lab.origin, last_lab.origin)))
            yield Finding("adverse_event", "; ".join((text, *worst.notes)), CTCAE_5, origins)
    ungraded = [(lab, found) for lab, found in graded if found.grade is None]
    if ungraded:
        lab, found = ungraded[-1]
        text = f"{found.term}: not graded on {lab.observed_on}: needs {', '.join(found.needs)}"
        yield Finding("adverse_event", text, CTCAE_5, (lab.origin,))
