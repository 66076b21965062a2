"""Draws one picture of tumour response on given axes: sum over time, each lesion, the course, a marker."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from connector.core.assessment import ResponseReport, VisitResponse
from connector.core.response.markers import Kinetics, MarkerValue, Trend, usable_values
from connector.core.response.recist_1_1 import LEAST_GROWTH_MM

# Readable by people who see no red and green (Okabe and Ito); every one also has a hatch of its own, for a grey print.
COLOURS = {
    "CR": "#009E73",
    "PR": "#56B4E9",
    "SD": "#E69F00",
    "NON-CR/NON-PD": "#E69F00",
    "PD": "#D55E00",
    "NE": "#BBBBBB",
    "NA": "#E6E6E6",
}
HATCHES = {"CR": "++", "PR": "//", "SD": "..", "NON-CR/NON-PD": "..", "PD": "xx", "NE": "", "NA": ""}
INK, QUIET, FAINT = "#222222", "#6B6B6B", "#E3E3E3"
# Treatments that started longer ago than this before the baseline are left out of the time axis.
LONGEST_BEFORE = timedelta(365)
_MINUS = "\N{MINUS SIGN}"
_WIDE_RANGE = 6  # a marker that changes less than this gets finer ticks


@dataclass(frozen=True, slots=True)
class LesionChange:
    """One target: its label, where it is, and its change from baseline in percent; None when it was not evaluable."""

    label: str
    site: str
    lymph_node: bool
    percent: float | None


def plain(axes: Axes) -> None:
    """Take away the frame that says nothing, and let a faint grid carry the eye."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.grid(axis="y", color=FAINT, linewidth=0.6)


def days_of(visits: Sequence[VisitResponse]) -> list[int]:
    """Days since the baseline."""
    return [(visit.on - visits[0].on).days for visit in visits]


def unbroken(days: Sequence[int], visits: Sequence[VisitResponse]) -> Iterable[list[tuple[int, float]]]:
    """Runs of visits with complete sums; a visit without one parts them, so that no line is drawn across it."""
    run: list[tuple[int, float]] = []
    for day, visit in zip(days, visits, strict=True):
        if visit.sum_mm is not None:
            run.append((day, float(visit.sum_mm)))
        elif run:
            yield run
            run = []
    if run:
        yield run


def draw_spider(axes: Axes, report: ResponseReport, *, size: float) -> None:
    """Draw the sum of diameters over time with the nadir and the limits of PR and PD; labels in points of `size`."""
    plain(axes)
    days = days_of(report.visits)
    for run in unbroken(days, report.visits):
        axes.plot([day for day, _ in run], [mm for _, mm in run], color=INK, linewidth=size / 5, marker="o",
                  markersize=size * 0.55, zorder=3)  # fmt: skip
    _limits(axes, days, report)
    highest = axes.get_ylim()[1]
    for day, visit in zip(days[1:], report.visits[1:], strict=True):
        where = highest * 0.03 if visit.sum_mm is None else float(visit.sum_mm) + highest * 0.05
        box = {"boxstyle": "round,pad=0.2", "facecolor": COLOURS[visit.overall_response], "edgecolor": INK,
               "linewidth": 0.5}  # fmt: skip
        axes.text(day, where, visit.overall_response, ha="center", va="bottom", fontsize=size, bbox=box, zorder=4)
    axes.set_ylim(0, highest * 1.15)
    axes.set_xlim(-0.05 * max(days[-1], 1), 1.05 * max(days[-1], 1))
    axes.set_ylabel("sum of viable diameters, mm" if report.criteria == "mrecist" else "sum of diameters, mm")


def _limits(axes: Axes, days: Sequence[int], report: ResponseReport) -> None:
    baseline = report.visits[0].sum_mm
    if baseline is None:
        return
    axes.axhline(0.7 * float(baseline), color=COLOURS["PR"], linestyle=(0, (6, 2)), linewidth=1.3,
                 label=f"PR at and below ({_MINUS}30 % of baseline)")  # fmt: skip
    free = report.criteria == "mrecist" and report.policies["mrecist_5_mm"] == "false"
    least_mm = 0.0 if free else float(LEAST_GROWTH_MM)
    nadirs = [float(visit.nadir_mm) for visit in report.visits[1:] if visit.nadir_mm is not None]
    growth = "+20 % of nadir" + (f" and +{least_mm:g} mm" if least_mm else "")
    for number, (since, until, nadir) in enumerate(zip(days, days[1:], nadirs, strict=False)):
        limit = max(1.2 * nadir, nadir + least_mm)
        # A leading underscore keeps the same line out of the legend a second time.
        name = (f"PD at and above ({growth})", "smallest sum so far (nadir)") if number == 0 else ("_", "_")
        axes.hlines(limit, since, until, color=COLOURS["PD"], linestyle="-.", linewidth=1.3, label=name[0])
        axes.hlines(nadir, since, until, color=QUIET, linestyle=":", linewidth=1.3, label=name[1])


