"""From facts to a selection: what fires, what is excluded, what is undecided, and in which order the rest stands."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import compress
from typing import NamedTuple, TypeVar

from connector.core.assessment import Option, Reason, Selection
from connector.core.case import FactValue
from connector.core.catalogue import ASKED, REQUIRED, read_fact
from connector.core.evidence import Observed
from connector.core.rules import Rule, Truth, Values, Verdict
from connector.core.selection import conflicts, contradictions, derived, needs, pooling, sites
from connector.core.selection.follow_up import follow_up
from connector.core.selection.freshness import dated
from connector.core.selection.pathway import Path, ends_without_options, walk_figure_2
from connector.core.selection.ranking import Standing, ranks, set_back, standing
from connector.core.selection.reading_order import (
    ALERTS,
    BEFORE,
    FIXED_REASONS,
    MEASURES,
    NAMED,
    SUPPORTING,
    TELLS,
    TO_CONFIRM,
    WEIGHS,
    asked_by_rules,
    truths,
)
from connector.core.selection.sites import Site
from connector.core.selection.values import numbers
from connector.core.vocabulary import LIVER_LOCOREGIONAL, LOCOREGIONAL

T = TypeVar("T")
OFFERED = frozenset({"preferred", "possible", "relative_contraindication"})
DRUG = "systemic_therapy"
BOARD_LEADS = ("HOUSE-BOARD-NO-RULE-SET", "HOUSE-PHEO")
BOARD_DECIDES = ("F2-N1-FOUR", "HOUSE-PHEO", "TARE-REL-BURDEN70", "GEN-DER-PREG", "GEN-MDT-ENDO")


def select(facts: Mapping[str, Observed[FactValue]], today: date) -> Selection:
    """
    Say which treatments fit these facts, by cited rules, as a draft for a tumour board.

    An absent fact is unknown, never "no". Facts that contradict each other prefer nothing. Raises BadCase for a fact of
    an unknown name, a wrong type or out of its range.
    """
    given = {name: read_fact(name, observed.value) for name, observed in dated(facts, today).items()}
    return select_values(given, today)


def select_values(given: Values, today: date) -> Selection:
    """Answer as `select` does, for values that are already checked."""
    return _case(given).answer(today)


def _case(given: Values) -> "Case":
    values, contradicting = completed(given)
    return Case(values, contradicting, truths(values))


def completed(given: Values) -> tuple[Values, tuple[str, ...]]:
    """The values with everything that follows from them, and the facts that contradict each other."""
    completed = derived.complete(given)
    values = dict(completed.values)
    derived.add_sums(values)
    return values, contradictions.contradicting(values, completed.mismatches)


class _Verdict(NamedTuple):
    word: str
    needs: tuple[str, ...] = ()


EXCLUDED, POSSIBLE = _Verdict("excluded"), _Verdict("possible")


class _Ranked(NamedTuple):
    modality: str
    verdict: _Verdict
    rank: int | None
    behind: str = ""


@dataclass(frozen=True, slots=True)
class _Decision:
    """Everything that is decided, before it is explained."""

    status: str
    path: Path
    standings: tuple[_Ranked, ...]
    blocking: tuple[str, ...]


def _by_option(found: Iterable[tuple[Rule, T]]) -> Mapping[str, list[T]]:
    """What was found of rules, by the options that they speak of."""
    sorted_out: dict[str, list[T]] = defaultdict(list)
    for rule, one in found:
        for option in rule.options:
            sorted_out[option].append(one)
    return sorted_out


class Case:
    """One case on its way to a selection; every step reads what the earlier ones found."""

    def __init__(self, values: Values, contradicting: tuple[str, ...], answers: Sequence[Truth]) -> None:
        self.values = values
        self.contradicting = contradicting
        self.answers = answers
        self.fired: Mapping[str, Rule] = dict(compress(NAMED, answers))
        self.weighing = _by_option((rule, rule) for rule in self.fired.values() if rule.id in WEIGHS)
        self.verdicts: dict[str, _Verdict] = {}
        self.reasons: dict[str, Reason] = {}
        self.board_leads = bool(contradicting) or any(rule in self.fired for rule in BOARD_LEADS)
        self.lacking = needs.lacking(needs.ELIGIBILITY, values)
        self.lacking_for_prescription = needs.lacking(needs.PRESCRIPTION, values)

    def decide(self) -> _Decision:
        """Decide everything, and explain nothing yet."""
        questions = sites.in_question(self.values)
        path = walk_figure_2(self.values) if sites.LIVER in questions else Path(())
        settled = replace(path, undecided=frozenset())
        if path.undecided and not self.could_matter(questions, settled):
            path = settled
        all_excluded = self.all_excluded(questions)
        leading, is_undecided, standings = self.arranged(questions, path)
        status = self.status(all_excluded=all_excluded, undecided=is_undecided)
        if status in {"recommend", "excluded_all"} and not any(
            one.rank == 1 and one.modality in leading for one in standings
        ):
            standings = (_Ranked("board_only", POSSIBLE, 1), *standings)
        blocking = self.blocking(questions[0], path) if status == "cannot_decide" else ()
        return _Decision(status, path, standings, blocking)

    def arranged(self, questions: tuple[Site, ...], path: Path) -> tuple[tuple[str, ...], bool, tuple[_Ranked, ...]]:
        """The options of the leading site, whether that is undecided, and every option where it stands."""
        listed = self.listed(questions)
        verdicts = {option: self.verdict(option) for site_options in listed.values() for option in site_options}
        undecided = {site.name: self.is_undecided(site, path, listed[site.name], verdicts) for site in questions}
        leading = questions[0].name
        return listed[leading], undecided[leading], self.ranked(questions, listed, verdicts, path, undecided)

    def could_matter(self, questions: tuple[Site, ...], settled: Path) -> bool:
        """Whether an answer that the pathway lacks could lead away from what comes first on a path without it."""
        # Facts in contradiction prefer nothing, and what they exclude is in doubt until one of them is put right.
        if self.contradicting or any(self.verdict(option).word != "excluded" for option in sites.LIVER.options):
            return True
        others = tuple(site for site in questions if site is not sites.LIVER) or (sites.WHOLE_BODY,)
        found = set()
        for end in (settled, *ends_without_options(self.values)):
            _, is_undecided, standings = self.arranged(others if end is None else questions, end or Path(()))
            found.add((is_undecided, frozenset(one.modality for one in standings if one.rank == 1)))
        return len(found) > 1

    def answer(self, today: date) -> Selection:
        """Decide and explain."""
        decision = self.decide()
        told = _by_option((rule, self.reason(rule)) for rule in self.fired.values() if rule.id in TELLS)
        options = tuple([self.option(one, told) for one in decision.standings])
        listed_options = frozenset(option.modality for option in options)
        offered = frozenset(option.modality for option in options if option.verdict in OFFERED)
        preferred = frozenset(option.modality for option in options if option.rank == 1)
        return Selection(
            status=decision.status,
            options=options,
            rules_fired=tuple(self.fired),
            missing=self.missing(decision.path, options),
            contradictions=self.contradicting,
            pathway=decision.path.nodes,
            measures=self.measures(offered),
            follow_up=follow_up(self.values, self.fired, preferred, today),
            alerts=self.alerts(listed_options),
            risks=pooling.risks(self.values, offered),
            conflicts=conflicts.touching(self.values, self.fired),
            values=numbers(self.values),
            blocking=decision.blocking,
        )

    def listed(self, questions: tuple[Site, ...]) -> dict[str, tuple[str, ...]]:
        """The options of every site in question; what treats the whole body stands with the leading one."""
        found = {site.name: site.options for site in questions}
        whole_body = sites.whole_body_options(self.values, self.fired)
        found[questions[0].name] += whole_body
        return found

    def verdict(self, option: str) -> _Verdict:
        """One option by itself: an exclusion beats an unknown, an unknown beats a relative contraindication."""
        known = self.verdicts.get(option)
        if known is None:
            known = self.verdicts[option] = self.judged(option)
        return known

    def judged(self, option: str) -> _Verdict:
        """Weigh the rules that fired for an option against what it lacks."""
        rules = self.weighing.get(option)
        strongest = rules[0].verdict if rules else None
        if strongest is Verdict.EXCLUDES:
            return EXCLUDED
        lacking = tuple(self.lacking.get(option, ()))
        wanting = tuple(self.lacking_for_prescription.get(option, ()))
        if lacking:
            return _Verdict("cannot_decide", (*lacking, *wanting))
        if strongest is Verdict.RELATIVE:
            return _Verdict("relative_contraindication", wanting)
        return _Verdict("cannot_decide", wanting) if wanting else POSSIBLE

    def all_excluded(self, questions: tuple[Site, ...]) -> bool:
        """Every locoregional option of the sites in question, and every one for the liver, is excluded absolutely."""
        asked = {option for site in questions for option in site.options if option in LOCOREGIONAL}
        return all(self.verdict(option).word == "excluded" for option in asked.union(LIVER_LOCOREGIONAL))

    def is_undecided(self, site: Site, path: Path, listed: tuple[str, ...], verdicts: Mapping[str, _Verdict]) -> bool:
        """Whether an unknown fact blocks what the pathway leads to; away from the liver, what the rules lead to."""
        if site is sites.LIVER:
            blocked = {option for option in path.targets if verdicts[option].word == "cannot_decide"}
            free = {option for option in path.targets if verdicts[option].word == "possible"}
            return bool(path.undecided) or (bool(blocked) and not free)
        standings = [self.standing(option, path) for option in listed if _is_free(verdicts[option])]
        leaders = [one for one in standings if one.may_lead]
        waiting = [option for option in site.own if option in verdicts and verdicts[option].word == "cannot_decide"]
        # A drug settles no question about an organ: what an unknown fact blocks there might stand before or beside it.
        if all(one.modality == DRUG for one in leaders):
            return any(self.could_stand_beside(leaders, option, path) for option in waiting)
        return False

    def could_stand_beside(self, leaders: Sequence[Standing], option: str, path: Path) -> bool:
        """Whether a blocked option is behind none of those that lead, once what it needs speaks for it."""
        asked = self.verdict(option).needs
        # A rule that waits for other facts is no reason to ask for these: it would stay as open as it is.
        speaking = [
            rule
            for place, rule in SUPPORTING[option]
            if self.answers[place] is None and not rule.when.undecided_by(self.values).isdisjoint(asked)
        ]
        best = standing(option, (*self.weighing.get(option, ()), *speaking), targets=path.targets)
        return best.may_lead and all(best.key <= leader.key for leader in leaders)

    def blocking(self, site: Site, path: Path) -> tuple[str, ...]:
        """The absent facts that leave the answer open: those that stop the pathway, else what its options need."""
        if path.undecided:
            return tuple(sorted(path.undecided))
        led_to = path.targets if site is sites.LIVER else frozenset(site.own)
        return tuple(dict.fromkeys(name for option in sorted(led_to) for name in self.verdict(option).needs))

    def status(self, *, all_excluded: bool, undecided: bool) -> str:
        """The answer of the whole case, in a word of the contract."""
        if self.contradicting:
            return "contradictory_data"
        if all_excluded:
            return "excluded_all"
        return "cannot_decide" if undecided else "recommend"

    def standing(self, option: str, path: Path) -> Standing:
        """How an option stands by the rules that fired for it."""
        return standing(option, self.weighing.get(option, ()), targets=path.targets)

    def ranked(
        self,
        questions: tuple[Site, ...],
        listed: Mapping[str, tuple[str, ...]],
        verdicts: Mapping[str, _Verdict],
        path: Path,
        undecided: Mapping[str, bool],
    ) -> tuple[_Ranked, ...]:
        """Rank every site by itself, for its options answer for other lesions; then those that carry no rank."""
        found: list[_Ranked] = []
        for site in questions:
            offered = [option for option in listed[site.name] if _is_free(verdicts[option])]
            closed = self.board_leads or undecided[site.name] or (site is sites.LIVER and _is_dead_end(path, verdicts))
            standings = [self.standing(option, path) for option in offered]
            rank = ranks(standings, first_is_open=not closed)
            leaders = [one for one in standings if rank[one.modality] == 1]
            for one in sorted(standings, key=lambda one: rank[one.modality]):
                behind = set_back(one, leaders) if leaders and one not in leaders else ""
                found.append(_Ranked(one.modality, verdicts[one.modality], rank[one.modality], behind))
            found += [_Ranked(option, verdicts[option], None) for option in listed[site.name] if option not in rank]
        return tuple(found)

    def option(self, ranked: _Ranked, told: Mapping[str, list[Reason]]) -> Option:
        """One option with its reasons; the board decides when nothing is both supported and free of objections."""
        word = "preferred" if ranked.rank == 1 else ranked.verdict.word
        because = told.get(ranked.modality, [])
        if ranked.modality == "board_only":
            because = [*because, *(self.reason(self.fired[rule]) for rule in BOARD_DECIDES if rule in self.fired)]
        return Option(ranked.modality, word, ranked.rank, tuple(because), ranked.verdict.needs, ranked.behind)

    def reason(self, rule: Rule) -> Reason:
        """A rule's word, with the facts that decided it."""
        found = FIXED_REASONS.get(rule.id) or self.reasons.get(rule.id)
        if found is None:
            facts = tuple(sorted(rule.when.decided_by(self.values)))
            found = self.reasons[rule.id] = Reason(rule.id, rule.text, rule.cite, facts)
        return found

    def missing(self, path: Path, options: Iterable[Option]) -> tuple[str, ...]:
        """Absent facts: what stops the pathway, what blocks options, what an activity lacks, what rules would ask."""
        names = dict.fromkeys(sorted(path.undecided))
        alive = set()
        for option in options:
            if option.verdict != "excluded":
                alive.add(option.modality)
                if option.needs:
                    names.update(dict.fromkeys(option.needs))
        if "TARE" in alive:
            names.update(dict.fromkeys(needs.lacking(needs.CALCULATION, self.values).get("TARE", ())))
        asked = asked_by_rules(self.answers, self.values, alive).union(needs.asked_anyway(self.values))
        asked.difference_update(self.values, tuple(needs.pointless(asked, self.values)))
        names.update(dict.fromkeys(sorted(asked & ASKED.keys(), key=ASKED.__getitem__)))
        return tuple(names)

    def measures(self, offered: frozenset[str]) -> tuple[Reason, ...]:
        """What must or should be done; where a required fact is not known, that it is to be confirmed."""
        found = [self.reason(rule) for rule in MEASURES if rule.id in self.fired and needs.concerns(rule, offered)]
        found += [
            reason
            for place, rule, reason in TO_CONFIRM
            if self.answers[place] is None
            and needs.concerns(rule, offered)
            and not REQUIRED.isdisjoint(rule.when.undecided_by(self.values))
        ]
        found += [
            reason for rule, reason in BEFORE if rule.id in self.fired and not offered.isdisjoint(rule.requirement_for)
        ]
        return tuple(found)

    def alerts(self, listed: frozenset[str]) -> tuple[Reason, ...]:
        """What a reader must see first."""
        return tuple(
            [
                self.reason(rule)
                for rule in ALERTS
                if rule.id in self.fired and (rule.kind == "alert" or not listed.isdisjoint(rule.options))
            ]
        )


def _is_free(verdict: _Verdict) -> bool:
    """Offered: neither excluded nor waiting for a fact."""
    return verdict.word in {"possible", "relative_contraindication"}


def _is_dead_end(path: Path, verdicts: Mapping[str, _Verdict]) -> bool:
    """Whether the pathway allows only what is not free to be chosen, or nothing at all."""
    return path.nothing_else and not any(verdicts[option].word == "possible" for option in path.targets)
