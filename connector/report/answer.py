"""What a selection comes to in a line: what is preferred and at which site, who decides, or what is needed first."""

from collections.abc import Sequence

from connector.core.assessment import Option, Selection
from connector.core.catalogue import in_words
from connector.core.selection.sites import by_site, is_left_to_the_board, preferred_in_words
from connector.report import words

MOST_BLOCKING = 10
NONE = "none is preferred"
BOARD = "the board alone decides"


def in_short(selection: Selection | None) -> str:
    """What is preferred, or what is needed before anything is; site by site where each is ranked by itself."""
    if selection is None:
        return "Cannot decide: needs the facts of the patient's record"
    if selection.status == "contradictory_data":
        return _contradictory(selection)
    if selection.status == "excluded_all":
        return _all_excluded(selection)
    (site, options), *others = by_site(selection.options)
    preferred = _preferred(options)
    if not others:
        return status(selection) if preferred == BOARD else f"Preferred: {preferred}" if preferred else _open(selection)
    first = (
        _of_site(preferred) if preferred else _open(selection).rstrip(".").replace("Cannot decide: ", "cannot decide, ")
    )
    said = [f"{site}: {first}", *(f"{name}: {_of_site(_preferred(own))}{_waiting(own)}" for name, own in others)]
    return words.sentence("; ".join(said))


def status(selection: Selection) -> str:
    """The answer as a sentence, with why the ranks of a part may begin with 2."""
    (_, options), *_ = by_site(selection.options)
    preferred = _preferred(options)
    if selection.status == "recommend" and is_left_to_the_board(selection.options):
        return f"No treatment is proposed: {BOARD}."
    said = words.STATUS.get(selection.status, selection.status)
    waits = selection.status == "cannot_decide" and not preferred and any(option.rank for option in options)
    return f"{said} The first rank stays open until they are known." if waits else said


def site_heading(site: str, options: Sequence[Option]) -> str:
    """What stands above the options of a site whose ranks begin anew; nothing where there is only one."""
    if not site:
        return ""
    preferred = _preferred(options)
    what = {"": f": {NONE}", BOARD: f": {BOARD}"}.get(preferred, "")
    return f"{words.sentence(site)}, ranked apart from the other sites{what}"


def _preferred(options: Sequence[Option]) -> str:
    if is_left_to_the_board(options):
        return BOARD
    return " or ".join(words.treatment(option.modality) for option in options if option.verdict == "preferred")


def _of_site(preferred: str) -> str:
    return preferred if preferred == BOARD else f"preferred {preferred}" if preferred else NONE


def _waiting(options: Sequence[Option]) -> str:
    """What is not known of a site at which nothing is preferred; the leading site says it as what blocks the answer."""
    needs = dict.fromkeys(need for one in options if one.verdict == "cannot_decide" for need in one.needs)
    if not needs or _preferred(options):
        return ""
    return f" (not known: {words.listed(map(in_words, needs), MOST_BLOCKING, words.ELSEWHERE)})"


def _contradictory(selection: Selection) -> str:
    named = ", ".join(map(in_words, selection.contradictions))
    said = words.STATUS[selection.status]
    return said.replace(";", f" ({named});") if named else said


def _all_excluded(selection: Selection) -> str:
    said = words.STATUS[selection.status]
    if is_left_to_the_board(selection.options):
        return f"{said} {words.sentence(BOARD)}."
    preferred = preferred_in_words(selection.options, words.treatment)
    return f"{said} Preferred: {preferred}" if preferred else said


def _open(selection: Selection) -> str:
    blocking = selection.blocking or tuple(dict.fromkeys(need for option in selection.options for need in option.needs))
    if selection.status == "cannot_decide" and blocking:
        return f"Cannot decide: needs {words.listed(map(words.asked, blocking), MOST_BLOCKING, words.ELSEWHERE)}"
    return words.STATUS.get(selection.status, selection.status)
