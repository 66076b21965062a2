"""What a case page says of an assessment: the same words as the board's report, and what only a page has room for."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from markupsafe import Markup

from connector.console import charts
from connector.contract.assessment import read_back
from connector.core.assessment import Assessment, Option, PathNode, Risk, Selection
from connector.core.case import LesionMeasurement, LesionState, TimePoint
from connector.core.selection import drawing
from connector.core.selection.conflicts import CONFLICTS
from connector.core.selection.sites import by_site
from connector.report import answer, dose_content, response_content, treatment_content, words

Content = dict[str, Any]
SELECTION = "selection cannot be decided"


def case_content(summary: str) -> Content:
    """Everything the page shows of one assessment; `unreadable` when another version wrote it."""
    assessment = read_back(summary)
    if assessment is None:
        return {"unreadable": True}
    selection, response = assessment.selection, assessment.response
    return {
        "unreadable": False,
        "assessment": assessment,
        "summary": {
            "response": response_content.in_short(assessment),
            "treatment": answer.in_short(selection),
            "dose": dose_content.in_short(assessment, rest="below"),
        },
        "spider": charts.spider(assessment.time_points, response),
        "lesions": _lesions(assessment.time_points),
        "response": response_content.response(assessment),
        "beside": response_content.beside(assessment),
        "sites": _sites(selection),
        "pathway": Markup(drawing.svg(selection)) if selection and selection.pathway else Markup(),  # noqa: S704 - it escapes what it is given
        "pathway_in_words": [_node(node) for node in selection.pathway] if selection else [],
        "measures": treatment_content.own_first(selection.measures) if selection else [],
        "conflicts": _conflicts(selection),
        "marks": words.MARKS if selection and treatment_content.is_marked(selection) else "",
        "evidence": _evidence(selection),
        "missing": _missing(assessment),
        "dose": dose_content.dose(assessment),
        "has_dose": assessment.dose is not None,
    }


def _lesions(points: Sequence[TimePoint]) -> Content:
    """A row for each lesion, a column for each study."""
    names: dict[str, LesionMeasurement] = {}
    cells: dict[tuple[str, int], str] = {}
    for place, point in enumerate(points):
        for lesion in point.lesions:
            names.setdefault(lesion.tracking_id, lesion)
            cells[lesion.tracking_id, place] = _size(lesion)
    return {
        "days": [point.studied_on.isoformat() for point in points],
        "rows": [
            {
                "name": name,
                "site": lesion.site.replace("_", " ") + (", node" if lesion.lymph_node else ""),
                "sizes": [cells.get((name, place), words.NO_VALUE) for place in range(len(points))],
            }
            for name, lesion in names.items()
        ],
    }


def _size(lesion: LesionMeasurement) -> str:
    size = lesion.short_axis_mm if lesion.lymph_node else lesion.long_axis_mm
    if lesion.state is not LesionState.MEASURED or size is None:
        return lesion.state.value.replace("_", " ")
    return f"{size} mm"


def _sites(selection: Selection | None) -> list[Content]:
    """The options of each site that is ranked by itself, under its heading."""
    return [
        {"heading": answer.site_heading(site, options), "options": [_option(option) for option in options]}
        for site, options in (by_site(selection.options) if selection and selection.options else ())
    ]


def _option(option: Option) -> Content:
    return {
        "modality": option.modality,
        "verdict": option.verdict,
        "rank": option.rank,
        "needs": option.needs,
        "why_not_first": option.why_not_first.replace("_", " "),
        "because": [
            {"rule": one.rule, "text": one.text, "source": str(one.source), "quote": one.source.quote}
            for one in treatment_content.in_order(option.because)
        ],
    }


def _conflicts(selection: Selection | None) -> list[Content]:
    """What the sources disagree on; of one that this rule set does not know, the id alone."""
    known = {one.id: one for one in CONFLICTS}
    return [
        {"id": name, "disagreement": known[name].disagreement, "resolution": known[name].resolution}
        if name in known
        else {"id": "", "disagreement": name, "resolution": ""}
        for name in (selection.conflicts if selection else ())
    ]


def _node(node: PathNode) -> Content:
    return {"node": node.node, "answer": node.answer, "source": str(node.source)}


def _evidence(selection: Selection | None) -> list[Content]:
    """Published outcomes by treatment, those that are offered first, each with its interval drawn."""
    if selection is None:
        return []
    last = len(selection.options)
    ranks = {option.modality: option.rank or last for option in selection.options}
    ordered = sorted(selection.risks, key=lambda risk: (ranks.get(risk.modality, last), risk.modality))
    return [
        {"modality": modality, "rows": [_risk(risk) for risk in risks]}
        for modality, risks in groupby(ordered, key=lambda risk: risk.modality)
    ]


def _risk(risk: Risk) -> Content:
    low, high = risk.interval_percent
    return {
        "outcome": risk.outcome.replace("_", " "),
        "percent": risk.probability_percent,
        "low": low,
        "high": high,
        "n": risk.n,
        "sources": "; ".join(risk.sources),
        "bar": charts.interval_bar(low, risk.probability_percent, high),
    }


def _missing(assessment: Assessment) -> Content:
    selection = assessment.selection
    return {
        "blocking": selection.blocking if selection else (),
        "facts": selection.missing if selection else (),
        "contradictions": selection.contradictions if selection else (),
        # What blocks the treatment stands fact by fact beside them.
        "needs": [
            need for need in assessment.needs if not (selection and selection.blocking and need.startswith(SELECTION))
        ],
        "worth_knowing": assessment.worth_knowing,
        "changes": assessment.changes,
        "warnings": assessment.warnings,
    }
