"""What is different from the last assessment of a patient, and why, in sentences for the tumour board."""

from collections.abc import Iterable, Iterator, Sequence

from connector.core.assessment import Earlier, ResponseReport, Selection
from connector.core.catalogue import in_words
from connector.core.selection.comparing import Comparison, OptionChange, compare
from connector.core.selection.reading_order import WEIGHED
from connector.core.selection.registry import RULE

MOST_REASONS = 3


def what_changed(earlier: Earlier, selection: Selection | None, response: ResponseReport | None) -> tuple[str, ...]:
    """
    Say what a reader would act on; nothing when status, verdicts, contradictions and response are as before.

    A part that only one of the two assessments has is not compared.
    """
    said = list(_response(earlier, response))
    if earlier.selection is not None and selection is not None:
        said += _selection(compare(earlier.selection, selection))
    return (f"Compared with the assessment of {earlier.assessed_on}:", *said) if said else ()


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
        yield f"The answer was “{_words(found.status_before)}”, is now “{_words(found.status_now)}”."
    if found.contradictions_added:
        yield f"Now in contradiction: {_facts(found.contradictions_added)}."
    if found.contradictions_gone:
        yield f"No longer in contradiction: {_facts(found.contradictions_gone)}."
    moved = False
    for change in found.options:
        if change.verdict_before != change.verdict_now:
            yield _option(change)
        else:
            moved = True
    if moved:
        yield "The order of other options changed with it."


def _option(change: OptionChange) -> str:
    before = "was not listed" if change.verdict_before is None else f"was {_words(change.verdict_before)}"
    now = "is no longer listed" if change.verdict_now is None else f"is now {_words(change.verdict_now)}"
    why = [
        *_reasons("because", change.rules_added),
        *_reasons("no longer because", change.rules_gone),
        *([f"now known: {_facts(change.needs_met)}"] if change.needs_met else []),
        *([f"now needed: {_facts(change.needs_added)}"] if change.needs_added else []),
    ]
    return "; ".join((f"{_words(change.modality)} {before}, {now}", *why)) + "."


def _reasons(lead: str, rules: Sequence[str]) -> Iterator[str]:
    """The rules that weigh, with their words and source; a rule that a newer rule set dropped by its id alone."""
    weighing = [rule for rule in rules if rule not in RULE or RULE[rule].verdict in WEIGHED]
    shown = [f"{RULE[rule].text} ({rule}; {RULE[rule].cite})" if rule in RULE else rule for rule in weighing]
    if shown:
        more = len(shown) - MOST_REASONS
        yield f"{lead} " + ", ".join((*shown[:MOST_REASONS], *([f"and {more} more"] if more > 0 else [])))


def _facts(names: Iterable[str]) -> str:
    return ", ".join(map(in_words, names))


def _words(name: str) -> str:
    return name.replace("_", " ")
