"""What changed from one selection to the next, and by which rules."""

from dataclasses import dataclass

from connector.core.assessment import Option, Selection


@dataclass(frozen=True, slots=True)
class OptionChange:
    """One option that stands differently; verdicts are None where it was or is not listed."""

    modality: str
    verdict_before: str | None
    verdict_now: str | None
    rank_before: int | None
    rank_now: int | None
    rules_added: tuple[str, ...]
    rules_gone: tuple[str, ...]
    needs_added: tuple[str, ...]
    needs_met: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two selections beside each other; empty when nothing a reader acts on has changed."""

    status_before: str
    status_now: str
    options: tuple[OptionChange, ...]
    rules_added: tuple[str, ...]
    rules_gone: tuple[str, ...]
    contradictions_added: tuple[str, ...]
    contradictions_gone: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether status, options and contradictions are as before."""
        changed = self.options or self.contradictions_added or self.contradictions_gone
        return self.status_before == self.status_now and not changed


def compare(previous: Selection, current: Selection) -> Comparison:
    """Say which options changed verdict or rank, and the rules and needs behind each."""
    before = {option.modality: option for option in previous.options}
    now = {option.modality: option for option in current.options}
    changes = [
        _option_change(modality, before.get(modality), now.get(modality))
        for modality in dict.fromkeys((*now, *before))
        if _standing(before.get(modality)) != _standing(now.get(modality))
    ]
    return Comparison(
        status_before=previous.status,
        status_now=current.status,
        options=tuple(changes),
        rules_added=_without(current.rules_fired, previous.rules_fired),
        rules_gone=_without(previous.rules_fired, current.rules_fired),
        contradictions_added=_without(current.contradictions, previous.contradictions),
        contradictions_gone=_without(previous.contradictions, current.contradictions),
    )


def _standing(option: Option | None) -> tuple[str, int | None] | None:
    return None if option is None else (option.verdict, option.rank)


def _option_change(modality: str, before: Option | None, now: Option | None) -> OptionChange:
    return OptionChange(
        modality=modality,
        verdict_before=before.verdict if before else None,
        verdict_now=now.verdict if now else None,
        rank_before=before.rank if before else None,
        rank_now=now.rank if now else None,
        rules_added=_without(_rules(now), _rules(before)),
        rules_gone=_without(_rules(before), _rules(now)),
        needs_added=_without(now.needs if now else (), before.needs if before else ()),
        needs_met=_without(before.needs if before else (), now.needs if now else ()),
    )


def _rules(option: Option | None) -> tuple[str, ...]:
    return tuple(reason.rule for reason in option.because) if option else ()


def _without(names: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in names if name not in others)
