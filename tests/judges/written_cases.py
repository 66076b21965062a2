"""Small studies and assessments to write documents from, made by the test itself: no patient, no file from outside."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import highdicom as hd
import numpy as np
from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from connector.core.assessment import (
    Assessment,
    DatedResponse,
    DoseFinding,
    DoseReport,
    FollowUp,
    Option,
    PathNode,
    Reason,
    RegionDose,
    ResponseReport,
    Risk,
    Selection,
    ViableReport,
    VisitResponse,
)
from connector.core.case import (
    Enhancement,
    Identifier,
    LesionMeasurement,
    LesionRole,
    LesionState,
    PatientIdentity,
    TimePoint,
    Uptake,
    VolumeGeometry,
)
from connector.core.evidence import Citation
from connector.core.lesion_reports import DatedViability, TreatedLesionReport, UptakeReport
from connector.dicom.identity import uid_from
from connector.ports import WriteRequest

STUDY = uid_from("test", "study")
PRIOR_STUDY = uid_from("test", "prior study")
FRAME = uid_from("test", "frame of reference")
SEG_UID = uid_from("test", "segmentation")
BASELINE_DAY, TODAY = date(2026, 1, 5), date(2026, 4, 7)


def make_study(
    folder: Path, *, patient_name: str = "Test^Lesion", character_set: str | list[str] = "ISO_IR 100", slices: int = 3
) -> list[Path]:
    """Write a small CT series and a segmentation with two segments; returns the files."""
    images = [_slice(number, patient_name, character_set) for number in range(slices)]
    paths = []
    for number, image in enumerate(images):
        path = folder / f"ct{number}.dcm"
        image.save_as(path, enforce_file_format=True)
        paths.append(path)
    # highdicom does not know every character set, so the segmentation is made from slices of a plain name.
    segmentation = _segmentation([_slice(number, "Test^Lesion", "ISO_IR 100") for number in range(slices)])
    segmentation.save_as(folder / "seg.dcm")
    return [*paths, folder / "seg.dcm"]


def _slice(number: int, patient_name: str, character_set: str | list[str]) -> Dataset:
    image = Dataset()
    image.SpecificCharacterSet = character_set
    image.SOPClassUID, image.SOPInstanceUID = CTImageStorage, uid_from("test", "ct", str(number))
    image.StudyInstanceUID, image.SeriesInstanceUID = STUDY, uid_from("test", "ct series")
    image.PatientName, image.PatientID, image.IssuerOfPatientID = patient_name, "T-0001", "TEST_ISSUER"
    image.PatientBirthDate, image.PatientSex = "19500101", "F"
    image.StudyDate, image.StudyTime, image.StudyID = "20260407", "101500", "1"
    image.AccessionNumber, image.ReferringPhysicianName, image.StudyDescription = "A1", "", "CT abdomen"
    image.Modality, image.Manufacturer, image.SeriesNumber, image.InstanceNumber = "CT", "none", 2, number + 1
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.FrameOfReferenceUID, image.PositionReferenceIndicator = FRAME, ""
    image.ImagePositionPatient = [-40, -40, 3.0 * number]
    image.ImageOrientationPatient, image.PixelSpacing, image.SliceThickness = [1, 0, 0, 0, 1, 0], [2.5, 2.5], 3
    image.Rows = image.Columns = 32
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated = image.BitsStored = 16
    image.HighBit, image.PixelRepresentation = 15, 1
    image.RescaleSlope, image.RescaleIntercept, image.KVP, image.AcquisitionNumber = 1, 0, 120, 1
    image.PixelData = np.full((32, 32), 60, "<i2").tobytes()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def _segmentation(images: Sequence[Dataset]) -> hd.seg.Segmentation:
    mask = np.zeros((len(images), 32, 32), np.uint8)
    mask[:, 4:12, 4:12], mask[:, 18:22, 18:22] = 1, 2
    neoplasm = CodedConcept("14799000", "SCT", "Neoplasm, Secondary")
    abnormal = CodedConcept("49755003", "SCT", "Morphologically Abnormal Structure")
    descriptions = [
        hd.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"T0{number}",
            segmented_property_category=abnormal,
            segmented_property_type=neoplasm,
            algorithm_type="MANUAL",
            tracking_id=f"T0{number}",
            tracking_uid=uid_from("test", "lesion", str(number)),
        )
        for number in (1, 2)
    ]
    return hd.seg.Segmentation(
        source_images=list(images),
        pixel_array=mask,
        segmentation_type="BINARY",
        segment_descriptions=descriptions,
        series_instance_uid=uid_from("test", "seg series"),
        series_number=3,
        sop_instance_uid=SEG_UID,
        instance_number=1,
        manufacturer="none",
        manufacturer_model_name="none",
        software_versions="1",
        device_serial_number="1",
    )


def lesion(number: int, *, from_segment: bool = True) -> LesionMeasurement:
    """One lesion of today; the third one came from a report, not from a segmentation."""
    return LesionMeasurement(
        tracking_uid=uid_from("test", "lesion", str(number)),
        tracking_id=f"T0{number}",
        site="liver" if number < 3 else "lung",
        site_code=None,
        lymph_node=False,
        origin=SEG_UID if from_segment else uid_from("test", "report"),
        observed_on=TODAY,
        role=LesionRole.TARGET if number < 3 else LesionRole.NON_TARGET,
        state=LesionState.MEASURED if number < 3 else LesionState.PRESENT,
        long_axis_mm=Decimal("23.4") if number < 3 else None,
        short_axis_mm=Decimal("17.1") if number < 3 else None,
        volume_ml=Decimal("5.25") if number < 3 else None,
        liver_lobe="right" if number < 3 else None,
        segment_number=number if from_segment else None,
        flags=("slice thickness changed since baseline",) if number == 2 else (),
    )


def response() -> ResponseReport:
    """Two visits: 67.0 mm at baseline, 46.8 mm today, which is a partial response (-30.1 %)."""
    visits = (
        VisitResponse(BASELINE_DAY, Decimal("67.0"), Decimal("67.0"), None, None, "NA", "NA", "NA"),
        VisitResponse(
            TODAY, Decimal("46.8"), Decimal("67.0"), "-30.1", "-30.1", "PR", "NON-CR/NON-PD", "PR",
            reasons=("the sum fell by ≥ 30 % of the baseline sum",), flags=("check the plane of T02",),
        ),
    )  # fmt: skip
    best = DatedResponse("PR", TODAY)
    return ResponseReport(
        "recist-1.1", visits, best, DatedResponse("SD", TODAY), policies={"confirm": "false", "min_sd_days": "42"}
    )


def beside_recist() -> Assessment:
    """What stands beside RECIST: viable parts with their response, a treated lesion, and uptake with its change."""
    uptake = Uptake(8.25, 6.5, 5.5, 4.2, 23.1, "41 % of SUVmax")
    treated = lesion(1).tracking_uid
    viable = (
        replace(lesion(1), viable_mm=Decimal("8.5"), viable_across_mm=Decimal(6), enhancement=Enhancement.MASSLIKE,
                uptake=uptake),
        replace(lesion(2), viable_mm=Decimal(0), uptake=Uptake(3.0)),
    )  # fmt: skip
    scans = (DatedViability(TODAY, "viable", "nodular, mass-like or thick irregular enhancement"),)
    made = assessment(2)
    return replace(
        made,
        time_points=(*made.time_points[:-1], replace(made.time_points[-1], lesions=viable)),
        viable=ViableReport(replace(response(), criteria="mrecist"), (DatedResponse("PR", TODAY),)),
        treated_lesions=(TreatedLesionReport("T01", treated, "RFA", BASELINE_DAY, scans, None, TODAY),),
        uptake=(UptakeReport("T01", treated, TODAY, uptake, BASELINE_DAY, "-20.0", "-18.0", "5.0", None),),
    )


def selection() -> Selection:
    """Three options with verdicts, one alert, one follow-up, one risk."""
    source = Citation("CIRSE 2022", "section 4.2")
    because = (Reason("TARE-03", "bilirubin is below 2 mg/dL", source, ("bilirubin_mg_dl",)),)
    return Selection(
        status="recommend",
        options=(
            Option("TACE", "possible", 2, because),
            Option("TARE", "preferred", 1, because),
            Option("RFA", "excluded", None, (Reason("ABL-01", "the largest lesion is above 3 cm", source),)),
            Option("surgery", "cannot_decide", None, (), ("performance_status",)),
        ),
        rules_fired=("TARE-03", "ABL-01"),
        missing=("performance_status",),
        pathway=(PathNode("liver-dominant disease", "yes", source),),
        follow_up=(FollowUp("CT or MRI of the liver", "after 3 months", "FU-01", source, date(2026, 7, 7)),),
        alerts=(Reason("AL-01", "check the lung shunt", source),),
        risks=(Risk("TARE", "radiation-induced liver disease", Decimal("4.1"), (Decimal("2.0"), Decimal("7.3")), 512,
                    ("Source 2019",)),),
    )  # fmt: skip


def geometry(shape: tuple[int, int, int] = (3, 32, 32), *, oblique: bool = False) -> VolumeGeometry:
    """The grid of the CT, or one that is turned by 20 degrees about two axes."""
    turn = np.eye(3)
    if oblique:
        cosine, sine = np.cos(np.deg2rad(20)), np.sin(np.deg2rad(20))
        about_x = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
        about_z = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
        turn = about_z @ about_x
    column, row, plane = (tuple(float(x) for x in turn[:, axis]) for axis in (0, 1, 2))
    return VolumeGeometry(
        shape=shape,
        origin_mm=(-40.0, -40.0, 0.0),
        plane_direction=plane,
        row_step_direction=row,
        column_step_direction=column,
        spacing_mm=(3.0, 2.5, 2.5),
        frame_of_reference_uid=FRAME,
    )


def dose(volume: VolumeGeometry | None = None, dose_gy: np.ndarray | None = None) -> DoseReport:
    """A dose map with one region on a segment and one on a structure set."""
    volume = volume or geometry()
    if dose_gy is None:
        dose_gy = np.linspace(0.0, 131.7, int(np.prod(volume.shape)), dtype=np.float32).reshape(volume.shape)
    numbers = {"d2_gy": 130.0, "d50_gy": 66.0, "d70_gy": 40.0, "d95_gy": 6.6, "d98_gy": 2.6}
    on_segment = RegionDose(
        name="T01", volume_ml=5.25, mean_gy=65.85, min_gy=0.0, max_gy=131.7, v_fraction={"50": 0.62, "100": 0.241},
        bed_gy=88.2, geud_gy=30.1, tracking_uid=uid_from("test", "lesion", "1"), origin=SEG_UID, number=1,
        eqd2_gy=73.5, eubed_gy=51.0, mean_interval_gy=(58.35, 73.85), volume_interval_ml=(4.25, 6.5), **numbers,
    )  # fmt: skip
    on_structure = replace(
        on_segment, name="Liver", tracking_uid=None, origin=uid_from("test", "structures"), number=4,
        bed_gy=None, geud_gy=None, eqd2_gy=None, eubed_gy=None, mean_interval_gy=None, volume_interval_ml=None,
    )  # fmt: skip
    normal = replace(on_structure, name="normal liver", origin=None, number=None)
    finding = DoseFinding(
        "T01", "tumour", 65.85, ">= 189 Gy", met=False, text="T01 (tumour) has 65.9 Gy, not as recommended",
        source=Citation("EANM guideline 2022", "Table 2"),
    )  # fmt: skip
    return DoseReport(
        method="local_deposition", constants={"profile": "seed", "energy_j_gbq": "49.67"}, scale=1.0, nuclide="Y-90",
        decay_reference="series time", decay_hours=3.5, dose_gy=dose_gy, geometry=volume,
        regions=(on_segment, on_structure), study_instance_uid=STUDY, series_instance_uid=uid_from("test", "pet"),
        sop_instance_uids=(uid_from("test", "pet", "1"), uid_from("test", "pet", "2")),
        warnings=("liver density was assumed",), normal_liver=normal, findings=(finding,),
    )  # fmt: skip


def assessment(lesions: int = 3, **changes: object) -> Assessment:
    """An assessment of the study with so many lesions; other fields as given."""
    today = tuple(lesion(number, from_segment=number < 3) for number in range(1, lesions + 1))
    whole = Assessment(
        case_ref="case-1",
        study_instance_uid=STUDY,
        assessed_on=TODAY,
        connector_version="0.1.0",
        ruleset="rules-of-the-test",
        input_digest="0" * 64,
        inputs=(),
        time_points=(
            TimePoint(PRIOR_STUDY, BASELINE_DAY, "CT"),
            TimePoint(STUDY, TODAY, "CT", today),
        ),
        response=response() if lesions else None,
        selection=selection() if lesions else None,
        dose=None,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def request(made: Assessment, paths: Sequence[Path], **changes: object) -> WriteRequest:
    """A request for the test patient."""
    who = PatientIdentity((Identifier("T-0001", "TEST_ISSUER"),), "Test", "Lesion", date(1950, 1, 1), "F")
    return replace(WriteRequest(made, who, None, paths), **changes)  # type: ignore[arg-type]
