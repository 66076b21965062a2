"""`connector dose from-images`: a work-up scan in the contract's names, and the case that `dose plan` reads."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from connector.contract.reading import versions
from connector.core.dosimetry.constants import LIVER_DENSITY_KG_L
from connector.core.dosimetry.planar import SOURCE as PLANAR_SOURCE
from connector.core.dosimetry.planar import PlanarShunt
from connector.core.dosimetry.work_up import PLANAR, SOURCE, TOMOGRAPHIC, WorkUp, stricter_shunt

_NEEDED = ("device", "prescribed_dose_gy", "prescribed_to", "lung_shunt_fraction", "tumour_to_normal_ratio",
           "tumour_mass_kg", "normal_liver_mass_kg")  # fmt: skip


class FromImages(BaseModel):
    """Result of `connector dose from-images`; null is not known, and `needs` or `warnings` says why."""

    model_config = ConfigDict(extra="forbid")

    lung_shunt_fraction: float | None = Field(description="The larger of those measured: lung over lung and liver.")
    lung_shunt_method: Literal["tomographic", "planar"] | None
    lung_shunt_fraction_tomographic: float | None = Field(description="Counts of the tomogram, 0..1.")
    lung_shunt_fraction_planar: float | None = Field(description="Geometric means of net counts of planar views, 0..1.")
    tumour_to_normal_ratio: float | None = Field(description="Mean concentration of tumour over normal perfused liver.")
    tumour_to_normal_definition: Literal["concentration"]
    tumour_volume_ml: float | None
    liver_volume_ml: float | None = Field(
        description="Whole liver with tumour; volumes are null of planar views alone."
    )
    perfused_volume_ml: float | None
    normal_liver_volume_ml: float | None = Field(description="Perfused liver without tumour.")
    lung_volume_ml: float | None
    tumour_mass_kg: float | None
    normal_liver_mass_kg: float | None
    lung_mass_kg: float | None = Field(default=None, description="By the CT's density; null without a CT.")
    perfused_mass_kg: float | None
    density_kg_l: float
    extrahepatic_fraction: float | None = Field(description="Counts outside liver and lungs over all counts, 0..1.")
    nuclide: str
    case: dict[str, Any] = Field(description="A case of `connector dose plan`, complete when `needs` is empty.")
    needs: list[str] = Field(description="Fields that the case still lacks.")
    origins: list[str] = Field(description="SOP Instance UIDs of the scan and of the regions.")
    warnings: list[str]
    sources: list[str]
    versions: dict[str, str]


def answer(
    found: WorkUp,
    *,
    nuclide: str,
    origins: Sequence[str],
    asked: Mapping[str, str | Decimal | None],
    planar_shunt: Decimal | None = None,
    lung_mass_kg: Decimal | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """
    What the command prints of a tomogram, and of planar views beside it.

    `asked` holds the fields of the plan that images do not tell (device, prescription).
    """
    told: tuple[str, ...] = ()
    shunt = found.lung_shunt_fraction
    method: Literal["tomographic", "planar"] | None = None if shunt is None else TOMOGRAPHIC
    if planar_shunt is not None:
        chosen = stricter_shunt(tomographic=shunt, planar=planar_shunt)
        shunt, method, told = chosen.fraction, chosen.method, chosen.warnings
    measured: dict[str, Decimal | None] = {
        "lung_shunt_fraction": shunt,
        "tumour_to_normal_ratio": found.tumour_to_normal_ratio,
        "tumour_mass_kg": None if found.tumour_volume_ml is None else found.mass_kg(found.tumour_volume_ml),
        "normal_liver_mass_kg": found.mass_kg(found.normal_liver_volume_ml),
        "lung_mass_kg": lung_mass_kg,
    }
    return _made(
        measured,
        asked,
        lung_shunt_method=method,
        lung_shunt_fraction_tomographic=_number(found.lung_shunt_fraction),
        lung_shunt_fraction_planar=_number(planar_shunt),
        tumour_volume_ml=_number(found.tumour_volume_ml),
        liver_volume_ml=float(found.liver_volume_ml),
        perfused_volume_ml=float(found.perfused_volume_ml),
        normal_liver_volume_ml=float(found.normal_liver_volume_ml),
        lung_volume_ml=_number(found.lung_volume_ml),
        perfused_mass_kg=float(found.mass_kg(found.perfused_volume_ml)),
        density_kg_l=float(found.density_kg_l),
        extrahepatic_fraction=_number(found.extrahepatic_fraction),
        nuclide=nuclide,
        origins=sorted(set(origins)),
        warnings=list(dict.fromkeys([*told, *warnings, *found.warnings])),
        sources=[str(SOURCE), *([] if planar_shunt is None else [str(PLANAR_SOURCE)])],
    )


def planar_only(
    shunt: Decimal, *, origins: Sequence[str], asked: Mapping[str, str | Decimal | None], warnings: Sequence[str]
) -> dict[str, Any]:
    """What the command prints of planar views alone: they tell the shunt, and no volume."""
    empty = dict.fromkeys(
        ("lung_shunt_fraction_tomographic", "tumour_volume_ml", "liver_volume_ml", "perfused_volume_ml",
         "normal_liver_volume_ml", "lung_volume_ml", "perfused_mass_kg", "extrahepatic_fraction")
    )  # fmt: skip
    measured = {"lung_shunt_fraction": shunt, **dict.fromkeys(("tumour_to_normal_ratio", "tumour_mass_kg",
                                                               "normal_liver_mass_kg", "lung_mass_kg"))}  # fmt: skip
    return _made(
        measured,
        asked,
        **empty,
        lung_shunt_method=PLANAR,
        lung_shunt_fraction_planar=float(shunt),
        density_kg_l=float(LIVER_DENSITY_KG_L),
        nuclide="Tc-99m",
        origins=sorted(set(origins)),
        warnings=[*warnings, "planar views tell no volumes and no ratio: add a tomogram or the missing fields"],
        sources=[str(PLANAR_SOURCE)],
    )


def _made(
    measured: Mapping[str, Decimal | None], asked: Mapping[str, str | Decimal | None], **fields: Any
) -> dict[str, Any]:
    """The answer with its case: what was asked and what was measured of it, and what is still needed."""
    given = {name: value for name, value in {**asked, **measured}.items() if value is not None}
    case = {name: str(value) if isinstance(value, Decimal) else value for name, value in given.items()}
    made = FromImages(
        **{name: _number(value) for name, value in measured.items()},
        tumour_to_normal_definition="concentration",
        case={"method": "partition", **case},
        needs=[name for name in _NEEDED if name not in given],
        versions=versions(),
        **fields,
    )
    return made.model_dump()


class PlanarShuntAnswer(BaseModel):
    """Result of `connector dose shunt`; counts are less their background."""

    model_config = ConfigDict(extra="forbid")

    lung_shunt_fraction: float = Field(description="Geometric means of lung over those of lung and liver, 0..1.")
    lung_shunt_method: Literal["planar"]
    lung_counts: dict[str, float]
    liver_counts: dict[str, float]
    origins: list[str] = Field(description="SOP Instance UIDs of the views and of the regions.")
    warnings: list[str]
    sources: list[str]
    versions: dict[str, str]


def planar_answer(found: PlanarShunt, *, origins: Sequence[str], warnings: Sequence[str]) -> dict[str, Any]:
    """What the command prints of two planar views."""
    made = PlanarShuntAnswer(
        lung_shunt_fraction=float(found.lung_shunt_fraction),
        lung_shunt_method="planar",
        lung_counts={"anterior": float(found.lung.anterior), "posterior": float(found.lung.posterior)},
        liver_counts={"anterior": float(found.liver.anterior), "posterior": float(found.liver.posterior)},
        origins=list(origins),
        warnings=list(dict.fromkeys([*warnings, *found.warnings])),
        sources=[str(PLANAR_SOURCE)],
        versions=versions(),
    )
    return made.model_dump()


def _number(value: Decimal | None) -> Any:
    return None if value is None else float(value)


SCHEMAS = {"dose-from-images": FromImages, "dose-shunt": PlanarShuntAnswer}
