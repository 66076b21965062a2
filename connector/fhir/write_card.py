"""Writes the CDS Hooks cards of an assessment when it is made, so that the EHR's question only has to be looked up."""

from collections.abc import Callable, Iterable, Sequence

from connector.core.assessment import Assessment, Option, Reason, Selection
from connector.core.catalogue import in_words
from connector.core.selection.sites import is_left_to_the_board, preferred_elsewhere, preferred_in_words, spoken
from connector.core.sources import SOURCES
from connector.fhir.identity import CODE_SYSTEM, MODALITY_SYSTEM, OUR_NAME, canonical_json, full_url
from connector.fhir.write_care_plan import DISCLAIMER, OFFERED, VERDICTS_IN_WORDS, status_in_words, write_care_plan
from connector.fhir.write_observations import write_device
from connector.fhir.write_requests import because
from connector.fhir.write_resource import Case, Resource, new
from connector.ports import Document, WriteRequest

PLAN = "plan"  # the card about the whole proposal; the others go by the modality that they are about
# CDS Hooks 2.0, card attributes: less than 140 characters.
LONGEST_SUMMARY = 139
_MOST_NAMES = 6
_MOST_REASONS = 3
_MOST_LINKS = 5
_INDICATOR_OF_ORDER = {"excluded": "critical", "relative_contraindication": "warning", "cannot_decide": "warning"}
# Why a clinician may set a card aside; the answers come back to the feedback endpoint.
OVERRIDE_REASONS = (
    ("board-decided-otherwise", "The tumour board has decided otherwise"),
    ("data-outdated", "The data it stands on are outdated"),
    ("data-wrong", "The data it stands on are wrong"),
    ("patient-preference", "The patient prefers otherwise"),
    ("contraindicated", "Contraindicated for a reason that the record does not hold"),
    ("not-relevant", "Not relevant now"),
)


class CardWriter:
    """
    A Writer of one `card` document: every card of the assessment, by what it is about.

    `takes_plans` tells whether the EHR itself takes the CarePlan; where it does, the draft is in the chart already and
    no card offers it a second time.
    """

    def __init__(self, takes_plans: Callable[[], bool] = lambda: False) -> None:
        self._takes_plans = takes_plans

    def write(self, request: WriteRequest) -> Sequence[Document]:
        """Make the cards; none for an earlier study, nor when nobody is known to answer about."""
        if request.record is None or not request.is_latest_study:
            return ()
        case = Case(request.assessment, request.record)
        cards = {PLAN: _plan_card(case, offers_plan=not self._takes_plans())}
        selection = request.assessment.selection
        for option in selection.options if selection else ():
            cards[option.modality] = _order_card(case, option)
        study = request.assessment.study_instance_uid
        return (Document("card", "cds", cards[PLAN]["uuid"], canonical_json(cards), study),)


def _plan_card(case: Case, *, offers_plan: bool) -> Resource:
    assessment, selection = case.assessment, case.assessment.selection
    suggestions = _suggestions(case, selection, offers_plan=offers_plan) if selection else []
    return {
        "uuid": _uuid(case, f"{PLAN}:{offers_plan}"),
        "summary": _cut(f"Draft for the tumour board: {_in_short(assessment)}"),
        "indicator": _indicator(selection),
        "source": _source(assessment),
        "detail": _detail(case),
        **({"suggestions": suggestions, "selectionBehavior": "any"} if suggestions else {}),
        "overrideReasons": _override_reasons(),
        **_links(selection.options if selection else ()),
    }


def _order_card(case: Case, option: Option) -> Resource:
    name = _spoken(option.modality)
    lines = [f"**{DISCLAIMER}**", "", f"{_escaped(_line(option))}."]
    lines += [f"- {_because(reason)}" for reason in option.because]
    lines += ["", _provenance(case)]
    return {
        "uuid": _uuid(case, option.modality),
        "summary": _cut(f"Draft for the tumour board: {name} {_is(option)}"),
        "indicator": _INDICATOR_OF_ORDER.get(option.verdict, "info"),
        "source": _source(case.assessment),
        "detail": "\n".join(lines),
        "overrideReasons": _override_reasons(),
        **_links((option,)),
    }


def _is(option: Option) -> str:
    said = VERDICTS_IN_WORDS.get(option.verdict, option.verdict)
    return said if option.verdict == "cannot_decide" else f"is {said}"


