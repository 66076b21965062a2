"""Pictures of tumour response for people: the sum over time, each lesion, the course, and the markers."""

import math
from collections.abc import Iterable, Sequence
from datetime import date
from io import BytesIO
from itertools import pairwise

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from connector.core.assessment import ResponseReport, VisitResponse
from connector.core.response.case import Lesion, ResponseCase, Visit
from connector.core.response.markers import Kinetics, MarkerValue, Trend, usable_values
from connector.core.response.recist_1_1 import LEAST_GROWTH_MM

# Readable by people who see no red and green (Okabe and Ito).
COLOURS = {
    "CR": "#009E73",
    "PR": "#56B4E9",
    "SD": "#E69F00",
    "NON-CR/NON-PD": "#E69F00",
    "PD": "#D55E00",
    "NE": "#BBBBBB",
    "NA": "#DDDDDD",
}
INK, QUIET = "#222222", "#777777"
PNG, SVG = "png", "svg"
DRAFT = "draft for the tumour board"


def spider(report: ResponseReport, *, file_format: str = PNG) -> bytes:
    """
    Draw the sum of diameters over time, with the nadir and the limits of PR and PD, as PNG or SVG bytes.

    A visit whose sum is not complete breaks the line: nothing is drawn across it. The same input gives the same bytes.
    """
    figure = Figure(figsize=(8, 4.8), dpi=110, layout="constrained")
    axes = figure.subplots()
    days = _days(report.visits)
    for run in _unbroken(days, report.visits):
        axes.plot([day for day, _ in run], [size for _, size in run], color=INK, linewidth=1.8, marker="o", zorder=3)
    _limits(axes, days, report)
    highest = axes.get_ylim()[1]
    for day, visit in zip(days[1:], report.visits[1:], strict=True):
        where = highest * 0.02 if visit.sum_mm is None else float(visit.sum_mm) + highest * 0.03
        box = {"boxstyle": "round,pad=0.2", "facecolor": COLOURS[visit.overall_response], "edgecolor": "none"}
        axes.text(day, where, visit.overall_response, ha="center", va="bottom", fontsize=8, bbox=box, zorder=4)
    axes.set_ylim(0, highest * 1.12)
    axes.set_xlim(-0.05 * max(days[-1], 1), 1.05 * max(days[-1], 1))
    axes.set_xlabel("days since baseline")
    axes.set_ylabel("sum of viable diameters, mm" if report.criteria == "mrecist" else "sum of diameters, mm")
    figure.suptitle(f"Target lesions, {report.criteria}: {DRAFT}", fontsize=11)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside lower left", ncols=4, frameon=False, fontsize=8)
    return _written(figure, file_format)


def _days(visits: Sequence[VisitResponse]) -> list[int]:
    return [(visit.on - visits[0].on).days for visit in visits]


def _unbroken(days: Sequence[int], visits: Sequence[VisitResponse]) -> Iterable[list[tuple[int, float]]]:
    run: list[tuple[int, float]] = []
    for day, visit in zip(days, visits, strict=True):
        if visit.sum_mm is not None:
            run.append((day, float(visit.sum_mm)))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _limits(axes: Axes, days: Sequence[int], report: ResponseReport) -> None:
    baseline = report.visits[0].sum_mm
    if baseline is None:
        return
    axes.axhline(
        0.7 * float(baseline), color=COLOURS["PR"], linestyle="--", label="PR at and below (-30 % of baseline)"
    )
    least_mm = (
        0.0 if report.criteria == "mrecist" and report.policies["mrecist_5_mm"] == "false" else float(LEAST_GROWTH_MM)
    )
    nadirs = [float(visit.nadir_mm) for visit in report.visits[1:] if visit.nadir_mm is not None]
    growth = "+20 % of nadir" + (f" and +{least_mm:g} mm" if least_mm else "")
    for number, (since, until, nadir) in enumerate(zip(days, days[1:], nadirs, strict=False)):
        limit = max(1.2 * nadir, nadir + least_mm)
        # A leading underscore keeps the same line out of the legend a second time.
        name = (f"PD at and above ({growth})", "smallest sum so far (nadir)") if number == 0 else ("_", "_")
        axes.hlines(limit, since, until, color=COLOURS["PD"], linestyle="--", label=name[0])
        axes.hlines(nadir, since, until, color=QUIET, linestyle=":", label=name[1])


def waterfall(case: ResponseCase, *, file_format: str = PNG) -> bytes:
    """
    Draw the change of each target from baseline to the last visit, the largest growth first, as PNG or SVG bytes.

    A lesion that was not evaluable at that visit has no bar, and says so.
    """
    last = case.visits[-1]
    bars = [(lesion, _change_percent(lesion, case.visits[0], last)) for lesion in case.targets]
    bars.sort(key=lambda bar: (bar[1] is None, -(bar[1] or 0.0), bar[0].id))
    figure = Figure(figsize=(8, 4.8), dpi=110, layout="constrained")
    axes = figure.subplots()
    for place, (lesion, change) in enumerate(bars):
        if change is None:
            axes.text(place, 2, "not\nevaluable", ha="center", va="bottom", fontsize=8, color=QUIET)
            continue
        colour = COLOURS["PD"] if change > 0 else COLOURS["PR"]
        axes.bar(place, change, color=colour, hatch="//" if lesion.lymph_node else None, edgecolor="white")
        axes.text(place, change + math.copysign(2, change), f"{change:+.0f} %", ha="center", fontsize=8,
                  va="bottom" if change >= 0 else "top")  # fmt: skip
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.axhline(-30, color=COLOURS["PR"], linestyle="--", linewidth=1)
    axes.axhline(20, color=COLOURS["PD"], linestyle="--", linewidth=1)
    axes.set_xticks(
        range(len(bars)), [f"{lesion.id}\n{lesion.site.replace('_', ' ')}" for lesion, _ in bars], fontsize=8
    )
    axes.set_ylabel("change of diameter from baseline, %")
    axes.set_xlim(-0.6, max(len(bars), 1) - 0.4)
    axes.margins(y=0.15)
    node = Patch(facecolor="white", edgecolor=QUIET, hatch="//", label="lymph node (short axis)")
    figure.legend(handles=[node], loc="outside lower left", frameon=False, fontsize=8)
    figure.suptitle(f"Each target at {last.on.isoformat()}: {DRAFT}", fontsize=11)
    axes.set_title(
        "the lines at -30 % and +20 % are for reading; response is judged on the sum", fontsize=8, color=QUIET
    )
    return _written(figure, file_format)


