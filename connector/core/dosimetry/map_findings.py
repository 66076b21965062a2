"""How the doses of a map stand to the guideline's dose recommendations, in words that a board reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from connector.core.assessment import DoseFinding, RegionDose
from connector.core.case import FactValue
from connector.core.dosimetry import thresholds
from connector.core.dosimetry.thresholds import Threshold
from connector.core.errors import BadCase
from connector.core.evidence import Observed

INTENTS = ("segmentectomy", "lobectomy", "unilobar", "bilobar")
TUMOUR_TYPES = ("HCC", "ICC", "mCRC")
# The guideline has no row for metastases of thyroid cancer; its row of other metastases is the nearest.
NEAREST = "mCRC"
# Molar mass of bilirubin 584.66 g/mol.
UMOL_L_PER_MG_DL = Decimal("17.104")
NO_ROW = "the guideline has no row for metastases of thyroid cancer: its row for colorectal metastases is shown"


@dataclass(frozen=True, slots=True)
class Situation:
    """What chooses the guideline's row; a tumour type that is None takes the nearest row and says so."""

    device: str
    intent: str
    tumour_type: str | None = None
    bilirubin_mg_dl: Decimal | None = None
    pretreated_or_compromised: bool | None = None


def situation_of(facts: Mapping[str, Observed[FactValue]]) -> Situation | None:
    """
    The situation as the record tells it; None when the device is not known.

    Lobes that are not known are taken as both, and a liver whose earlier treatment is not known as treated: the
    stricter rows.
    """
    known = {name: fact.value for name, fact in facts.items()}
    device = known.get("microsphere_type")
    if not isinstance(device, str):
        return None
    bilirubin = known.get("bilirubin_total_umol_l")
    return Situation(
        device=device,
        intent="unilobar" if known.get("liver_lobes_involved") == "unilobar" else "bilobar",
        bilirubin_mg_dl=Decimal(bilirubin) / UMOL_L_PER_MG_DL if isinstance(bilirubin, (int, Decimal)) else None,
    )


def dose_findings(
    situation: Situation,
    *,
    tumours: Sequence[RegionDose],
    normal_liver: RegionDose | None,
    perfused: RegionDose | None,
) -> tuple[DoseFinding, ...]:
    """
    Judge each tumour and each compartment against the rows of the situation; they advise and forbid nothing.

    Whole and perfused normal liver are both the drawn liver without tumour: a map does not tell the territory. Whether
    the interval of a dose reaches across a bound is told. Raises BadCase for an unknown device.
    """
    if situation.device not in {"glass", "resin"}:
        raise BadCase("--device", situation.device, "unknown: use resin or glass")
    rows = thresholds.recommendations(
        device=situation.device,
        tumour_type=situation.tumour_type or NEAREST,
        intent=situation.intent,
        bilirubin_mg_dl=situation.bilirubin_mg_dl,
        pretreated_or_compromised=situation.pretreated_or_compromised,
    )
    regions: Mapping[str, Sequence[RegionDose]] = {
        thresholds.TUMOUR: tumours,
        thresholds.NORMAL_PERFUSED: [normal_liver] if normal_liver else [],
        thresholds.WHOLE_NORMAL: [normal_liver] if normal_liver else [],
        thresholds.PERFUSED: [perfused] if perfused else [],
    }
    return tuple(_finding(row, region, situation) for row in rows for region in regions[row.compartment])


def _finding(row: Threshold, region: RegionDose, situation: Situation) -> DoseFinding:
    met = row.is_met(Decimal(region.mean_gy))
    notes = [row.note] if row.note else []
    if situation.tumour_type is None:
        notes.append(NO_ROW)
    ends = region.mean_interval_gy
    if ends is not None and len({row.is_met(Decimal(end)) for end in ends} | {met}) > 1:
        notes.append("the interval of the dose reaches across the bound: it cannot be told for sure")
    compartment = row.compartment.replace("_", " ")
    return DoseFinding(
        region=region.name,
        compartment=row.compartment,
        mean_gy=region.mean_gy,
        recommended=row.bounds,
        met=met,
        text=(
            f"{region.name} ({compartment}) has {region.mean_gy:.1f} Gy, "
            f"{'as' if met else 'not as'} recommended for {situation.device}: {row.bounds}"
            + (f" ({'; '.join(notes)})" if notes else "")
        ),
        source=row.source,
    )