def draw_waterfall(axes: Axes, changes: Sequence[LesionChange], *, size: float) -> None:
    """Draw the change of each target, the largest growth first; one that was not evaluable has no bar, and says so."""
    plain(axes)
    bars = sorted(changes, key=lambda bar: (bar.percent is None, -(bar.percent or 0.0), bar.label))
    for place, bar in enumerate(bars):
        if bar.percent is None:
            axes.text(place, 2, "not\nevaluable", ha="center", va="bottom", fontsize=size, color=QUIET)
            continue
        word = "PD" if bar.percent > 0 else "PR"
        axes.bar(place, bar.percent, width=0.7, color=COLOURS[word], hatch=HATCHES[word], edgecolor="white")
        axes.bar(place, bar.percent, width=0.7, fill=False, edgecolor=INK, linewidth=0.8)
        said = f"{bar.percent:+.0f} %".replace("-", _MINUS)
        above = "bottom" if bar.percent >= 0 else "top"
        where = bar.percent + math.copysign(2, bar.percent)
        # On white, so that a line at a limit does not strike the number through.
        on_white = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
        axes.text(place, where, said, fontsize=size, ha="center", va=above, bbox=on_white)
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.axhline(-30, color=COLOURS["PR"], linestyle=(0, (6, 2)), linewidth=1.2)
    axes.axhline(20, color=COLOURS["PD"], linestyle="-.", linewidth=1.2)
    names = [f"{bar.label}\n{bar.site.replace('_', ' ')}{' (node)' if bar.lymph_node else ''}" for bar in bars]
    axes.set_xticks(range(len(bars)), names, fontsize=size)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("change from baseline, %")
    axes.set_xlim(-0.7, max(len(bars), 1) - 0.3)
    axes.margins(y=0.18)


Lane = tuple[str, ResponseReport]
Started = tuple[str, date]


def draw_swimmer(axes: Axes, lanes: Sequence[Lane], treatments: Sequence[Started], *, size: float) -> None:
    """
    Draw the overall response of each lane over time, and below it when each treatment was started.

    A colour reaches from the visit that showed it to the next; what comes after the last visit, and when a treatment
    ended, is not known.
    """
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    first = min(report.visits[0].on for _, report in lanes)
    last = max(report.visits[-1].on for _, report in lanes)
    shown = [one for one in sorted(treatments, key=lambda one: (one[1], one[0])) if one[1] >= first - LONGEST_BEFORE]
    names = list(dict.fromkeys(name for name, _ in shown))
    rows = [*names[::-1], *(name for name, _ in lanes[::-1])]
    started = [(on - first).days for _, on in shown]
    began, ended = min([0, *started]), max([(last - first).days, *started])
    width = max(ended - began, 1)
    for place, (_, report) in enumerate(lanes[::-1], len(names)):
        days = [(visit.on - first).days for visit in report.visits]
        for (since, until), visit in zip(pairwise(days), report.visits, strict=False):
            word = visit.overall_response
            axes.barh(place, until - since, left=since, height=0.5, color=COLOURS[word], hatch=HATCHES[word],
                      edgecolor="white", linewidth=0)  # fmt: skip
        for day, visit in zip(days[1:], report.visits[1:], strict=True):
            is_progression = visit.overall_response == "PD"
            axes.plot(day, place, marker="D" if is_progression else "o", color=INK, markersize=size * 0.55)
            axes.text(day, place + 0.32, visit.overall_response, ha="center", va="bottom", fontsize=size)
    for name, on in shown:
        place, day = rows.index(name), (on - first).days
        axes.axvline(day, color=QUIET, linestyle=":", linewidth=0.9, zorder=0)
        axes.plot(day, place, marker=">", color=INK, markersize=size * 0.9)
        late = day > ended - 0.2 * width
        text, side = (f"{on.isoformat()}   ", "right") if late else (f"  {on.isoformat()}", "left")
        axes.text(day, place, text, ha=side, va="center", fontsize=size)
    axes.set_yticks(range(len(rows)), [name.replace("_", " ") for name in rows], fontsize=size)
    axes.set_ylim(-0.6, len(rows) - 0.1)
    axes.set_xlim(began - 0.04 * width, ended + 0.06 * width)


def draw_marker(axes: Axes, values: Sequence[MarkerValue], fit: Kinetics, *, unit: str, size: float) -> None:
    """Draw a tumour marker on a logarithmic scale with its fit; values that the fit leaves out are hollow."""
    plain(axes)
    used = usable_values(fit.marker, values)
    left_out = [value for value in values if value not in used and value.value > 0]
    first = min((value.on for value in values), default=date.min)
    axes.plot([(one.on - first).days for one in used], [one.value for one in used], "o", color=INK,
              markersize=size * 0.6, label="used")  # fmt: skip
    if left_out:
        axes.plot([(one.on - first).days for one in left_out], [one.value for one in left_out], "v", color=QUIET,
                  markersize=size * 0.7, markerfacecolor="white", label="left out")  # fmt: skip
    if fit.doubling_time_days is not None:
        days = [(one.on - first).days for one in used]
        middle = sum(days) / len(days)
        height = sum(math.log(one.value) for one in used) / len(used)
        slope = math.log(2) / fit.doubling_time_days
        ends = (days[0], days[-1])
        axes.plot(ends, [math.exp(height + slope * (day - middle)) for day in ends], color="#0072B2", linewidth=1.4,
                  label="log-linear fit")  # fmt: skip
    axes.set_yscale("log")
    sizes = [one.value for one in (*used, *left_out)]
    if sizes:
        axes.set_ylim(min(sizes) / 1.25, max(sizes) * 1.25)
    wide = bool(sizes) and max(sizes) > _WIDE_RANGE * min(sizes)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if wide else (1.0, 1.2, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(f"{fit.marker.value}, {unit}")


def fit_in_words(fit: Kinetics) -> str:
    """The trend with its doubling time or half-life."""
    if fit.trend is Trend.UNKNOWN or fit.doubling_time_days is None:
        return f"trend {fit.trend.value}"
    low, high = ("no end" if end is None else f"{end:.0f}" for end in fit.interval_days)
    what = "doubles" if fit.doubling_time_days > 0 else "halves"
    interval = f", 95 % interval {low} to {high} days" if fit.doubling_time_days > 0 else ""
    return f"{fit.trend.value}: {what} in {abs(fit.doubling_time_days):.0f} days{interval}"
