"""The voxel dose on files: an image series and regions in, an RT Dose, a report and a picture out, or nothing."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

from connector import __version__
from connector.contract import dose_from_images
from connector.contract.dose_map import answer, region_options
from connector.core.assessment import Assessment, DoseReport
from connector.core.dosimetry.constants import constants_for
from connector.core.dosimetry.kernel_map import kernel_deposition
from connector.core.dosimetry.map_findings import Situation
from connector.core.dosimetry.planar import planar_shunt
from connector.core.dosimetry.voxel_map import SURROGATES, local_deposition
from connector.core.dosimetry.work_up import work_up
from connector.core.errors import BadCase, ImpossibleInput
from connector.core.matching import same_patient
from connector.core.versions import RULESET
from connector.dicom.headers import identity, read_headers, studied_on
from connector.dicom.read_activity import ACTIVITY_CLASSES
from connector.dicom.read_dose_inputs import DoseInputs, read_dose_inputs
from connector.dicom.read_planar import read_planar
from connector.dicom.read_work_up import planar_work_up
from connector.dicom.write_rtdose import DoseMapWriter
from connector.dicom.write_sr import ReportWriter
from connector.ports import WriteRequest
from connector.report.dose_pictures import dose_picture

RT_DOSE, REPORT, PICTURE = "dose.dcm", "dose_sr.dcm", "dose.png"
_DEPOSIT = {"local": local_deposition, "kernel": kernel_deposition}
# A study without any date still gets a document; the day is visibly no day of treatment.
_NO_DATE = date(1900, 1, 1)


@dataclass(frozen=True, slots=True)
class DoseMapRequest:
    """The options of `connector dose map`; region options are written `region=value`."""

    activity: Path
    regions: tuple[Path, ...]
    method: str
    out: Path
    ct: Path | None = None
    scale_to_gbq: Decimal | None = None
    administered_at: datetime | None = None
    constants: str = "seed"
    alpha_beta: tuple[str, ...] = ()
    repair_half_time_h: tuple[str, ...] = ()
    geud_a: tuple[str, ...] = ()
    alpha: tuple[str, ...] = ()
    v: tuple[str, ...] = ()
    calibration_uncertainty: Decimal | None = None
    situation: Situation | None = None


def map_dose(request: DoseMapRequest) -> dict[str, Any]:
    """
    Map the dose, write three files to `out`, and give what the command prints.

    The same input gives the same bytes. Raises ImpossibleInput and BadCase, and then `out` is untouched.
    """
    _check_places(request.activity, request.regions, request.ct)
    inputs = read_dose_inputs(request.activity, request.regions, request.administered_at, ct_dir=request.ct)
    nuclide = inputs.activity.nuclide
    constants = constants_for(request.constants, nuclide_name="Y-90" if nuclide in SURROGATES else nuclide)
    options = region_options(
        inputs.regions,
        alpha_beta=request.alpha_beta,
        repair_half_time_h=request.repair_half_time_h,
        geud_a=request.geud_a,
        alpha=request.alpha,
        v=request.v,
        calibration_uncertainty=request.calibration_uncertainty,
        situation=request.situation,
    )
    dose = _DEPOSIT[request.method](
        inputs.activity, inputs.regions, constants=constants, scale_to_gbq=request.scale_to_gbq, options=options
    )
    _write(request, inputs, dose)
    files = {"rtdose": RT_DOSE, "sr": REPORT, "picture": PICTURE}
    return answer(dose, files={kind: str(request.out / name) for kind, name in files.items()}, warnings=inputs.warnings)


def _check_places(activity: Path, regions: Sequence[Path], ct: Path | None) -> None:
    if not activity.is_dir():
        raise BadCase("--activity", str(activity), "is not a folder: name the folder of one PET or NM series")
    if ct is not None and not ct.is_dir():
        raise BadCase("--ct", str(ct), "is not a folder: name the folder of the CT the regions were drawn on")
    for path in regions:
        if not path.is_file():
            raise BadCase("--regions", str(path), "is not a file: name a segmentation or a structure set")


def measure_work_up(
    activity: Path,
    regions: Sequence[Path],
    *,
    perfused: str | None,
    ct: Path | None,
    asked: Mapping[str, str | Decimal | None],
) -> dict[str, Any]:
    """
    Measure a work-up and give what `connector dose from-images` prints.

    Planar views of aggregated albumin in the folder, with the segmentation that is drawn on them among the regions,
    give a shunt of their own, beside that of a tomogram or alone. Raises ImpossibleInput and BadCase.
    """
    _check_places(activity, regions, ct)
    files = [path for path in sorted(activity.rglob("*")) if path.is_file()]
    headers, _ = read_headers([*files, *regions])
    planar = planar_work_up(headers, studied_on(headers) or _NO_DATE)
    flat = {header.path for header in headers if header.sop_instance_uid in planar.instances}
    told = [*planar.warnings, *(each.reason for each in planar.skipped)]
    shunt = None if planar.lung_shunt is None else planar.lung_shunt.value
    if flat and not any(header.path in files and header.sop_class_uid in ACTIVITY_CLASSES for header in headers
                        if header.path not in flat):  # fmt: skip
        if shunt is None:
            raise ImpossibleInput("; ".join(told))
        return dose_from_images.planar_only(shunt, origins=sorted(planar.instances), asked=asked, warnings=told)
    if flat and not same_patient([identity(header.dataset) for header in headers]):
        raise ImpossibleInput("the planar views and the tomogram are not of one patient: check the files")
    inputs = read_dose_inputs(activity, regions, ct_dir=ct, leave_out=flat)
    return dose_from_images.answer(
        work_up(inputs.activity, inputs.regions, perfused=perfused),
        nuclide=inputs.activity.nuclide,
        origins=[
            *inputs.activity.sop_instance_uids,
            *(region.origin for region in inputs.regions),
            *(planar.instances if shunt is not None else ()),
        ],
        asked=asked,
        planar_shunt=shunt,
        lung_mass_kg=inputs.anatomy.lung_mass_kg if inputs.anatomy else None,
        warnings=[*told, *inputs.warnings, *inputs.activity.warnings],
    )


def measure_planar_shunt(images: Sequence[Path], regions: Path) -> dict[str, Any]:
    """Measure two planar views and give what `connector dose shunt` prints. Raises ImpossibleInput and BadCase."""
    for path in (*images, regions):
        if not path.is_file():
            raise BadCase("--regions" if path == regions else "--planar", str(path), "is not a file: name one")
    inputs = read_planar(images, regions)
    found = planar_shunt(anterior=inputs.anterior, posterior=inputs.posterior)
    return dose_from_images.planar_answer(found, origins=inputs.origins, warnings=inputs.warnings)


def _write(request: DoseMapRequest, inputs: DoseInputs, dose: DoseReport) -> None:
    """Write beside `out` first and then move, so that nobody ever sees half a result."""
    images = sorted(path for path in request.activity.rglob("*") if path.is_file())
    to_write = WriteRequest(
        assessment=_assessment(dose, images),
        identity=inputs.identity,
        record=None,
        paths=[*images, *request.regions],
        regions=inputs.regions,
    )
    try:
        request.out.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise BadCase("--out", str(request.out), f"cannot be made ({fault.strerror}): name another folder") from fault
    with tempfile.TemporaryDirectory(dir=request.out.parent, prefix=".connector-") as folder:
        made = Path(folder)
        with (made / RT_DOSE).open("wb") as file:
            DoseMapWriter().stream(to_write, dose, file)
        (report,) = ReportWriter().write(to_write)
        (made / REPORT).write_bytes(report.content)
        image = inputs.anatomy.image if inputs.anatomy else None
        (made / PICTURE).write_bytes(dose_picture(dose, inputs.activity, inputs.regions, image))
        for name in (RT_DOSE, REPORT, PICTURE):
            shutil.move(made / name, request.out / name)


def _assessment(dose: DoseReport, images: Sequence[Path]) -> Assessment:
    headers, _ = read_headers(images)
    inputs = tuple(sorted({*dose.sop_instance_uids, *(region.origin for region in dose.regions if region.origin)}))
    how = [dose.method, f"{dose.scale:.12g}", *(f"{name}={text}" for name, text in sorted(dose.constants.items()))]
    return Assessment(
        case_ref="dose-map",
        study_instance_uid=dose.study_instance_uid,
        assessed_on=studied_on(headers) or _NO_DATE,
        connector_version=__version__,
        ruleset=RULESET,
        input_digest=sha256("\n".join([*inputs, *how, RULESET]).encode()).hexdigest(),
        inputs=inputs,
        time_points=(),
        response=None,
        selection=None,
        dose=dose,
        warnings=dose.warnings,
    )
