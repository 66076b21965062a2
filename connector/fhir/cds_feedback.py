"""Reads the feedback of CDS Hooks 2.0: which card was accepted or overridden, and why."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from connector.fhir.write_card import OVERRIDE_REASONS
from connector.ports import CardAnswer

_MOST_AT_ONCE = 100
_LONGEST_CODE = 128
_LONGEST_COMMENT = 2000


class NotFeedback(ValueError):
    """The body is no feedback; the text names the field and holds nothing of the body."""


def read_feedback(body: Mapping[str, Any]) -> list[CardAnswer]:
    """Every entry, or NotFeedback: nothing of a body that is wrong in one place is kept."""
    entries = body.get("feedback")
    if not isinstance(entries, list) or not entries:
        raise NotFeedback("feedback must be a list with at least one entry")
    if len(entries) > _MOST_AT_ONCE:
        raise NotFeedback(f"send no more than {_MOST_AT_ONCE} entries at once")
    return [_entry(entry, place) for place, entry in enumerate(entries)]


def reasons_in_words(answers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Feedback as it is kept, with our reasons as the card told them; an EHR's own code stays as it is."""
    told = dict(OVERRIDE_REASONS)
    return [{**one, "reason": told.get(one["reason"], one["reason"])} for one in answers]


def _entry(entry: Any, place: int) -> CardAnswer:
    where = f"feedback[{place}]"
    if not isinstance(entry, dict):
        raise NotFeedback(f"{where} must be an object")
    outcome = entry.get("outcome")
    if outcome not in ("accepted", "overridden"):
        raise NotFeedback(f"{where}.outcome must be accepted or overridden")
    suggestions = _suggestions(entry.get("acceptedSuggestions"), where)
    if outcome == "accepted" and not suggestions:
        raise NotFeedback(f"{where}.acceptedSuggestions is needed with an accepted card")
    reason, comment = _override(entry.get("overrideReason"), where)
    return CardAnswer(
        card_id=_uuid(entry.get("card"), f"{where}.card"),
        outcome=outcome,
        acted_at=_moment(entry.get("outcomeTimestamp"), f"{where}.outcomeTimestamp"),
        suggestions=suggestions,
        reason=reason,
        comment=comment,
    )


def _suggestions(given: Any, where: str) -> tuple[str, ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(one, dict) for one in given):
        raise NotFeedback(f"{where}.acceptedSuggestions must be a list of objects with id")
    return tuple(_uuid(one.get("id"), f"{where}.acceptedSuggestions.id") for one in given)


def _override(given: Any, where: str) -> tuple[str | None, str | None]:
    if given is None:
        return None, None
    if not isinstance(given, dict):
        raise NotFeedback(f"{where}.overrideReason must be an object")
    reason, comment = given.get("reason"), given.get("userComment")
    code = reason.get("code") if isinstance(reason, dict) else None
    # PostgreSQL keeps no text with a NUL in it.
    if reason is not None and (not isinstance(code, str) or not 0 < len(code) <= _LONGEST_CODE or "\0" in code):
        raise NotFeedback(f"{where}.overrideReason.reason must be a Coding with a code")
    if comment is not None and (not isinstance(comment, str) or len(comment) > _LONGEST_COMMENT or "\0" in comment):
        raise NotFeedback(f"{where}.overrideReason.userComment must be a text of at most {_LONGEST_COMMENT} characters")
    return code, comment


def _uuid(value: Any, where: str) -> str:
    try:
        return str(uuid.UUID(value if isinstance(value, str) else ""))
    except ValueError:
        raise NotFeedback(f"{where} must be a UUID") from None


def _moment(value: Any, where: str) -> str:
    """An RFC 3339 moment with its offset."""
    try:
        parsed = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise NotFeedback(f"{where} must be a date and time (RFC 3339)") from None
    if parsed.tzinfo is None:
        raise NotFeedback(f"{where} must say its offset, as in 2026-01-31T10:05:31Z")
    return parsed.isoformat()