def _in_short(assessment: Assessment) -> str:
    selection = assessment.selection
    if selection is None:
        if assessment.response is not None and assessment.response.visits:
            last = assessment.response.visits[-1]
            return f"response {last.overall_response} by {assessment.response.criteria} on {last.on}"
        return "cannot decide, needs the facts of the patient's record"
    preferred = preferred_in_words(selection.options)
    if selection.status == "contradictory_data":
        return f"facts contradict each other: {_names(selection.contradictions)}"
    if selection.status == "cannot_decide":
        needs = selection.blocking or tuple(dict.fromkeys(need for one in selection.options for need in one.needs))
        elsewhere = preferred_elsewhere(selection.options)
        lead = f"cannot decide, needs {_names(needs)}" if needs else "cannot decide"
        return lead + (f"; {elsewhere} preferred" if elsewhere else "")
    if preferred:
        others = sum(option.verdict in OFFERED and option.verdict != "preferred" for option in selection.options)
        lead = "the board alone decides" if is_left_to_the_board(selection.options) else f"{preferred} preferred"
        return lead + (f", {others} further possible" if others > 0 else "")
    return status_in_words(selection)


def _indicator(selection: Selection | None) -> str:
    if selection is None:
        return "info"
    return "warning" if selection.status != "recommend" or selection.alerts else "info"


def _source(assessment: Assessment) -> Resource:
    return {
        "label": f"{OUR_NAME} {assessment.connector_version}, rule set {assessment.ruleset}",
        "topic": {"system": CODE_SYSTEM, "code": "thyroid-metastases", "display": "Metastases of thyroid cancer"},
    }


def _detail(case: Case) -> str:
    """GitHub-flavoured Markdown: what is proposed and why, what is missing, and what it stands on."""
    assessment, selection = case.assessment, case.assessment.selection
    lines = [f"**{DISCLAIMER}**", ""]
    if selection is not None:
        lines += [f"{_escaped(status_in_words(selection))}.", ""]
        for option in sorted(selection.options, key=_offered_first):
            lines.append(f"- **{_escaped(_line(option))}**")
            lines += [f"  - {_because(reason)}" for reason in option.because[:_MOST_REASONS]]
            more = len(option.because) - _MOST_REASONS
            lines += [f"  - and {more} more in the report"] if more > 0 else []
        lines += _section("Alerts", [_because(alert) for alert in selection.alerts])
        lines += _section("Facts that contradict each other", [in_words(name) for name in selection.contradictions])
    lines += _section("What is missing", _missing(assessment))
    lines += _section(
        "What could change the answer", [_escaped(text) for text in assessment.worth_knowing[:_MOST_NAMES]]
    )
    if assessment.response is not None and assessment.response.visits:
        last = assessment.response.visits[-1]
        lines += _section(
            "Response", [f"{last.overall_response} on {last.on} by {_escaped(assessment.response.criteria)}"]
        )
    lines += ["", *_sources(selection), _provenance(case)]
    return "\n".join(lines)


def _missing(assessment: Assessment) -> list[str]:
    selection = assessment.selection
    named = _names(selection.missing) if selection and selection.missing else ""
    return [*map(_escaped, assessment.needs), *([f"Facts that the record does not hold: {named}"] if named else [])]


def _sources(selection: Selection | None) -> list[str]:
    cited = _cited(selection.options if selection else ())
    return (
        [f"Sources: {'; '.join(_escaped(f'{SOURCES[one].short} ({SOURCES[one].where})') for one in cited)}.", ""]
        if cited
        else []
    )


def _provenance(case: Case) -> str:
    assessment = case.assessment
    return _escaped(
        f"Images of {case.study_day}, assessed on {assessment.assessed_on} by {OUR_NAME} "
        f"{assessment.connector_version} with rule set {assessment.ruleset}, inputs {assessment.input_digest[:16]}."
    )


def _section(title: str, lines: Sequence[str]) -> list[str]:
    return ["", f"**{title}**", "", *(f"- {line}" for line in lines)] if lines else []


def _suggestions(case: Case, selection: Selection, *, offers_plan: bool) -> list[Resource]:
    """The draft plan, and a draft request for each treatment that is offered; a clinician takes them or not."""
    found = []
    if offers_plan:
        plan = _plan(case, selection)
        found.append(_suggestion(case, "Put the draft care plan into the chart", plan, recommended=False))
    for option in sorted((one for one in selection.options if one.verdict in OFFERED), key=_offered_first):
        label = f"Draft a request for {_spoken(option.modality)}"
        recommended = option.verdict == "preferred" and selection.status == "recommend"
        found.append(_suggestion(case, label, _request(case, option), recommended=recommended))
    return found


