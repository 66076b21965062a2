"""`connector dose`: activity before treatment, kinetics, and the voxel dose after it, from the command line."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from connector.cli.case_io import CaseError, case_command, run_cases, sentence
from connector.contract import dose_fit, dose_map, dose_plan
from connector.contract.reading import dumps
from connector.core.dosimetry.constants import DEFAULT_PROFILE, YTTRIUM_PROFILES
from connector.core.dosimetry.map_findings import INTENTS, TUMOUR_TYPES
from connector.core.errors import BadCase, ConnectorError

Command = Callable[..., None]


def _images(command: Command) -> Command:
    """Add the options of every command that reads an image and the regions drawn on it."""
    folder = click.Path(path_type=Path)
    for option in (
        click.option(
            "--ct",
            type=folder,
            help="Folder of the CT the regions were drawn on: for the picture, and to weigh the lungs.",
        ),
        click.option(
            "--regions",
            required=True,
            multiple=True,
            type=folder,
            help="Segmentation or structure set with liver, lungs and lesions; may be repeated.",
        ),
        click.option("--activity", required=True, type=folder, help="Folder of one PET or NM series."),
    ):
        command = option(command)
    return command


@contextmanager
def _told(place: str) -> Iterator[None]:
    """Turn what was wrong with the input into one sentence that names the option."""
    try:
        yield
    except BadCase as fault:
        raise CaseError(sentence(fault)) from None
    except ConnectorError as fault:
        raise CaseError(f"{place}: {fault}") from None


@click.group()
def dose() -> None:
    """
    Plan an activity, fit kinetics, or map the dose of an image.

    Example: connector dose plan case.json
    """


@dose.command("plan")
@case_command
def plan(case: str, **how: Any) -> None:
    """
    Activity of microspheres before treatment: empiric, bsa, mird or partition.

    Example: echo '{"method": "bsa", "device": "resin", "height_m": 1.7, "weight_kg": 70, "tumour_volume_ml": 150,
    "liver_volume_ml": 1500, "lung_shunt_fraction": 0.05}' | connector dose plan -
    """
    run_cases(dose_plan.run, case, **how)


@dose.command("fit")
@case_command
def fit(case: str, **how: Any) -> None:
    """
    Time course to absorbed dose, or the limits on radioiodine.

    Example: echo '{"nuclide": "I-131", "limit": "retention_48h", "retained_fraction_48h": 0.5,
    "diffuse_lung_metastases": false}' | connector dose fit -
    """
    run_cases(dose_fit.run, case, **how)


@dose.command("map")
@_images
@click.option(
    "--method",
    type=click.Choice(sorted(dose_map.METHODS)),
    default="local",
    show_default=True,
    help="Local deposition, or a voxel kernel.",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder for dose.dcm, dose_sr.dcm, dose.png."
)
@click.option("--scale-to-gbq", help="Activity in the perfused liver at administration; counts and Tc-99m need it.")
@click.option("--administered-at", help="Time of administration (ISO 8601), where the header lacks it or is wrong.")
@click.option("--constants", default=DEFAULT_PROFILE, show_default=True, help=f"One of {', '.join(YTTRIUM_PROFILES)}.")
@click.option("--alpha-beta", multiple=True, metavar="REGION=GY", help="alpha/beta for the BED of a region.")
@click.option(
    "--repair-half-time-h", multiple=True, metavar="REGION=H", help="Repair half-time for the BED of a region."
)
@click.option("--geud-a", multiple=True, metavar="REGION=A", help="Exponent of the gEUD of a region.")
@click.option("--alpha", multiple=True, metavar="REGION=PER_GY", help="Radiosensitivity for the EUBED of a region.")
@click.option("--v", multiple=True, metavar="REGION=GY", help="One more dose level of V_x of a region.")
@click.option(
    "--calibration-uncertainty", metavar="FRACTION", help="Relative standard uncertainty of the activity; 0.05."
)
@click.option("--device", type=click.Choice(["resin", "glass"]), help="Compares the doses with the guideline's rows.")
@click.option("--intent", type=click.Choice(INTENTS), help="Row of the guideline; needs --device.")
@click.option("--tumour-type", type=click.Choice(TUMOUR_TYPES), help="Row of the guideline; needs --device.")
@click.option("--bilirubin-mg-dl", help="Moves the limit of the normal liver; needs --device.")
def map_(scale_to_gbq: str | None, administered_at: str | None, **given: Any) -> None:
    """
    Voxel dose of one image: writes an RT Dose, a report and a picture, and prints the statistics of every region.

    Example: connector dose map --activity pet/ --regions liver.dcm --out result/
    """
    from connector.dose_files import DoseMapRequest, map_dose  # noqa: PLC0415 - the DICOM room loads slowly

    with _told(f"--activity {given['activity']}"):
        calibration = given.pop("calibration_uncertainty")
        request = DoseMapRequest(
            situation=dose_map.situation(
                **{name: given.pop(name) for name in ("device", "intent", "tumour_type", "bilirubin_mg_dl")}
            ),
            calibration_uncertainty=calibration and dose_map.number("--calibration-uncertainty", calibration),
            scale_to_gbq=None if scale_to_gbq is None else dose_map.positive("--scale-to-gbq", scale_to_gbq),
            administered_at=None if administered_at is None else _moment(administered_at),
            **given,
        )
        click.echo(dumps(map_dose(request), indent=2))


@dose.command("from-images")
@_images
@click.option("--perfused", metavar="REGION", help="Name of the region that is the perfused territory.")
@click.option("--device", type=click.Choice(["resin", "glass"]), help="Goes into the case.")
@click.option("--prescribed-dose-gy", help="Goes into the case.")
@click.option("--prescribed-to", type=click.Choice(["normal_liver", "tumour"]), help="Goes into the case.")
def from_images(
    activity: Path, regions: tuple[Path, ...], ct: Path | None, perfused: str | None, **asked: str | None
) -> None:
    """
    Lung shunt, tumour-to-normal ratio, volumes and masses of a work-up scan, as a case for `dose plan`.

    The shunt of a tomogram is by counts in the masks, a voxel in both being liver. Planar views of aggregated albumin
    in the same folder, with the segmentation drawn on them as one more --regions, give theirs by geometric means less
    background; of two shunts the larger goes into the case. The ratio is of concentrations.

    Example: connector dose from-images --activity spect/ --regions organs.dcm --device resin
    --prescribed-dose-gy 120 --prescribed-to tumour
    """
    from connector.dose_files import measure_work_up  # noqa: PLC0415 - the DICOM room loads slowly

    with _told(f"--activity {activity}"):
        prescribed = asked["prescribed_dose_gy"]
        plan_fields = {
            **asked,
            "prescribed_dose_gy": prescribed and dose_map.positive("--prescribed-dose-gy", prescribed),
        }
        click.echo(dumps(measure_work_up(activity, regions, perfused=perfused, ct=ct, asked=plan_fields), indent=2))


@dose.command("shunt")
@click.option(
    "--planar",
    required=True,
    multiple=True,
    type=click.Path(path_type=Path),
    help="NM image with the anterior and posterior view; twice when each has a file.",
)
@click.option(
    "--regions",
    required=True,
    type=click.Path(path_type=Path),
    help="Segmentation on the views: lungs, liver and, if drawn, background.",
)
def shunt(planar: tuple[Path, ...], regions: Path) -> None:
    """
    Lung shunt of planar views, by geometric means of counts less their background.

    Example: connector dose shunt --planar maa.dcm --regions organs.dcm
    """
    from connector.dose_files import measure_planar_shunt  # noqa: PLC0415 - the DICOM room loads slowly

    with _told(f"--planar {planar[0]}"):
        click.echo(dumps(measure_planar_shunt(planar, regions), indent=2))


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise BadCase("--administered-at", text, "is not ISO 8601: write 2026-03-02T11:00 or with +01:00") from None
