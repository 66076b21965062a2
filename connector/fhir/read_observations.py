"""Reads Observations: the latest final result of a code decides, and an unusable latest one hides older ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from connector.core.case import FactValue
from connector.core.evidence import Observed
from connector.fhir import ucum
from connector.fhir.observation_codes import (
    ECOG_ANSWERS,
    NEGATIVE,
    NO,
    OBSERVATION_CODES,
    POSITIVE,
    PREGNANCY_ANSWERS,
    THYROTROPIN,
    YES,
)
from connector.fhir.record_notes import RecordNotes, Unusable
from connector.fhir.resource import (
    Json,
    Key,
    codings,
    day,
    has_code,
    items,
    members,
    moment,
    origin_of,
    timing,
    words,
)

USED_STATUSES = frozenset({"final", "amended", "corrected"})
STIMULATED_TSH_MIU_L = Decimal(30)  # thyroglobulin at TSH >= 30 mIU/L is a stimulated one (ATA 2015, B22)
_CHILD_PUGH = ("child_pugh_score", "child_pugh_class")  # one LOINC panel code carries either
MARKERS = ("calcitonin_pg_ml", "cea_ng_ml", "tg_unstimulated_ng_ml")


@dataclass(frozen=True, slots=True)
class _Reader:
    fact: str
    read: Callable[[Json], FactValue]


def _quantity(unit: str, *, molar_mass_g_per_mol: str | None = None) -> Callable[[Json], Decimal]:
    """Read a valueQuantity in a unit."""

    def read(observation: Json) -> Decimal:
        mass = Decimal(molar_mass_g_per_mol) if molar_mass_g_per_mol else None
        return ucum.convert(items(observation, "valueQuantity"), unit, molar_mass_g_per_mol=mass)

    return read


def _whole(answers: Mapping[Key, int]) -> Callable[[Json], int]:
    """Read a whole number from valueInteger, a unit-less valueQuantity or a coded answer."""

    def read(observation: Json) -> int:
        coded = {answers[key] for key in codings(observation.get("valueCodeableConcept")) if key in answers}
        if len(coded) == 1:
            return coded.pop()
        value = observation.get("valueInteger")
        if value is None:
            value = items(observation, "valueQuantity").get("value")
            if items(observation, "valueQuantity").get("comparator"):
                raise Unusable("the score is only a bound: a score is needed")
        if isinstance(value, bool) or not isinstance(value, (int, Decimal, float)) or value != int(value):
            raise Unusable("there is no whole number: send valueInteger")
        return int(value)

    return read


def _coded(answers: Mapping[Key, str]) -> Callable[[Json], str]:
    def read(observation: Json) -> str:
        found = {answers[key] for key in codings(observation.get("valueCodeableConcept")) if key in answers}
        if len(found) != 1:
            raise Unusable("the answer is not one of the accepted codes")
        return found.pop()

    return read


def _yes_no(observation: Json) -> bool:
    value = observation.get("valueBoolean")
    if isinstance(value, bool):
        return value
    concept = observation.get("valueCodeableConcept")
    if has_code(concept, YES) != has_code(concept, NO):
        return has_code(concept, YES)
    raise Unusable("the answer is neither yes nor no")


def _positive(observation: Json) -> bool:
    """Positive or negative: by coded value, by the laboratory's interpretation, or against its own reference limit."""
    concepts = [observation.get("valueCodeableConcept"), *members(observation, "interpretation")]
    positive = any(has_code(concept, POSITIVE) for concept in concepts)
    negative = any(has_code(concept, NEGATIVE) for concept in concepts)
    if positive != negative:
        return positive
    limits = [items(limit, "high") for limit in members(observation, "referenceRange") if items(limit, "high")]
    quantity = items(observation, "valueQuantity")
    if len(limits) == 1 and not positive and quantity.get("unit") == limits[0].get("unit"):
        bound = ucum.number(quantity.get("value")) > ucum.number(limits[0].get("value"))
        if quantity.get("comparator") in (None, "<" if not bound else ">"):
            return bound
    raise Unusable("neither interpretation nor reference limit says whether it is positive")


def _child_pugh_class(observation: Json) -> str:
    spoken = [observation.get("valueString"), items(observation, "valueCodeableConcept").get("text")]
    spoken += [code for _, code in codings(observation.get("valueCodeableConcept"))]
    found = {
        text[-1] for text in spoken if isinstance(text, str) and text.removeprefix("Child-Pugh ") in ("A", "B", "C")
    }
    if len(found) != 1:
        raise Unusable("the class is not A, B or C")
    return found.pop()


_READERS: tuple[_Reader, ...] = (
    # Molar masses: bilirubin C33H36N4O6, creatinine C4H7N3O, human calcitonin C151H226N40O45S3 (PubChem).
    _Reader("bilirubin_total_umol_l", _quantity("umol/L", molar_mass_g_per_mol="584.66")),
    _Reader("albumin_g_l", _quantity("g/L")),
    _Reader("inr", _quantity("1")),
    _Reader("creatinine_umol_l", _quantity("umol/L", molar_mass_g_per_mol="113.12")),
    _Reader("egfr_ml_min_1_73m2", _quantity("mL/min/{1.73_m2}")),
    _Reader("calcitonin_pg_ml", _quantity("pg/mL", molar_mass_g_per_mol="3417.9")),
    _Reader("cea_ng_ml", _quantity("ng/mL")),
    _Reader("tg_unstimulated_ng_ml", _quantity("ng/mL")),
    _Reader("tg_antibodies_positive", _positive),
    _Reader("ecog_ps", _whole(ECOG_ANSWERS)),
    _Reader("child_pugh_score", _whole({})),
    _Reader("child_pugh_class", _child_pugh_class),
    _Reader("pregnancy_status", _coded(PREGNANCY_ANSWERS)),
    _Reader("breastfeeding", _yes_no),
    _Reader("height_m", _quantity("m")),
    _Reader("weight_kg", _quantity("kg")),
)


