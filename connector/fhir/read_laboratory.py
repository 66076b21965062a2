"""Reads dated laboratory results with the laboratory's limits of normal: what adverse events are graded from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connector.core.case import LabResult
from connector.core.response.adverse_events import Analyte
from connector.fhir import ucum
from connector.fhir.observation_codes import GRADED_CODES
from connector.fhir.read_observations import USED_STATUSES
from connector.fhir.record_notes import RecordNotes
from connector.fhir.resource import Json, codes_in, day, has_code, items, members, origin_of, timing

_NORMAL = "http://terminology.hl7.org/CodeSystem/referencerange-meaning"


@dataclass(frozen=True, slots=True)
class _Scale:
    unit: str
    molar_mass_g_per_mol: Decimal | None = None

    def convert(self, quantity: Mapping[str, object]) -> Decimal:
        return ucum.convert(quantity, self.unit, molar_mass_g_per_mol=self.molar_mass_g_per_mol)


_SCALES: Mapping[Analyte, _Scale] = {
    Analyte.AST: _Scale("U/L"),
    Analyte.ALT: _Scale("U/L"),
    Analyte.ALP: _Scale("U/L"),
    Analyte.GGT: _Scale("U/L"),
    # Molar masses as in read_observations: bilirubin C33H36N4O6, creatinine C4H7N3O (PubChem).
    Analyte.BILIRUBIN: _Scale("umol/L", Decimal("584.66")),
    Analyte.CREATININE: _Scale("umol/L", Decimal("113.12")),
    Analyte.INR: _Scale("1"),
    Analyte.ALBUMIN_G_L: _Scale("g/L"),
    Analyte.PLATELETS_1E9_L: _Scale("10*9/L"),
    Analyte.NEUTROPHILS_1E9_L: _Scale("10*9/L"),
    Analyte.HAEMOGLOBIN_G_L: _Scale("g/L"),
}


def read_laboratory(observations: Sequence[Json], notes: RecordNotes) -> tuple[LabResult, ...]:
    """Read every final, dated result that CTCAE grades, oldest first; one that cannot be read is listed."""
    found = []
    for observation in observations:
        analyte = next((one for one in Analyte if has_code(observation.get("code"), GRADED_CODES[one])), None)
        on = day(timing(observation, "effective") or observation.get("issued"))
        if analyte is None or on is None or observation.get("status") not in USED_STATUSES:
            continue
        if not items(observation, "valueQuantity"):
            continue
        scale = _SCALES[analyte]
        try:
            value = scale.convert(items(observation, "valueQuantity"))
        except ucum.UnknownUnit as fault:
            notes.skip(observation, f"{analyte.value}: {fault}")
            continue
        low, high = _limits(observation, scale)
        found.append(LabResult(analyte.value, value, origin_of(observation), on, low, high))
    return tuple(sorted(found, key=lambda lab: (lab.observed_on, lab.analyte, lab.origin)))


def _limits(observation: Json, scale: _Scale) -> tuple[Decimal | None, Decimal | None]:
    """The one normal range; several (by age or sex) leave the limits unknown, since which one applies is not said."""
    ranges = list(_normal_ranges(observation))
    if len(ranges) != 1:
        return None, None
    return _limit(items(ranges[0], "low"), observation, scale), _limit(items(ranges[0], "high"), observation, scale)


def _normal_ranges(observation: Json) -> Iterator[Json]:
    for one in members(observation, "referenceRange"):
        meaning = one.get("type")
        if meaning is None or "normal" in codes_in(meaning, _NORMAL):
            yield one


def _limit(quantity: Json, observation: Json, scale: _Scale) -> Decimal | None:
    """A limit; without a unit of its own it has the result's, as FHIR lets a range leave it out."""
    if not quantity:
        return None
    units = {
        key: value for key, value in items(observation, "valueQuantity").items() if key in ("unit", "system", "code")
    }
    has_unit = "unit" in quantity or "code" in quantity
    try:
        return scale.convert(quantity if has_unit else {**units, **quantity})
    except ucum.UnknownUnit:
        return None
