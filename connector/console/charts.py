"""Charts as inline SVG: their colours come from the page's style sheet, so that they follow dark and light."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from markupsafe import Markup, escape

from connector.core.assessment import ResponseReport
from connector.core.case import LesionState, TimePoint

LINE_CLASSES = 8  # of the style sheet: `line-0` … `line-7`
_WIDTH, _HEIGHT = 760, 340
_DATE_WIDTH = 72  # of "2026-01-31" in the size of the labels
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 120, 18, 46


@dataclass(frozen=True, slots=True)
class Series:
    """One line: (x, y) in order; None breaks the line, because nothing is known there."""

    name: str
    points: Sequence[tuple[float, float | None]]
    style: str


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where values lie on the paper."""

    x: tuple[float, float]
    y: tuple[float, float]

    def at(self, x: float, y: float) -> tuple[float, float]:
        across = (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1)
        up = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1)
        return (
            round(_LEFT + across * (_WIDTH - _LEFT - _RIGHT), 1),
            round(_HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM), 1),
        )


def lesion_changes(points: Sequence[TimePoint]) -> dict[str, list[tuple[date, float | None]]]:
    """Change of each lesion's measured axis from its first measurement in percent, by lesion and day."""
    first: dict[str, Decimal] = {}
    found: dict[str, list[tuple[date, float | None]]] = {}
    for point in points:
        for lesion in point.lesions:
            size = lesion.short_axis_mm if lesion.lymph_node else lesion.long_axis_mm
            if lesion.state is LesionState.ABSENT:
                size = Decimal(0)
            elif lesion.state is not LesionState.MEASURED:
                size = None
            if size is not None and lesion.tracking_id not in first and size > 0:
                first[lesion.tracking_id] = size
            base = first.get(lesion.tracking_id)
            change = None if size is None or base is None else float((size - base) * 100 / base)
            found.setdefault(lesion.tracking_id, []).append((point.studied_on, change))
    return found


def spider(points: Sequence[TimePoint], report: ResponseReport | None) -> Markup:
    """Each lesion's change over time and, bold, that of the sum, with the lines of response; empty for one visit."""
    days = sorted({point.studied_on for point in points} | {visit.on for visit in (report.visits if report else ())})
    if len(days) < 2:  # noqa: PLR2004 - a course has two visits
        return Markup()
    start = days[0]
    lines = [
        Series(name, [((on - start).days, change) for on, change in course], f"line-{place % LINE_CLASSES}")
        for place, (name, course) in enumerate(lesion_changes(points).items())
    ]
    if report is not None:
        sums = [((visit.on - start).days, _changed(visit.sum_mm, report.visits[0].sum_mm)) for visit in report.visits]
        lines.append(Series("Sum", sums, "line-sum"))
    values = [y for line in lines for _, y in line.points if y is not None]
    low, high = min([*values, -40.0]), max([*values, 30.0])
    margin = 0.08 * (high - low)
    frame = _Frame((0, (days[-1] - start).days), (low - margin, high + margin))
    parts = [_grid(frame, "change from first measurement, %", step=_step(high - low))]
    parts += [_level(frame, level, text) for level, text in ((-30, "PR −30 %"), (0, ""), (20, "PD +20 %"))]  # noqa: RUF001 - a real minus sign
    parts += _days(frame, [((day - start).days, day.isoformat()) for day in days])
    parts += [_line(frame, line) for line in lines]
    parts.append(_labels(frame, lines))
    return _svg(parts, "Spider plot: change of each lesion and of the sum over time; the numbers stand in the tables.")


def _changed(now: Decimal | None, before: Decimal | None) -> float | None:
    return None if now is None or not before else float((now - before) * 100 / before)


