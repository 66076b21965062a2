"""The dose recommendations of the EANM guideline of 2022 as rows, and how a plan's doses stand to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from connector.core.evidence import Citation

GLASS_TABLE = Citation("EANM guideline 2022 (Weber et al., Eur J Nucl Med Mol Imaging 2022;49:1682)", "Table 2, glass")
RESIN_TABLE = Citation("EANM guideline 2022 (Weber et al., Eur J Nucl Med Mol Imaging 2022;49:1682)", "Table 3, resin")
PERFUSED, NORMAL_PERFUSED, WHOLE_NORMAL, TUMOUR = "perfused", "normal_perfused", "whole_normal_liver", "tumour"
# Total bilirubin in mg/dL above which the whole normal liver bears less; exactly at it the stricter holds.
BILIRUBIN_LIMIT_MG_DL = Decimal("1.1")


@dataclass(frozen=True, slots=True)
class Threshold:
    """
    One recommended bound on one compartment's mean dose, in Gy.

    `above` and `below` exclude the bound, `at_least` and `at_most` include it. `evidence` is the guideline's level;
    `note` is a condition that no number here can check.
    """

    compartment: str
    source: Citation
    above: Decimal | None = None
    at_least: Decimal | None = None
    below: Decimal | None = None
    at_most: Decimal | None = None
    evidence: str = "3"
    note: str = ""

    @property
    def bounds(self) -> str:
        """The bound in signs, for people."""
        signs = ((">", self.above), (">=", self.at_least), ("<", self.below), ("<=", self.at_most))
        return " and ".join(f"{sign} {bound} Gy" for sign, bound in signs if bound is not None)

    def is_met(self, dose_gy: Decimal) -> bool:
        """Tell whether a dose keeps the bound."""
        return (
            (self.above is None or dose_gy > self.above)
            and (self.at_least is None or dose_gy >= self.at_least)
            and (self.below is None or dose_gy < self.below)
            and (self.at_most is None or dose_gy <= self.at_most)
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """How a plan stands to one recommendation; `met` is None when the compartment's dose is not known."""

    threshold: Threshold
    dose_gy: Decimal | None
    met: bool | None


_ALREADY_TREATED = "dose of the first treatment"
_RESERVE = "printed for a hepatic reserve below 30 %; the trial's patients had 30 % or more: confirm against the paper"
_IF_WHOLE_LIVER = "140-150 Gy, or above 150 Gy while the whole liver stays below 150 Gy"
_TUMOUR_AT_LEAST = {"HCC": Decimal(205), "ICC": Decimal(260), "mCRC": Decimal(189)}


def _glass(tumour_type: str, intent: str, bilirubin_mg_dl: Decimal | None) -> tuple[Threshold, ...]:
    if intent == "segmentectomy":
        return (Threshold(PERFUSED, GLASS_TABLE, above=Decimal(400), evidence="4" if tumour_type == "ICC" else "3"),)
    if intent == "lobectomy":
        perfused = Threshold(PERFUSED, GLASS_TABLE, at_least=Decimal(140), at_most=Decimal(150), note=_IF_WHOLE_LIVER)
    else:
        perfused = Threshold(PERFUSED, GLASS_TABLE, at_least=Decimal(80), at_most=Decimal(150))
    tumour = Threshold(
        TUMOUR,
        GLASS_TABLE,
        at_least=_TUMOUR_AT_LEAST[tumour_type],
        note="ideally 250-300 Gy" if tumour_type == "HCC" and intent != "bilobar" else "",
    )
    whole = Threshold(WHOLE_NORMAL, GLASS_TABLE, below=_whole_normal_limit(tumour_type, intent, bilirubin_mg_dl))
    normal: tuple[Threshold, ...] = ()
    if tumour_type == "HCC" and intent == "lobectomy":
        normal = (Threshold(NORMAL_PERFUSED, GLASS_TABLE, at_least=Decimal(88), note=_ALREADY_TREATED),)
    if tumour_type == "HCC" and intent == "unilobar":
        normal = (Threshold(NORMAL_PERFUSED, GLASS_TABLE, below=Decimal(120), evidence="1", note=_RESERVE),)
    return (perfused, tumour, whole, *normal)


def _whole_normal_limit(tumour_type: str, intent: str, bilirubin_mg_dl: Decimal | None) -> Decimal:
    if bilirubin_mg_dl is None:
        # 75 Gy is the middle of the range; bilobar HCC has none, and the stricter end holds.
        return Decimal(50) if tumour_type == "HCC" and intent == "bilobar" else Decimal(75)
    return Decimal(50) if bilirubin_mg_dl >= BILIRUBIN_LIMIT_MG_DL else Decimal(90)


def _resin(tumour_type: str, intent: str, *, pretreated_or_compromised: bool | None) -> tuple[Threshold, ...]:
    if intent == "segmentectomy":
        return (Threshold(PERFUSED, RESIN_TABLE, above=Decimal(150), evidence="4"),)
    if tumour_type == "mCRC":
        tumour = Threshold(TUMOUR, RESIN_TABLE, above=Decimal(100), evidence="4", note="metabolic complete response")
    else:
        tumour = Threshold(TUMOUR, RESIN_TABLE, at_least=Decimal(100), evidence="4", note="100-120 Gy")
    if intent == "lobectomy":
        note = "with a hepatic reserve above 30 %; single-compartment planning is not recommended"
        return Threshold(NORMAL_PERFUSED, RESIN_TABLE, above=Decimal(70), note=note), tumour
    # Not known whether pretreated: the stricter limit.
    strict = intent == "bilobar" and pretreated_or_compromised is not False
    return Threshold(NORMAL_PERFUSED, RESIN_TABLE, below=Decimal(30 if strict else 40)), tumour


def recommendations(
    *,
    device: str,
    tumour_type: str,
    intent: str,
    bilirubin_mg_dl: Decimal | None = None,
    pretreated_or_compromised: bool | None = None,
) -> tuple[Threshold, ...]:
    """
    The guideline's bounds for one situation; there is no row for metastases of thyroid cancer.

    `bilirubin_mg_dl` moves the limit of the whole normal liver (glass), `pretreated_or_compromised` that of bilobar
    resin; None is not known and takes the stricter where the table has no middle.
    """
    if device == "glass":
        return _glass(tumour_type, intent, bilirubin_mg_dl)
    return _resin(tumour_type, intent, pretreated_or_compromised=pretreated_or_compromised)


def whole_normal_liver_dose_gy(
    normal_perfused_dose_gy: Decimal, *, normal_perfused_mass_kg: Decimal, whole_normal_mass_kg: Decimal
) -> Decimal:
    """Mean dose in Gy to the whole normal liver, of which the part that is not perfused gets none."""
    return normal_perfused_dose_gy * normal_perfused_mass_kg / whole_normal_mass_kg


def findings(thresholds: tuple[Threshold, ...], doses_gy: Mapping[str, Decimal | None]) -> tuple[Finding, ...]:
    """Judge doses by compartment name against each bound; they advise and forbid nothing."""
    return tuple(
        Finding(each, dose, None if dose is None else each.is_met(dose))
        for each in thresholds
        for dose in [doses_gy.get(each.compartment)]
    )
