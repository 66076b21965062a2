"""What is told of single lesions beside the response of the patient: viability after treatment, and uptake in PET."""

from dataclasses import dataclass
from datetime import date

from connector.core.case import Uptake


@dataclass(frozen=True, slots=True)
class DatedViability:
    """Whether a treated lesion was viable at one scan: a word of `response.viability.Viability`, and why."""

    on: date
    viability: str
    reason: str


@dataclass(frozen=True, slots=True)
class TreatedLesionReport:
    """
    One lesion after a local treatment, beside RECIST, which leaves it out.

    `local_progression_on` is the first scan that showed viable tumour after one without, or growth after radiation;
    `residual_on` the first that showed tumour which no scan had shown gone.
    """

    lesion: str
    tracking_uid: str
    modality: str
    treated_on: date
    scans: tuple[DatedViability, ...]
    residual_on: date | None = None
    local_progression_on: date | None = None

    @property
    def text(self) -> str:
        """The course of the lesion as a sentence."""
        seen = ", ".join(f"{scan.viability.replace('_', ' ')} on {scan.on}" for scan in self.scans)
        said = f"{self.lesion} after {self.modality.replace('_', ' ')} on {self.treated_on}: {seen}"
        if self.residual_on is not None:
            said += f"; residual tumour since {self.residual_on}"
        if self.local_progression_on is not None:
            said += f"; local tumour progression since {self.local_progression_on}"
        return said


@dataclass(frozen=True, slots=True)
class UptakeReport:
    """One tumour in the PET of the assessed day, and its change since the one before treatment (in percent)."""

    lesion: str
    tracking_uid: str
    on: date
    uptake: Uptake
    before_on: date | None = None
    suv_max_percent: str | None = None
    suv_peak_percent: str | None = None
    functional_volume_percent: str | None = None
    tlg_percent: str | None = None
    flags: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The uptake as a sentence."""
        now = self.uptake
        rows = (
            ("SUVmax", now.suv_max, "", self.suv_max_percent),
            ("SUVpeak", now.suv_peak, "", self.suv_peak_percent),
            ("functional tumour volume", now.functional_volume_ml, " mL", self.functional_volume_percent),
            ("total lesion glycolysis", now.tlg_g, " g", self.tlg_percent),
        )
        said = [
            f"{name} {value:.2f}{unit}" + (f" ({change} %)" if change is not None else "")
            for name, value, unit, change in rows
            if value is not None
        ]
        since = f"; change since {self.before_on}" if self.before_on is not None else ""
        cut = f"; functional from {now.functional_by}" if now.functional_by else ""
        return "; ".join((f"{self.lesion} on {self.on}: {', '.join(said)}{since}{cut}", *self.flags))
