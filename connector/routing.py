"""Which study gets which assessment, and when it is complete: rules of the site, judged without any I/O."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from connector.core.assess import PARTS

Policy = Literal["ask", "proceed", "keep_out"]


@dataclass(frozen=True, slots=True)
class SeriesSeen:
    """A series as far as it has come."""

    modality: str = ""
    sop_classes: frozenset[str] = frozenset()
    body_part: str = ""
    description: str = ""
    procedure_codes: frozenset[str] = frozenset()  # SCHEME:CODE
    instances: int = 1
    last_received_at: float = 0.0


@dataclass(frozen=True, slots=True)
class StudySeen:
    """A study as far as it has come; `sources` are the calling AE titles that sent it."""

    study_instance_uid: str
    sources: frozenset[str]
    series: tuple[SeriesSeen, ...]
    last_received_at: float = 0.0


@dataclass(frozen=True, slots=True)
class SeriesPattern:
    """What a series must be; each condition that is given must hold, by any of its values."""

    modality: tuple[str, ...] = ()
    sop_class: tuple[str, ...] = ()
    body_part: tuple[str, ...] = ()
    series_description: tuple[str, ...] = ()  # regular expressions, found anywhere, whatever the case of letters

    def fits(self, series: SeriesSeen) -> bool:
        """Whether a series is of this kind."""
        return (
            (not self.modality or series.modality in self.modality)
            and (not self.sop_class or not series.sop_classes.isdisjoint(self.sop_class))
            and (not self.body_part or series.body_part.upper() in {each.upper() for each in self.body_part})
            and (
                not self.series_description
                or any(re.search(each, series.description, re.IGNORECASE) for each in self.series_description)
            )
        )

    def in_words(self) -> str:
        """The conditions for a reader."""
        named = (
            ("modality", self.modality),
            ("SOP class", self.sop_class),
            ("body part", self.body_part),
            ("series description", self.series_description),
        )
        return ", ".join(f"{name} {' or '.join(values)}" for name, values in named if values) or "anything"


@dataclass(frozen=True, slots=True)
class Required:
    """Series that a study needs before it can be assessed."""

    pattern: SeriesPattern
    series: int = 1
    instances: int = 1  # in each of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """
    One kind of study: how it is known, what of an assessment it gets, and when it is complete.

    The conditions of `pattern` are met by one and the same series. Without `required` a study is complete when it was
    quiet for `quiet_seconds` and each of its series for `series_quiet_seconds`; with it, as soon as all required
    series are here and quiet. What still lacks one after `incomplete_after_seconds` without news goes by the policy.
    """

    name: str
    assess: tuple[str, ...] = PARTS  # empty: kept out
    pattern: SeriesPattern = SeriesPattern()
    procedure_code: tuple[str, ...] = ()
    calling_ae: tuple[str, ...] = ()
    quiet_seconds: float = 30.0
    series_quiet_seconds: float = 0.0
    required: tuple[Required, ...] = ()
    incomplete_after_seconds: float = 5400.0
    when_incomplete: Policy = "ask"

    def mismatch(self, study: StudySeen) -> str | None:
        """Why the rule does not match a study; None when it does."""
        if self.calling_ae and not _any_fits(self.calling_ae, study.sources):
            return f"it was sent by {_told(study.sources)}, not by {' or '.join(self.calling_ae)}"
        codes = {code for series in study.series for code in series.procedure_codes}
        if self.procedure_code and not _any_fits(self.procedure_code, codes):
            return f"its procedure code is {_told(codes)}, not {' or '.join(self.procedure_code)}"
        if not any(self.pattern.fits(series) for series in study.series):
            return f"it has no series of {self.pattern.in_words()}"
        return None

    def missing(self, study: StudySeen) -> list[str]:
        """The required series that are not here yet, in words."""
        lacking = []
        for need in self.required:
            found = [series for series in study.series if need.pattern.fits(series)]
            if sum(series.instances >= need.instances for series in found) < need.series:
                count = f"{need.series} series" if need.series > 1 else "a series"
                of = f" with {need.instances} instances" if need.instances > 1 else ""
                lacking.append(f"{count} of {need.pattern.in_words()}{of}")
        return lacking


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What becomes of a study now.

    `state` is one of `wait`, `complete`, `incomplete` (a person is asked) and `kept_out`; `told` is for people, and on
    record with the result when it was completed though something is missing.
    """

    state: str
    because: str = ""
    told: str = ""
    rule: Rule | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """The rules in order: the first that matches a study decides. `quiet_seconds` is for studies that none matches."""

    rules: tuple[Rule, ...]
    quiet_seconds: float

    @property
    def shortest_wait_seconds(self) -> float:
        """No study is looked at before it was quiet for so long."""
        waits = [rule.series_quiet_seconds if rule.required else rule.quiet_seconds for rule in self.rules]
        return min([*waits, self.quiet_seconds])

    def match(self, study: StudySeen) -> tuple[Rule | None, list[tuple[str, str]]]:
        """The rule for a study, and why not each of those before it."""
        passed_over: list[tuple[str, str]] = []
        for rule in self.rules:
            reason = rule.mismatch(study)
            if reason is None:
                return rule, passed_over
            passed_over.append((rule.name, reason))
        return None, passed_over

    def decide(self, study: StudySeen, now: float, *, said_complete: str = "") -> Decision:
        """
        What becomes of a study at `now`, when it is silent or a modality or archive said that it is complete.

        That word stands for the quiet times, not for required series: those may be made by others.
        """
        rule, passed_over = self.match(study)
        silent_seconds = now - study.last_received_at
        if rule is None:
            reasons = "; ".join(f"{name}: {reason}" for name, reason in passed_over)
            kept_out = Decision("kept_out", "no routing rule matches", f"no routing rule matches it ({reasons})")
            return kept_out if said_complete or silent_seconds >= self.quiet_seconds else Decision("wait")
        if not said_complete and any(
            now - series.last_received_at < rule.series_quiet_seconds for series in study.series
        ):
            return Decision("wait")
        if rule.required and rule.assess:
            return _by_required(rule, rule.missing(study), silent_seconds)
        return _by_quiet(rule, silent_seconds, said_complete)