def _change_percent(lesion: Lesion, baseline: Visit, last: Visit) -> float | None:
    before, now = baseline.of(lesion).total_mm, last.of(lesion).total_mm
    return None if not before or now is None else float((now - before) * 100 / before)


def swimmer(
    lanes: Sequence[tuple[str, ResponseReport]], *, treatment_start: date | None = None, file_format: str = PNG
) -> bytes:
    """
    Draw the overall response over time, one lane a report (two criteria or two readers), as PNG or SVG bytes.

    A colour reaches from the visit that showed it to the next one; what comes after the last visit is not known.
    """
    figure = Figure(figsize=(8, 1.9 + 0.6 * len(lanes)), dpi=110, layout="constrained")
    axes = figure.subplots()
    first = min(report.visits[0].on for _, report in lanes)
    for place, (_, report) in enumerate(lanes):
        days = [(visit.on - first).days for visit in report.visits]
        for (since, until), visit in zip(pairwise(days), report.visits, strict=False):
            axes.barh(place, until - since, left=since, height=0.45, color=COLOURS[visit.overall_response])
        for day, visit in zip(days[1:], report.visits[1:], strict=True):
            axes.plot(day, place, marker="D" if visit.overall_response == "PD" else "o", color=INK, markersize=5)
            axes.text(day, place + 0.3, visit.overall_response, ha="center", va="bottom", fontsize=8)
    if treatment_start is not None:
        axes.axvline((treatment_start - first).days, color=INK, linestyle="--", linewidth=1, label="treatment")
        figure.legend(loc="outside lower left", frameon=False, fontsize=8)
    axes.set_yticks(range(len(lanes)), [name for name, _ in lanes])
    axes.set_ylim(-0.6, len(lanes) - 0.2)
    axes.set_xlabel("days since baseline")
    figure.suptitle(f"Overall response: {DRAFT}", fontsize=11)
    return _written(figure, file_format)


def marker_kinetics(values: Sequence[MarkerValue], fit: Kinetics, *, unit: str, file_format: str = PNG) -> bytes:
    """
    Draw a tumour marker on a logarithmic scale with its fit, as PNG or SVG bytes.

    Values that the fit leaves out are hollow. `unit` is that of the values.
    """
    figure = Figure(figsize=(8, 4.8), dpi=110, layout="constrained")
    axes = figure.subplots()
    used = usable_values(fit.marker, values)
    left_out = [value for value in values if value not in used and value.value > 0]
    first = min((value.on for value in values), default=date.min)
    axes.plot([(one.on - first).days for one in used], [one.value for one in used], "o", color=INK, label="used")
    axes.plot([(one.on - first).days for one in left_out], [one.value for one in left_out], "v", color=QUIET,
              markerfacecolor="white", label="left out")  # fmt: skip
    if fit.doubling_time_days is not None:
        days = [(one.on - first).days for one in used]
        middle = sum(days) / len(days)
        height = sum(math.log(one.value) for one in used) / len(used)
        slope = math.log(2) / fit.doubling_time_days
        ends = (days[0], days[-1])
        axes.plot(ends, [math.exp(height + slope * (day - middle)) for day in ends], color=COLOURS["PR"], label="fit")
    axes.set_yscale("log")
    for ticks in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        ticks("{x:g}")
    axes.set_xlabel("days since the first value")
    axes.set_ylabel(f"{fit.marker.value}, {unit}")
    axes.legend(frameon=False, fontsize=8)
    axes.set_title("; ".join((_said(fit), *fit.notes)), fontsize=8, color=QUIET, wrap=True)
    figure.suptitle(f"{fit.marker.value.capitalize()}: {DRAFT}", fontsize=11)
    return _written(figure, file_format)


def _said(fit: Kinetics) -> str:
    if fit.trend is Trend.UNKNOWN or fit.doubling_time_days is None:
        return f"trend {fit.trend.value}"
    low, high = ("no end" if end is None else f"{end:.0f}" for end in fit.interval_days)
    what = "doubles" if fit.doubling_time_days > 0 else "halves"
    interval = f", 95 % interval {low} to {high} days" if fit.doubling_time_days > 0 else ""
    return f"{fit.trend.value}: {what} in {abs(fit.doubling_time_days):.0f} days{interval}"


def _written(figure: Figure, file_format: str) -> bytes:
    buffer = BytesIO()
    # No date, no program version and a fixed salt for the names inside: the same picture is the same file.
    metadata = {"Software": None} if file_format == PNG else {"Date": None, "Creator": None}
    with rc_context({"svg.hashsalt": "connector", "svg.fonttype": "path"}):
        figure.savefig(buffer, format=file_format, metadata=metadata)
    return buffer.getvalue()