def _suggestion(case: Case, label: str, resource: Resource, *, recommended: bool) -> Resource:
    return {
        "label": label,
        "uuid": _uuid(case, label),
        **({"isRecommended": True} if recommended else {}),
        "actions": [{"type": "create", "description": f"{label}. {DISCLAIMER}", "resource": resource}],
    }


def _plan(case: Case, selection: Selection) -> Resource:
    """The CarePlan with its author inside: nothing that it refers to has to be created before it."""
    plan = write_care_plan(case, selection, [])
    device = {name: value for name, value in write_device(case).items() if name != "text"}
    (identifier,) = plan["identifier"]
    software = {"reference": "#software"}
    # Who asks is the plan's author; our Device need not be in the EHR when a clinician takes the plan.
    proposals = [
        {name: value for name, value in one.items() if name != "requester"} for one in plan.get("contained", ())
    ]
    return {
        **plan,
        # Another identifier than the plan that we would write ourselves: the two never count as one resource.
        "identifier": [{**identifier, "value": case.of_study("plan:suggested")}],
        "contained": [*proposals, {**device, "id": "software"}],
        "author": software,
    }


def _request(case: Case, option: Option) -> Resource:
    condition = case.record.references.get("condition.liver_metastases")
    name = _spoken(option.modality)
    return new(
        "ServiceRequest",
        case.of_study(f"request:{option.modality}"),
        says=[f"Draft request: {name}", DISCLAIMER],
        status="draft",
        intent="proposal",
        code={"coding": [{"system": MODALITY_SYSTEM, "code": option.modality, "display": name}], "text": name},
        subject=case.subject,
        authoredOn=case.day,
        reasonReference=[{"reference": condition}] if condition else None,
        note=[{"text": "\n".join([DISCLAIMER, _line(option), *map(because, option.because)])}],
    )


def _override_reasons() -> list[Resource]:
    return [{"code": code, "system": CODE_SYSTEM, "display": display} for code, display in OVERRIDE_REASONS]


def _links(options: Iterable[Option]) -> Resource:
    """Where the cited publications stand, for those that have a DOI."""
    addressed = [(one, SOURCES[one].doi) for one in _cited(options)]
    links = [{"label": short, "url": f"https://doi.org/{doi}", "type": "absolute"} for short, doi in addressed if doi]
    return {"links": links[:_MOST_LINKS]} if links else {}


def _cited(options: Iterable[Option]) -> list[str]:
    cited = (reason.source.source for option in options for reason in option.because)
    return [name for name in dict.fromkeys(cited) if name in SOURCES]


def _offered_first(option: Option) -> tuple[bool, int, str]:
    return option.verdict not in OFFERED, option.rank or 0, option.modality


def _line(option: Option) -> str:
    needs = f"; needs {_names(option.needs)}" if option.needs else ""
    return f"{_spoken(option.modality)}: {VERDICTS_IN_WORDS.get(option.verdict, option.verdict)}{needs}"


def _because(reason: Reason) -> str:
    return _escaped(because(reason))


def _names(facts: Sequence[str]) -> str:
    more = len(facts) - _MOST_NAMES
    return ", ".join((*map(in_words, facts[:_MOST_NAMES]), *([f"and {more} more"] if more > 0 else [])))


def _spoken(modality: str) -> str:
    return spoken(modality)


def _cut(summary: str) -> str:
    return summary if len(summary) <= LONGEST_SUMMARY else f"{summary[: LONGEST_SUMMARY - 1].rstrip(' ,;:')}…"


def _escaped(text: str) -> str:
    """Text that Markdown takes as text: no markup, no HTML, one line."""
    for character in "\\`*_[]|~#":
        text = text.replace(character, f"\\{character}")
    return " ".join(text.replace("&", "&amp;").replace("<", "&lt;").split())


def _uuid(case: Case, about: str) -> str:
    """The same card of the same assessment has the same name: feedback finds it whenever it comes."""
    return full_url("Card", f"{case.of_result('card')}:{case.assessment.assessed_on}:{about}").removeprefix("urn:uuid:")