def read_observations(observations: Sequence[Json], notes: RecordNotes) -> None:
    """Note the facts that Observations with accepted codes state, and why the others of those codes were not used."""
    usable = _usable(observations, notes)
    for reader in _READERS:
        accepted = OBSERVATION_CODES[reader.fact]
        candidates = [one for one in usable if has_code(one.get("code"), accepted)]
        if reader.fact in _CHILD_PUGH:
            candidates = [one for one in candidates if _is_class(one) == (reader.fact == "child_pugh_class")]
        if reader.fact == "tg_unstimulated_ng_ml":
            candidates = _unstimulated(candidates, usable, notes)
        if reader.fact in MARKERS:
            _note_series(reader, candidates, notes)
        _note_latest(reader, candidates, notes)


def _is_class(observation: Json) -> bool:
    return "valueString" in observation or "valueCodeableConcept" in observation


def is_accepted(observation: Json) -> bool:
    """Whether the Observation has a code that this file reads."""
    return has_code(observation.get("code"), OBSERVATION_CODES["(any)"])


def _usable(observations: Sequence[Json], notes: RecordNotes) -> list[Json]:
    usable = []
    for observation in observations:
        if not is_accepted(observation):
            continue
        if observation.get("status") not in USED_STATUSES:
            notes.skip(observation, f"status is {observation.get('status')!r}: only final results are used")
        elif observation.get("dataAbsentReason"):
            notes.skip(observation, "the result is marked absent")
        elif _when(observation) is None:
            notes.skip(observation, "there is no day on which it was observed: send effectiveDateTime")
        else:
            usable.append(observation)
    return sorted(usable, key=_recency)


def _when(observation: Json) -> datetime | None:
    return moment(timing(observation, "effective")) or moment(observation.get("issued"))


def _recency(observation: Json) -> tuple[datetime, datetime, datetime]:
    never = datetime.min.replace(tzinfo=UTC)
    updated = items(observation, "meta").get("lastUpdated")
    return _when(observation) or never, moment(observation.get("issued")) or never, moment(updated) or never


def _observed(reader: _Reader, observation: Json) -> Observed[FactValue]:
    try:
        value = reader.read(observation)
    except ucum.UnknownUnit as fault:
        raise Unusable(str(fault)) from fault
    at = timing(observation, "effective") or observation.get("issued")
    return Observed(value, origin_of(observation), day(at))


def _note_latest(reader: _Reader, candidates: Sequence[Json], notes: RecordNotes) -> None:
    """Older results are history; but a latest one that cannot be used is never replaced by them."""
    if not candidates:
        return
    latest = [one for one in candidates if _recency(one) == _recency(candidates[-1])]
    for observation in latest:
        try:
            observed = _observed(reader, observation)
        except Unusable as fault:
            notes.skip(observation, f"{reader.fact}: {fault}")
            return
        notes.state(reader.fact, observed.value, [observation], observed.observed_on)


def _note_series(reader: _Reader, candidates: Sequence[Json], notes: RecordNotes) -> None:
    """Every usable dated value; none when the latest cannot be used, since a trend without it would mislead."""
    values = []
    for observation in candidates:
        try:
            observed = _observed(reader, observation)
        except Unusable as fault:
            if observation is candidates[-1]:
                return  # listed where the latest is judged
            notes.skip(observation, f"{reader.fact}: {fault}")
            continue
        if isinstance(observed.value, Decimal):
            values.append(Observed(observed.value, observed.origin, observed.observed_on))
    if values:
        notes.series[reader.fact] = tuple(values)


def _unstimulated(candidates: Sequence[Json], usable: Sequence[Json], notes: RecordNotes) -> list[Json]:
    """Thyroglobulin whose TSH of the same day is known and below the stimulated range; others do not compare."""
    tsh: dict[object, Decimal] = {}
    for one in usable:
        if has_code(one.get("code"), THYROTROPIN):
            try:
                tsh[_calendar_day(one)] = ucum.convert(items(one, "valueQuantity"), "m[IU]/L")
            except ucum.UnknownUnit as fault:
                notes.skip(one, f"TSH: {fault}")
    kept = []
    for one in candidates:
        level = tsh.get(_calendar_day(one))
        if "stimulated" in words(one.get("code")) and "unstimulated" not in words(one.get("code")):
            notes.skip(one, "thyroglobulin after stimulation is not compared with unstimulated values")
        elif level is None:
            notes.skip(one, "thyroglobulin without a TSH of the same day: it cannot be told whether it was stimulated")
        elif level >= STIMULATED_TSH_MIU_L:
            notes.skip(one, f"thyroglobulin at a TSH of {level} mIU/L is stimulated and not compared")
        else:
            kept.append(one)
    return kept


def _calendar_day(observation: Json) -> object:
    return day(timing(observation, "effective") or observation.get("issued"))