def dose_volume(curves: Sequence[Series], highest_gy: float) -> Markup:
    """Cumulative dose-volume curves: dose in Gy along, volume in percent up."""
    frame = _Frame((0, highest_gy or 1), (0, 103))
    parts = [_grid(frame, "volume, %", step=25)]
    step = _step(highest_gy)
    number = int(highest_gy // step) if step else 0
    for index in range(number + 1):
        x, y = frame.at(index * step, 0)
        parts.append(
            Markup('<text class="tick" x="{}" y="{}" text-anchor="middle">{:g}</text>').format(x, y + 16, index * step)
        )
    middle = frame.at(highest_gy / 2, 0)
    parts.append(
        Markup('<text class="axis" x="{}" y="{}" text-anchor="middle">absorbed dose at least, Gy</text>').format(
            middle[0], _HEIGHT - 8
        )
    )
    parts += [_line(frame, line, dots=False) for line in curves]
    parts.append(_key(curves))
    return _svg(parts, "Dose-volume curves; the numbers stand in the table of regions.")


def interval_bar(low: Decimal, point: Decimal, high: Decimal) -> Markup:
    """A proportion with its interval on a scale of 0 to 100 percent; the numbers stand beside it."""
    return Markup(
        '<svg class="interval" viewBox="0 0 104 14" width="104" height="14" aria-hidden="true" focusable="false">'
        '<path class="scale" d="M2 7h100"/><path class="range" d="M{} 7H{}"/><circle cx="{}" cy="7" r="3.5"/></svg>'
    ).format(2 + float(low), 2 + float(high), 2 + float(point))


def _step(span: float) -> float:
    return next((step for step in (5, 10, 20, 25, 50, 100, 200, 500, 1000) if span / step <= 6), 2000)  # noqa: PLR2004 - lines


def _svg(parts: Sequence[Markup], label: str) -> Markup:
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">{}</svg>'
    ).format(_WIDTH, _HEIGHT, _WIDTH, _HEIGHT, label, Markup().join(parts))


def _grid(frame: _Frame, name: str, *, step: float) -> Markup:
    lines = []
    level = step * -(-frame.y[0] // step)
    while level <= frame.y[1]:
        x, y = frame.at(frame.x[0], level)
        end, _ = frame.at(frame.x[1], level)
        lines.append(
            Markup(
                '<path class="grid" d="M{} {}H{}"/><text class="tick" x="{}" y="{}" text-anchor="end">{:g}</text>'
            ).format(x, y, end, x - 6, y + 4, level)
        )
        level += step
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    lines.append(
        Markup('<text class="axis" transform="translate(12 {}) rotate(-90)" text-anchor="middle">{}</text>').format(
            middle, name
        )
    )
    return Markup().join(lines)


def _level(frame: _Frame, level: float, text: str) -> Markup:
    x, y = frame.at(frame.x[0], level)
    end, _ = frame.at(frame.x[1], level)
    label = Markup('<text class="tick" x="{}" y="{}">{}</text>').format(x + 6, y - 5, text) if text else Markup()
    return Markup('<path class="level" d="M{} {}H{}"/>').format(x, y, end) + label


def _days(frame: _Frame, days: Sequence[tuple[float, str]]) -> list[Markup]:
    """Each day under its line, the next one a step lower where it would stand upon the one before."""
    drawn, free_from, lower = [], 0.0, False
    for place, (day, text) in enumerate(days):
        x, y = frame.at(day, frame.y[0])
        begins = x if place == 0 else x - _DATE_WIDTH / 2
        lower = begins < free_from and not lower
        free_from = begins + _DATE_WIDTH + 8
        drawn.append(
            Markup(
                '<path class="grid" d="M{} {}V{}"/><text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>'
            ).format(x, _TOP, y, x, y + 18 + 13 * lower, "middle" if place else "start", text)
        )
    return drawn


def _line(frame: _Frame, line: Series, *, dots: bool = True) -> Markup:
    places = [None if y is None else frame.at(x, y) for x, y in line.points]
    drawn = [Markup('<path class="{}" d="{}"/>').format(line.style, _path(places))]
    if dots:
        drawn += [
            Markup('<circle class="{}" cx="{}" cy="{}" r="4"/>').format(line.style, *place) for place in places if place
        ]
    return Markup().join(drawn)


def _path(places: Sequence[tuple[float, float] | None]) -> str:
    text = []
    for before, place in pairwise([None, *places]):
        if place is not None:
            text.append(f"{'L' if before is not None else 'M'}{place[0]} {place[1]}")
    return "".join(text) or "M0 0"


def _labels(frame: _Frame, lines: Sequence[Series]) -> Markup:
    """Each line's name at its end, pushed apart where they would lie on each other."""
    ends = []
    for line in lines:
        last = next(((x, y) for x, y in reversed(line.points) if y is not None), None)
        if last is not None:
            ends.append((frame.at(*last)[1], line))
    ends.sort(key=lambda end: end[0])
    drawn, lowest = [], -100.0
    for height, line in ends:
        y = max(height + 4, lowest + 14)
        lowest = y
        drawn.append(
            Markup('<text class="name {}" x="{}" y="{}">{}</text>').format(
                line.style, _WIDTH - _RIGHT + 10, y, escape(line.name)
            )
        )
    return Markup().join(drawn)


def _key(lines: Sequence[Series]) -> Markup:
    return Markup().join(
        Markup('<text class="name {}" x="{}" y="{}">{}</text>').format(
            line.style, _WIDTH - _RIGHT + 10, _TOP + 12 + 16 * place, line.name[:14]
        )
        for place, line in enumerate(lines)
    )
