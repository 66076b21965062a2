"""Builds the bundled case: three studies, a Y-90 PET and a record of a patient who does not exist."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from pydicom import dcmwrite
from pydicom.dataset import Dataset

from connector.demo.images import (
    ISSUER,
    PATIENT_ID,
    Lesion,
    ct_slices,
    pet_slices,
    segmentation,
    visit,
)
from connector.demo.record import BUNDLED, PATIENT_SYSTEM, record_bundle
from connector.dicom.write_header import file_meta_of

LAST_STUDY_ON = date(2026, 5, 11)
_BETWEEN_STUDIES = timedelta(days=91)

_RIGHT, _LEFT, _NEW = Lesion("T01", 270, 145), Lesion("T02", 208, 275), Lesion("N01", 322, 138)
# Diameters at baseline, at the first follow-up (a partial response), and at the second (progression, a new lesion).
_COURSE: tuple[dict[Lesion, float], ...] = (
    {_RIGHT: 24.0, _LEFT: 18.0},
    {_RIGHT: 15.0, _LEFT: 12.0},
    {_RIGHT: 20.0, _LEFT: 16.0, _NEW: 14.0},
)


@dataclass(frozen=True, slots=True)
class DemoCase:
    """
    The files of the bundled case.

    `studies` are folders of DICOM files in the order of their dates, `pet` the folder of the Y-90 PET within the last
    one, `bundle` the FHIR R4 Bundle. `patient_issuers` is what CONNECTOR_PATIENT_ISSUERS needs to match the two.
    """

    dicom: Path
    studies: tuple[Path, ...]
    pet: Path
    segmentation: Path
    bundle: Path
    patient_issuers: str
    patient_id: str
    last_study_on: date


def build(folder: Path, *, last_study_on: date = LAST_STUDY_ON) -> DemoCase:
    """
    Write the case into a folder: `dicom/study-N/{ct,seg,pet}/*.dcm` and `record.json`.

    The same date gives the same bytes. Needs about 7 MB. The folder is made when it is missing.
    """
    days = (last_study_on - 2 * _BETWEEN_STUDIES, last_study_on - _BETWEEN_STUDIES, last_study_on)
    visits = [visit(number, on, sizes) for number, (on, sizes) in enumerate(zip(days, _COURSE, strict=True), start=1)]
    studies = tuple(folder / "dicom" / f"study-{each.study.number}" for each in visits)
    for each, study in zip(visits, studies, strict=True):
        images = ct_slices(each)
        save_all(images, study / "ct")
        save_all([segmentation(each, images)], study / "seg")
    save_all(pet_slices(visits[-1]), studies[-1] / "pet")
    bundle = folder / "record.json"
    bundle.write_bytes(record_bundle(BUNDLED, days))
    return DemoCase(
        dicom=folder / "dicom",
        studies=studies,
        pet=studies[-1] / "pet",
        segmentation=studies[-1] / "seg" / "01.dcm",
        bundle=bundle,
        patient_issuers=f"{ISSUER}={PATIENT_SYSTEM}",
        patient_id=PATIENT_ID,
        last_study_on=last_study_on,
    )


def save_all(objects: list[Dataset], folder: Path) -> None:
    """Write objects as Part 10 files, numbered from 1."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(objects, start=1):
        each.file_meta = file_meta_of(each)
        dcmwrite(folder / f"{number:02d}.dcm", each, enforce_file_format=True)
