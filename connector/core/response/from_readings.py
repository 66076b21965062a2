"""Several readers of the same studies: each is judged alone, one answer stands, and it says where the others differ."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from connector.core.assessment import ResponseReport
from connector.core.case import Reading, TimePoint
from connector.core.response.assess import assess_response
from connector.core.response.case import ResponseCase
from connector.core.response.from_time_points import Needs, response_case


def primary_reader(readings: Sequence[Reading]) -> str:
    """Name the reader whose answer stands: who has read the most studies, of equals the first of `readings`."""
    return Counter(reading.reader for reading in readings).most_common(1)[0][0]


def judge(
    time_points: Sequence[TimePoint], treatment_start: date | None, readings: Sequence[Reading] = ()
) -> tuple[ResponseReport | None, Needs]:
    """
    Judge response from imaging studies, or say what is needed; `readings` are those of named readers.

    When one study has two readings, each reader is judged by their own baseline and nadir, from the studies that this
    reader has read, and none is taken for the other: where overall or best responses differ, the primary reader's
    stands, flagged, until an adjudicator decides; a visit that only others have read is needed from the primary reader,
    and told with what they say. Readers who take turns are one course, flagged.
    Source: RECIST_1_1, section 4 (the nadir is of one course of measurements); blinded review with adjudication as in
    FDA, Clinical Trial Imaging Endpoint Process Standards (2018).
    """
    if not _kept_apart(readings):
        ready = response_case(time_points, treatment_start)
        return (
            (None, ready) if isinstance(ready, tuple) else (assess_response(_signed(ready, time_points, readings)), ())
        )
    primary = primary_reader(readings)
    names = dict.fromkeys((primary, *(reading.reader for reading in readings)))
    cases = {name: response_case(_read_by(name, time_points, readings), treatment_start) for name in names}
    reports = {name: assess_response(case) for name, case in cases.items() if not isinstance(case, tuple)}
    unread = {name: case for name, case in cases.items() if isinstance(case, tuple)}
    needs = tuple(f"{need} (as read by {name})" for name, wanted in unread.items() for need in wanted)
    if primary not in reports:
        return None, needs
    shown = reports[primary]
    differ = _disagreements(reports, shown)
    stands = f"the response of {primary} stands until an adjudicator decides"
    visits = tuple(
        visit._replace(flags=(*visit.flags, f"readers_disagree: {differ[visit.on]}; {stands}"))
        if visit.on in differ
        else visit
        for visit in shown.visits
    )
    best = _best_of_each(reports)
    if differ or best:
        told = (*(f"on {on}: {words}" for on, words in differ.items()), *((f"best response: {best}",) if best else ()))
        needs += (f"an adjudicator, because the readers disagree ({'; '.join(told)}): {stands}",)
    needs += tuple(
        f"a reading of {on} by {primary}, whose response leaves this day out: {words}"
        for on, words in _read_by_others_only(reports, shown).items()
    )
    return replace(shown, visits=visits), needs


def _disagreements(reports: Mapping[str, ResponseReport], shown: ResponseReport) -> dict[date, str]:
    """Tell by visit of the report that is shown what each reader says, where they differ; a baseline says nothing."""
    said = {name: {visit.on: visit.overall_response for visit in report.visits[1:]} for name, report in reports.items()}
    return {
        visit.on: words
        for visit in shown.visits
        if (words := _differing({name: on[visit.on] for name, on in said.items() if visit.on in on}))
    }


def _read_by_others_only(reports: Mapping[str, ResponseReport], shown: ResponseReport) -> dict[date, str]:
    """Tell by follow-up visit that is not in the report that is shown what those say who have read it."""
    known, said = {visit.on for visit in shown.visits}, defaultdict[date, list[str]](list)
    for name, report in reports.items():
        for visit in report.visits[1:]:
            if visit.on not in known:
                said[visit.on].append(f"{name} {visit.overall_response}")
    return {on: ", ".join(said[on]) for on in sorted(said)}


def _best_of_each(reports: Mapping[str, ResponseReport]) -> str:
    return _differing({name: report.best_overall_response.response for name, report in reports.items()})


def _differing(said: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {word}" for name, word in said.items()) if len(set(said.values())) > 1 else ""


def as_read_by_primary(point: TimePoint, readings: Sequence[Reading]) -> TimePoint:
    """
    Give a study that several have read the lesions of the primary reader, or of the first who has read it.

    Lesions of two readers are never joined into one. A study with one reading stays as it is.
    """
    of_study = {each.reader: each for each in readings if each.study_instance_uid == point.study_instance_uid}
    if len(of_study) < 2:  # noqa: PLR2004 - nothing to choose from
        return point
    chosen = of_study.get(primary_reader(readings)) or next(iter(of_study.values()))
    return replace(point, lesions=chosen.lesions, new_lesion=chosen.new_lesion)


def _kept_apart(readings: Sequence[Reading]) -> bool:
    studies = Counter(reading.study_instance_uid for reading in readings)
    return any(count > 1 for count in studies.values())


def _read_by(reader: str, time_points: Sequence[TimePoint], readings: Sequence[Reading]) -> tuple[TimePoint, ...]:
    own = {reading.study_instance_uid: reading for reading in readings if reading.reader == reader}
    return tuple(
        replace(point, lesions=reading.lesions, new_lesion=reading.new_lesion)
        for point in time_points
        if (reading := own.get(point.study_instance_uid)) is not None
    )


def _signed(case: ResponseCase, time_points: Sequence[TimePoint], readings: Sequence[Reading]) -> ResponseCase:
    """Say at each visit who has read it, so that a change of reader is flagged."""
    reader_of = {reading.study_instance_uid: reading.reader for reading in readings}
    on = {point.studied_on: reader_of.get(point.study_instance_uid) for point in time_points if point.lesions}
    return replace(case, visits=tuple(visit._replace(reader=on.get(visit.on)) for visit in case.visits))
