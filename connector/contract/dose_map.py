"""`connector dose map`: what a caller may ask of each region, and the dose map in the contract's names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from connector.contract.dose_plan_answer import constants_answer
from connector.contract.reading import exact, versions
from connector.core.assessment import DoseReport, RegionDose
from connector.core.case import Region
from connector.core.dosimetry.dvh import DEFINITION
from connector.core.dosimetry.map_findings import INTENTS, Situation
from connector.core.dosimetry.map_report import RegionOptions
from connector.core.dosimetry.map_uncertainty import CALIBRATION_SOURCE, EDGE_SOURCE
from connector.core.dosimetry.radiobiology import Tissue, tissue_of_kind
from connector.core.errors import BadCase
from connector.core.evidence import Citation

UNCERTAINTY_SOURCES = [str(EDGE_SOURCE), str(CALIBRATION_SOURCE)]
METHODS = {"local": "local_deposition", "kernel": "kernel_convolution"}


def positive(option: str, text: str) -> Decimal:
    """Read an option's number above 0. Raises BadCase."""
    value = number(option, text)
    if value <= 0:
        raise BadCase(option, text, "out of range: give a number above 0")
    return value


def number(option: str, text: str) -> Decimal:
    """Read an option's decimal. Raises BadCase."""
    try:
        return Decimal(exact(text))
    except ValueError as fault:
        raise BadCase(option, text, str(fault)) from None


def region_options(
    regions: Sequence[Region],
    *,
    alpha_beta: Iterable[str] = (),
    repair_half_time_h: Iterable[str] = (),
    geud_a: Iterable[str] = (),
    alpha: Iterable[str] = (),
    v: Iterable[str] = (),
    calibration_uncertainty: Decimal | None = None,
    situation: Situation | None = None,
) -> RegionOptions:
    """Read the options written `region=value`; a region may have several levels of `--v`. Raises BadCase."""
    kinds = {region.name: region.kind for region in regions}
    tissues: dict[str, Tissue] = {}
    parameters = (
        ("--alpha-beta", "alpha_beta_gy", alpha_beta),
        ("--repair-half-time-h", "repair_half_time_h", repair_half_time_h),
        ("--geud-a", "geud_exponent", geud_a),
        ("--alpha", "alpha_per_gy", alpha),
    )
    for option, parameter, texts in parameters:
        for name, text in _pairs(option, texts, kinds):
            value = _exponent(text) if option == "--geud-a" else float(positive(option, text))
            before = tissues.get(name, tissue_of_kind(kinds[name]))
            tissues[name] = replace(before, **{parameter: value}, source=Citation("case", "as given"))
    levels: dict[str, tuple[str, ...]] = {}
    for name, text in _pairs("--v", v, kinds):
        level = format(positive("--v", text).normalize(), "f")
        levels[name] = (*levels.get(name, ()), level)
    options = RegionOptions(more_levels_of=levels, tissue_of=tissues, situation=situation)
    if calibration_uncertainty is None:
        return options
    return replace(options, calibration_fraction=float(calibration_uncertainty))


def situation(
    *, device: str | None, intent: str | None, tumour_type: str | None, bilirubin_mg_dl: str | None
) -> Situation | None:
    """Read what chooses the guideline's row; None without a device. Raises BadCase."""
    if device is None:
        for option, value in (
            ("--intent", intent),
            ("--tumour-type", tumour_type),
            ("--bilirubin-mg-dl", bilirubin_mg_dl),
        ):
            if value is not None:
                raise BadCase(option, value, "needs --device: the guideline's rows differ between resin and glass")
        return None
    if intent is None:
        raise BadCase("--intent", None, f"is needed by --device: one of {', '.join(INTENTS)}")
    bilirubin = None if bilirubin_mg_dl is None else positive("--bilirubin-mg-dl", bilirubin_mg_dl)
    return Situation(device=device, intent=intent, tumour_type=tumour_type, bilirubin_mg_dl=bilirubin)


def _exponent(text: str) -> float:
    value = number("--geud-a", text)
    if value == 0:
        raise BadCase("--geud-a", text, "0 has no gEUD: give a negative exponent for a tumour, 1 or more for an organ")
    return float(value)


def _pairs(option: str, texts: Iterable[str], kinds: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    for text in texts:
        name, equals, value = text.rpartition("=")
        if not equals:
            raise BadCase(option, text, "write region=value, for example liver=2.5")
        if name not in kinds:
            raise BadCase(
                option, text, f"there is no region of this name: {', '.join(sorted(kinds)) or 'none was read'}"
            )
        yield name, value


def answer(dose: DoseReport, *, files: Mapping[str, str], warnings: Sequence[str] = ()) -> dict[str, Any]:
    """The dose map as the command prints it; `files` names rtdose, sr and picture."""
    short = {method: word for word, method in METHODS.items()}
    return {
        **files,
        "regions": [_region(region) for region in dose.regions],
        "normal_liver": None if dose.normal_liver is None else _region(dose.normal_liver),
        "findings": [
            {
                "region": finding.region,
                "compartment": finding.compartment,
                "mean_gy": finding.mean_gy,
                "recommended": finding.recommended,
                "met": finding.met,
                "text": finding.text,
                "source": str(finding.source),
            }
            for finding in dose.findings
        ],
        "uncertainty": {"coverage_factor": 2, "not_known": ["image resolution"], "sources": UNCERTAINTY_SOURCES},
        "method": short[dose.method],
        "nuclide": dose.nuclide,
        "constants": constants_answer(dose.constants),
        "scale": dose.scale,
        "decay": {"reference": dose.decay_reference, "hours": dose.decay_hours},
        "dvh_definition": DEFINITION,
        "warnings": list(dict.fromkeys([*warnings, *dose.warnings])),
        "status": "draft for a tumour board: not for treatment decisions without a physicist",
        "versions": versions(),
    }


def _region(region: RegionDose) -> dict[str, Any]:
    return {
        "name": region.name,
        "number": region.number,
        "volume_ml": region.volume_ml,
        "mean_gy": region.mean_gy,
        "min_gy": region.min_gy,
        "max_gy": region.max_gy,
        "d2_gy": region.d2_gy,
        "d50_gy": region.d50_gy,
        "d70_gy": region.d70_gy,
        "d95_gy": region.d95_gy,
        "d98_gy": region.d98_gy,
        "v": dict(region.v_fraction),
        "bed_gy": region.bed_gy,
        "gEUD_gy": region.geud_gy,
        "eqd2_gy": region.eqd2_gy,
        "eubed_gy": region.eubed_gy,
        "mean_interval_gy": region.mean_interval_gy,
        "volume_interval_ml": region.volume_interval_ml,
        "tissue_source": region.tissue_source,
    }