def _by_required(rule: Rule, missing: Sequence[str], silent_seconds: float) -> Decision:
    if not missing:
        return Decision("complete", "required series are here", "", rule)
    if silent_seconds < rule.incomplete_after_seconds:
        return Decision("wait")
    told = (
        f"after {rule.incomplete_after_seconds:g} s without news the study still lacks {'; '.join(missing)}"
        f" (routing rule {rule.name}, when_incomplete {rule.when_incomplete})"
    )
    state = {"ask": "incomplete", "proceed": "complete", "keep_out": "kept_out"}[rule.when_incomplete]
    return Decision(state, "forced: required series missing", told, rule)


def _by_quiet(rule: Rule, silent_seconds: float, said_complete: str) -> Decision:
    if not said_complete and silent_seconds < rule.quiet_seconds:
        return Decision("wait")
    if rule.assess:
        return Decision("complete", said_complete or "quiet", "", rule)
    return Decision("kept_out", "routing rule", f"routing rule {rule.name} keeps it out", rule)


def every_study(quiet_seconds: float) -> Routing:
    """Without rules of the site: everything is assessed once it is quiet."""
    return Routing((Rule(name="every study", quiet_seconds=quiet_seconds),), quiet_seconds)


def _any_fits(patterns: Sequence[str], values: frozenset[str] | set[str]) -> bool:
    return any(fnmatchcase(value, pattern) for value in values for pattern in patterns)


def _told(values: frozenset[str] | set[str]) -> str:
    return " and ".join(sorted(filter(None, values))) or "not told"
