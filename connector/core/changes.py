"""What is different from the last assessment of a patient, and why, in sentences for the tumour board."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from connector.core.assessment import Earlier, ResponseReport, Selection
from connector.core.catalogue import in_words
from connector.core.selection.comparing import Comparison, OptionChange, compare
from connector.core.selection.reading_order import WEIGHED
from connector.core.selection.registry import RULE
from connector.core.selection.sites import spoken

MOST_REASONS = 3
STATUS = {
    "recommend": "decided",
    "cannot_decide": "cannot decide: facts are missing",
    "excluded_all": "every locoregional treatment is excluded",
    "contradictory_data": "facts contradict each other",
}


def what_changed(
    earlier: Earlier, selection: Selection | None, response: ResponseReport | None, *, study_instance_uid: str = ""
) -> tuple[str, ...]:
    """
    Say what a reader would act on; nothing when status, verdicts, contradictions and response are as before.

    A part that only one of the two assessments has is not compared. Of the study now assessed, a reader is told whether
    the earlier assessment was of the same images: then what changed is in the record, or in the rules.
    """
    said = list(_response(earlier, response))
    if earlier.selection is not None and selection is not None:
        said += _selection(compare(earlier.selection, selection))
    is_same = study_instance_uid == earlier.study_instance_uid
    images = (f" of {'the same' if is_same else 'earlier'} images") if study_instance_uid else ""
    return (f"Compared with the assessment{images} on {earlier.assessed_on}:", *said) if said else ()


def last_overall_response(response: ResponseReport | None) -> str | None:
    """Get the overall response at the last visit."""
    return response.visits[-1].overall_response if response is not None and response.visits else None


def _response(earlier: Earlier, response: ResponseReport | None) -> Iterator[str]:
    before, now = earlier.overall_response, last_overall_response(response)
    if before is not None and now is not None and before != now:
        yield f"Overall response was {before}, is now {now}."


def _selection(found: Comparison) -> Iterator[str]:
    if found.is_same:
        return
    if found.status_before != found.status_now:
        yield f"The answer was “{_status(found.status_before)}”, is now “{_status(found.status_now)}”."
    if found.contradictions_added:
        yield f"Now in contradiction: {_facts(found.contradictions_added)}."
    if found.contradictions_gone:
        yield f"No longer in contradiction: {_facts(found.contradictions_gone)}."
    yield from _options([change for change in found.options if change.verdict_before != change.verdict_now])
    if any(change.verdict_before == change.verdict_now for change in found.options):
        yield "The order of other options changed."


class _Why(NamedTuple):
    """Why an option stands otherwise: only what weighs, so that options of one reason are found together."""

    rules_added: tuple[str, ...]
    rules_gone: tuple[str, ...]
    needs_met: tuple[str, ...]
    needs_added: tuple[str, ...]

    @classmethod
    def of(cls, change: OptionChange) -> "_Why":
        # What is excluded, or is no option any more, asks for nothing: its needs went without having been met.
        met = () if change.verdict_now in {"excluded", None} else change.needs_met
        return cls(_weighing(change.rules_added), _weighing(change.rules_gone), met, change.needs_added)


def _options(changes: Iterable[OptionChange]) -> Iterator[str]:
    """A sentence for each reason with all options that it moved; what a rule says is told once."""
    by_why: dict[_Why, list[OptionChange]] = {}
    for change in changes:
        by_why.setdefault(_Why.of(change), []).append(change)
    told: set[str] = set()
    for why, moved in by_why.items():
        said = "; ".join(_moves(moved))
        reasons = "; ".join(_reasons(why, told))
        for_all = "for all of these, " if reasons and len(moved) > 1 else ""
        yield f"{said}{'; ' if reasons else ''}{for_all}{reasons}."


def _moves(changes: Sequence[OptionChange]) -> Iterator[str]:
    """Options that were and are the same, together."""
    names: dict[tuple[str | None, str | None], list[str]] = {}
    for change in changes:
        names.setdefault((change.verdict_before, change.verdict_now), []).append(spoken(change.modality))
    for (before, now), together in names.items():
        was, now_is = ("were", "are") if len(together) > 1 else ("was", "is")
        yield f"{_listed(together)} {_was(was, before)}, {_is_now(now_is, now)}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)


def _was(verb: str, verdict: str | None) -> str:
    if verdict == "cannot_decide":
        return "could not be decided"
    return f"{verb} not listed" if verdict is None else f"{verb} {_verdict(verdict)}"


def _is_now(verb: str, verdict: str | None) -> str:
    if verdict == "cannot_decide":
        return "now cannot be decided"
    return f"{verb} no longer listed" if verdict is None else f"{verb} now {_verdict(verdict)}"


def _verdict(code: str) -> str:
    return "relatively contraindicated" if code == "relative_contraindication" else _words(code)


def _weighing(rules: Sequence[str]) -> tuple[str, ...]:
    return tuple(rule for rule in rules if rule not in RULE or RULE[rule].verdict in WEIGHED)


def _reasons(why: _Why, told: set[str]) -> Iterator[str]:
    for lead, rules in (("because", why.rules_added), ("no longer because", why.rules_gone)):
        if rules:
            more = len(rules) - MOST_REASONS
            shown = [_rule(rule, told) for rule in rules[:MOST_REASONS]]
            yield f"{lead} " + ", ".join((*shown, *([f"and {more} more"] if more > 0 else [])))
    if why.needs_met:
        yield f"no longer open: {_facts(why.needs_met)}"
    if why.needs_added:
        yield f"now needed: {_facts(why.needs_added)}"


def _rule(rule: str, told: set[str]) -> str:
    """The rule's words with its source, by its id alone when they stand above or a newer rule set dropped them."""
    if rule not in RULE:
        return rule
    if rule in told:
        return f"{rule} as above"
    told.add(rule)
    return f"“{RULE[rule].text}” ({rule}; {RULE[rule].cite})"


def _facts(names: Iterable[str]) -> str:
    return ", ".join(map(in_words, names))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _status(code: str) -> str:
    return STATUS.get(code, _words(code))
