"""Pictures of tumour response for people: each alone as SVG or PNG, and one sheet of them for the board report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from io import BytesIO
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from connector.core.assessment import ResponseReport
from connector.core.response.case import CRITERIA, Lesion, ResponseCase, Visit
from connector.core.response.markers import Kinetics, MarkerValue
from connector.report.response_axes import (
    QUIET,
    Lane,
    LesionChange,
    Started,
    draw_marker,
    draw_spider,
    draw_swimmer,
    draw_waterfall,
    fit_in_words,
)

PNG, SVG = "png", "svg"
DRAFT = "draft for the tumour board"
_ALONE, _IN_SHEET = 8.0, 5.0  # sizes of labels in points
_SHEET_WIDTH_IN = 3.39  # 86 mm, the column of the report

_SHEET_STYLE: dict[Any, float] = {
    "font.size": _IN_SHEET,
    "axes.linewidth": 0.5,
    "axes.labelpad": 1.5,
    "hatch.linewidth": 0.4,
    "xtick.major.size": 2,
    "xtick.major.pad": 1.5,
    "ytick.major.size": 2,
    "ytick.major.pad": 1.5,
}


@dataclass(frozen=True, slots=True)
class MarkerSeries:
    """A tumour marker with its fit and the unit of its values."""

    values: Sequence[MarkerValue]
    fit: Kinetics
    unit: str


def _figure(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8, height), dpi=110, layout="constrained")
    return figure, figure.subplots()


def spider(report: ResponseReport, *, file_format: str = PNG) -> bytes:
    """
    Draw the sum of diameters over time, with the nadir and the limits of PR and PD, as PNG or SVG bytes.

    A visit whose sum is not complete breaks the line: nothing is drawn across it. The same input gives the same bytes.
    """
    figure, axes = _figure(4.8)
    draw_spider(axes, report, size=_ALONE)
    axes.set_xlabel("days since baseline")
    figure.suptitle(f"Target lesions, {CRITERIA[report.criteria]}: {DRAFT}", fontsize=11)
    _legend(figure, axes)
    return _written(figure, file_format)


def _legend(figure: Figure, axes: Axes, *, size: float = _ALONE, columns: int = 4) -> None:
    if axes.get_legend_handles_labels()[0]:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=columns, frameon=False,
                      fontsize=size)  # fmt: skip


def waterfall(changes: Sequence[LesionChange], *, on: date, file_format: str = PNG) -> bytes:
    """
    Draw the change of each target from baseline to a visit, the largest growth first, as PNG or SVG bytes.

    A lesion that was not evaluable at that visit has no bar, and says so.
    """
    figure, axes = _figure(4.8)
    draw_waterfall(axes, changes, size=_ALONE)
    grown = Patch(facecolor="white", edgecolor=QUIET, hatch="xx", label="grown")
    shrunk = Patch(facecolor="white", edgecolor=QUIET, hatch="//", label="shrunk")
    figure.legend(handles=[grown, shrunk], loc="outside lower left", ncols=2, frameon=False, fontsize=_ALONE)
    figure.suptitle(f"Each target at {on.isoformat()}: {DRAFT}", fontsize=11)
    note = "the lines at \N{MINUS SIGN}30 % and +20 % are for reading; response is judged on the sum"
    axes.set_title(note, fontsize=8, color=QUIET)
    return _written(figure, file_format)


def changes_of(case: ResponseCase) -> list[LesionChange]:
    """The change of every target from the first visit to the last; a node by its short axis."""
    first, last = case.visits[0], case.visits[-1]
    return [
        LesionChange(lesion.id, lesion.site, lesion.lymph_node, _change_percent(lesion, first, last))
        for lesion in case.targets
    ]


def _change_percent(lesion: Lesion, baseline: Visit, last: Visit) -> float | None:
    before, now = baseline.of(lesion).total_mm, last.of(lesion).total_mm
    return None if not before or now is None else float((now - before) * 100 / before)


def swimmer(lanes: Sequence[Lane], *, treatments: Sequence[Started] = (), file_format: str = PNG) -> bytes:
    """Draw the overall response over time, one lane a report, with the starts of treatments, as PNG or SVG bytes."""
    figure, axes = _figure(1.9 + 0.6 * (len(lanes) + len({name for name, _ in treatments})))
    draw_swimmer(axes, lanes, treatments, size=_ALONE)
    axes.set_xlabel("days since baseline")
    figure.suptitle(f"Overall response and treatments: {DRAFT}", fontsize=11)
    return _written(figure, file_format)


def marker_kinetics(series: MarkerSeries, *, file_format: str = PNG) -> bytes:
    """Draw a tumour marker on a logarithmic scale with its fit, as PNG or SVG bytes."""
    figure, axes = _figure(4.8)
    draw_marker(axes, series.values, series.fit, unit=series.unit, size=_ALONE)
    axes.set_xlabel("days since the first value")
    axes.set_title("; ".join((fit_in_words(series.fit), *series.fit.notes)), fontsize=8, color=QUIET, wrap=True)
    figure.suptitle(f"{series.fit.marker.value.capitalize()}: {DRAFT}", fontsize=11)
    _legend(figure, axes)
    return _written(figure, file_format)


def sheet(
    report: ResponseReport,
    *,
    beside: Sequence[Lane] = (),
    changes: Sequence[LesionChange] = (),
    treatments: Sequence[Started] = (),
    markers: Sequence[MarkerSeries] = (),
) -> bytes:
    """
    Draw the sum over time, the course with its treatments, each target and the markers as one SVG of 86 mm width.

    What has nothing to show takes no room.
    """
    lanes = [(CRITERIA[report.criteria], report), *beside]
    small: list[Callable[[Axes], None]] = []
    if changes:
        small.append(partial(draw_waterfall, changes=changes, size=_IN_SHEET))
    small += [partial(_small_marker, series=one) for one in markers[:1]]
    heights = [1.1, 0.16 + 0.14 * (len(lanes) + len({name for name, _ in treatments})), *([0.8] if small else [])]
    with rc_context(_SHEET_STYLE):
        figure = Figure(figsize=(_SHEET_WIDTH_IN, sum(heights) + 0.2), layout="constrained")
        figure.get_layout_engine().set(h_pad=0.02, w_pad=0.02, hspace=0.03)  # type: ignore[union-attr,call-arg] # constrained
        rows = figure.add_gridspec(len(heights), 1, height_ratios=heights)
        top = figure.add_subplot(rows[0])
        draw_spider(top, report, size=_IN_SHEET)
        top.set_xlabel("days since baseline")
        top.legend(loc="lower left", frameon=False, fontsize=_IN_SHEET - 0.7, handlelength=2.6, labelspacing=0.2)
        draw_swimmer(figure.add_subplot(rows[1]), lanes, treatments, size=_IN_SHEET)
        if small:
            cells = rows[2].subgridspec(1, len(small))
            for place, draw in enumerate(small):
                draw(figure.add_subplot(cells[place]))
        return _written(figure, SVG)


def _small_marker(axes: Axes, series: MarkerSeries) -> None:
    draw_marker(axes, series.values, series.fit, unit=series.unit, size=_IN_SHEET)
    axes.set_xlabel("days since the first value")


def _written(figure: Figure, file_format: str) -> bytes:
    buffer = BytesIO()
    # No date, no program version and a fixed salt for the names inside: the same picture is the same file.
    metadata = {"Software": None} if file_format == PNG else {"Date": None, "Creator": None}
    with rc_context({"svg.hashsalt": "connector", "svg.fonttype": "path"}):
        figure.savefig(buffer, format=file_format, metadata=metadata)
    return buffer.getvalue()
