"""What is an adverse event of a treatment: laboratory values by CTCAE 5, and the two syndromes after embolisation."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal

from connector.core.assessment import Finding
from connector.core.case import FactValue, LabResult
from connector.core.catalogue import in_words
from connector.core.evidence import Observed
from connector.core.response.adverse_events import (
    CTCAE_5,
    FEVER_FROM_C,
    POST_EMBOLISATION,
    POST_EMBOLISATION_FEATURES,
    REILD,
    Analyte,
    Answer,
    Grade,
    LabValue,
    LiverAfterRadioembolisation,
    grade,
    post_embolisation_syndrome,
    radioembolisation_induced_liver_disease,
)

EMBOLISATIONS = frozenset({"TACE", "TAE", "TARE"})
# Our choice, because the source gives no limit of time: the syndrome is one of the first days and has passed by then.
POST_EMBOLISATION_TO_DAYS = 14


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


def liver_after_radioembolisation(
    facts: Mapping[str, Observed[FactValue]],
    treatments: Sequence[Observed[str]],
    *,
    progression: bool | None,
    today: date,
) -> tuple[Finding, ...]:
    """
    Tell when jaundice or massive ascites after radioembolisation may be the liver disease that it induces.

    Nothing is told without a dated radioembolisation, without one of the signs, or when something else explains them.
    Source: REILD.
    """
    last = _last(treatments, frozenset({"TARE"}), today)
    if last is None:
        return ()
    jaundice, obstruction = (_flag(facts, name) for name in ("jaundice", "biliary_obstruction"))
    ascites = facts.get("ascites_grade")
    massive = None if ascites is None else ascites.value == "massive"
    if not (jaundice or massive):
        return ()
    weeks = Decimal((today - (last.observed_on or today)).days) / 7
    suspicion = radioembolisation_induced_liver_disease(
        LiverAfterRadioembolisation(weeks, jaundice, massive, obstruction, progression)
    )
    if suspicion.answer is Answer.NO:
        return ()
    text = f"think of radioembolisation-induced liver disease: {', '.join(suspicion.because)}"
    text += f"; to be sure, needs: {', '.join(suspicion.needs)}" if suspicion.needs else ""
    signs = [facts[name].origin for name in ("jaundice", "ascites_grade") if name in facts]
    return (Finding("adverse_event", text, REILD, tuple(dict.fromkeys((last.origin, *signs)))),)


def after_embolisation(
    facts: Mapping[str, Observed[FactValue]],
    treatments: Sequence[Observed[str]],
    *,
    today: date,
    temperatures_c: Sequence[Observed[Decimal]] = (),
) -> tuple[Finding, ...]:
    """
    Tell when abdominal pain, fever, and nausea or vomiting after an embolisation may be post-embolisation syndrome.

    Nothing is told without a dated embolisation of the last POST_EMBOLISATION_TO_DAYS days, or when one sign is stated
    absent. A sign that was last looked for before the embolisation is not known. The highest temperature since then,
    in degrees Celsius, is fever from FEVER_FROM_C on; lower ones are no fever unless the record states one, or none was
    taken later than on the day itself, which may have been before the embolisation. Source: POST_EMBOLISATION.
    """
    last = _last(treatments, EMBOLISATIONS, today)
    if last is None or last.observed_on is None or (today - last.observed_on).days > POST_EMBOLISATION_TO_DAYS:
        return ()
    since = last.observed_on
    signs = {
        name: facts[name]
        for name in POST_EMBOLISATION_FEATURES
        if name in facts and (facts[name].observed_on or since) >= since
    }
    taken = [
        (one.observed_on, one)
        for one in temperatures_c
        if one.observed_on is not None and since <= one.observed_on <= today
    ]
    hottest = max((one for _, one in taken), key=lambda one: one.value, default=None)
    feverish = hottest is not None and hottest.value >= FEVER_FROM_C
    rules_out = "fever" not in signs and any(on > since for on, _ in taken)
    if hottest is not None and (feverish or rules_out):
        signs["fever"] = Observed(feverish, hottest.origin, hottest.observed_on)
    suspicion = post_embolisation_syndrome({name: bool(sign.value) for name, sign in signs.items()})
    if suspicion.answer is Answer.NO:
        return ()
    after = f"post-embolisation syndrome after {last.value} on {since}"
    seen, needs = (", ".join(map(in_words, names)) for names in (suspicion.because, suspicion.needs))
    if hottest is not None and feverish:
        seen = seen.replace("fever", f"fever ({hottest.value} °C on {hottest.observed_on})")
    if needs:
        text = f"cannot tell whether this is {after}: {seen or 'no sign is known'}; needs: {needs}"
    else:
        text = f"think of {after}: {seen}; rule out infection, cholecystitis and abscess first"
    origins = tuple(dict.fromkeys((last.origin, *(sign.origin for sign in signs.values()))))
    return (Finding("adverse_event", text, POST_EMBOLISATION, origins),)


def _last(treatments: Sequence[Observed[str]], among: frozenset[str], today: date) -> Observed[str] | None:
    given = [one for one in treatments if one.value in among and one.observed_on and one.observed_on <= today]
    return max(given, key=lambda one: one.observed_on or date.min, default=None)


def _flag(facts: Mapping[str, Observed[FactValue]], name: str) -> bool | None:
    known = facts.get(name)
    return None if known is None else bool(known.value)


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
