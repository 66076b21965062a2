"""Gathers what the response pictures show: sums, targets, treatments and markers of one request."""

from collections.abc import Mapping, Sequence

from connector.core.assessment import ResponseReport
from connector.core.case import LesionMeasurement, RecordReading, TimePoint
from connector.core.marker_course import NAMED, marker_courses, marker_values
from connector.core.response.case import CRITERIA
from connector.ports import Document, WriteRequest
from connector.report.response_axes import LesionChange, Started
from connector.report.response_pictures import (
    PNG,
    SVG,
    MarkerSeries,
    marker_kinetics,
    sheet,
    spider,
    swimmer,
    waterfall,
)

_UNITS = {"calcitonin_pg_ml": "pg/mL", "cea_ng_ml": "ng/mL", "tg_unstimulated_ng_ml": "ng/mL"}
# A marker with fewer values has no course to draw.
_LEAST_VALUES = 2


def response_sheet(request: WriteRequest, report: ResponseReport) -> bytes:
    """Draw the sheet as SVG; what the images or the record do not tell is left out."""
    record = request.record
    return sheet(
        report,
        beside=[("mRECIST", request.assessment.viable.response)] if request.assessment.viable else (),
        changes=_changes(report, request.assessment.time_points),
        treatments=_treatments(record, report) if record else (),
        markers=_markers(record) if record else (),
    )


def response_files(
    report: ResponseReport,
    *,
    changes: Sequence[LesionChange],
    treatments: Sequence[Started] = (),
    markers: Sequence[MarkerSeries] = (),
) -> Mapping[str, bytes]:
    """Draw every picture that there is something to draw for, as PNG and as SVG, by file name."""
    files = {}
    for kind in (PNG, SVG):
        files[f"spider.{kind}"] = spider(report, file_format=kind)
        if changes:
            files[f"waterfall.{kind}"] = waterfall(changes, on=report.visits[-1].on, file_format=kind)
        files[f"swimmer.{kind}"] = swimmer(
            [(CRITERIA[report.criteria], report)], treatments=treatments, file_format=kind
        )
        for one in markers:
            files[f"{one.fit.marker.value}.{kind}"] = marker_kinetics(one, file_format=kind)
    return files


class PictureFiles:
    """A Writer that hands the pictures out as plain files, for `connector process --pictures`."""

    def write(self, request: WriteRequest) -> Sequence[Document]:
        """Make every picture of the response; none without one."""
        report, record = request.assessment.response, request.record
        if report is None:
            return ()
        files = response_files(
            report,
            changes=_changes(report, request.assessment.time_points),
            treatments=_treatments(record, report) if record else (),
            markers=_markers(record) if record else (),
        )
        study = request.assessment.study_instance_uid
        return [Document("picture", "file", name, content, study) for name, content in files.items()]


def _changes(report: ResponseReport, time_points: tuple[TimePoint, ...]) -> list[LesionChange]:
    first, last = report.visits[0].on, report.visits[-1].on
    before = {key: lesion for point in time_points if point.studied_on == first for key, lesion in _named(point)}
    now = {key: lesion for point in time_points if point.studied_on == last for key, lesion in _named(point)}
    return [
        LesionChange(name, before[name].site, before[name].lymph_node, _percent(before[name], now.get(name)))
        for name in report.target_ids
        if name in before
    ]


def _named(point: TimePoint) -> list[tuple[str, LesionMeasurement]]:
    return [(key, lesion) for lesion in point.lesions for key in (lesion.tracking_id, lesion.tracking_uid)]


def _percent(before: LesionMeasurement, now: LesionMeasurement | None) -> float | None:
    baseline, size = _size_mm(before), None if now is None else _size_mm(now)
    return None if not baseline or size is None else float((size - baseline) * 100 / baseline)


def _size_mm(lesion: LesionMeasurement) -> float | None:
    size = lesion.short_axis_mm if lesion.lymph_node else lesion.long_axis_mm
    return None if size is None else float(size)


def _treatments(record: RecordReading, report: ResponseReport) -> list[Started]:
    last = report.visits[-1].on
    return [
        (one.value, one.observed_on)
        for one in record.treatments
        if one.observed_on is not None and one.observed_on <= last
    ]


def _markers(record: RecordReading) -> list[MarkerSeries]:
    courses = marker_courses(record.series, record.facts)
    found = [
        MarkerSeries(marker_values(name, record.series, record.facts), courses[marker], _UNITS[name])
        for name, marker in NAMED.items()
        if marker in courses
    ]
    return [one for one in found if len(one.values) >= _LEAST_VALUES]
