"""Planar NM images become an anterior and a posterior view, with the regions that a segmentation draws on each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from connector.core.case import PatientIdentity
from connector.core.dosimetry.planar import BACKGROUND, LIVER, LUNG, View
from connector.core.errors import ImpossibleInput
from connector.core.matching import same_patient
from connector.dicom.headers import Header, identity, read_headers, reading
from connector.dicom.read_activity import NUCLEAR_MEDICINE, is_aggregated_albumin
from connector.dicom.read_codes import first_code, kind_of
from connector.dicom.read_pixels import stored_frames
from connector.dicom.read_segmentation import SEGMENTATION
from connector.dicom.read_values import text

ANTERIOR, POSTERIOR = "anterior", "posterior"
# DICOM CID 26 (NM/PET projections): SNOMED CT, and SNOMED RT as older scanners write it.
_VIEWS = {"255549009": ANTERIOR, "R-10206": ANTERIOR, "255551008": POSTERIOR, "R-10214": POSTERIOR}


@dataclass(frozen=True, slots=True, eq=False)
class PlanarInputs:
    """Both views of one patient, the instances they came from, and what a reader must be told."""

    anterior: View
    posterior: View
    identity: PatientIdentity
    origins: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Projection:
    header: Header
    frame: int  # from 1
    counts: NDArray[np.float32]


@reading()
def read_planar(images: Sequence[Path], regions: Path) -> PlanarInputs:
    """
    Read planar NM images (one file with both views, or two) and the segmentation that is drawn on them.

    See `planar_of`. Raises ImpossibleInput for other objects too.
    """
    headers, skipped = read_headers([*images, regions])
    if skipped:
        raise ImpossibleInput(f"a file cannot be used ({skipped[0].reason})")
    planar = [header for header in headers if header.sop_class_uid == NUCLEAR_MEDICINE]
    drawn = [header for header in headers if header.sop_class_uid == SEGMENTATION]
    if len(planar) != len(images) or len(drawn) != 1:
        raise ImpossibleInput("planar NM images and one segmentation of them are needed: check the files")
    return planar_of(planar, drawn[0])


@reading()
def planar_of(images: Sequence[Header], drawn: Header) -> PlanarInputs:
    """
    Read planar views, and the segmentation drawn on them, whose headers are known already.

    Segments of lung and liver are needed in at least one view, a segment named background is used when there is one;
    what is drawn in one view only is mirrored into the other, and that is told. Raises ImpossibleInput for a view that
    is missing or there twice, images of two patients, and segments that name no frame.
    """
    headers = [*images, drawn]
    identities = [identity(header.dataset) for header in headers]
    if not same_patient(identities):
        raise ImpossibleInput("the images and the regions are not of one patient: check the files")
    views = _views(images)
    masks = _masks(drawn, views)
    warnings = [] if all(is_aggregated_albumin(each.dataset) for each in images) else [
        "the radiopharmaceutical is not named as aggregated albumin: check that this is a work-up scan"
    ]  # fmt: skip
    made = {}
    for name, other in ((ANTERIOR, POSTERIOR), (POSTERIOR, ANTERIOR)):
        regions_here = dict(masks[name])
        for kind in masks[other].keys() - regions_here.keys():
            regions_here[kind] = masks[other][kind][:, ::-1]
            warnings.append(f"{kind} is drawn in the {other} view only: mirrored into the {name} one")
        made[name] = View(views[name].counts, regions_here)
    return PlanarInputs(
        anterior=made[ANTERIOR],
        posterior=made[POSTERIOR],
        identity=identities[0],
        origins=tuple(sorted({header.sop_instance_uid for header in headers})),
        warnings=tuple(sorted(warnings)),
    )


def _views(headers: Iterable[Header]) -> dict[str, _Projection]:
    found: dict[str, _Projection] = {}
    for header in headers:
        if "RECON" in " ".join(str(each).upper() for each in header.dataset.get("ImageType") or ()):
            raise ImpossibleInput("the NM image is reconstructed: planar views are needed (or use `dose from-images`)")
        for number, counts in enumerate(stored_frames(header), 1):
            name = _view_of(header.dataset, number)
            if name is None:
                continue
            if name in found:
                raise ImpossibleInput(f"there are two {name} views: send one acquisition")
            found[name] = _Projection(header, number, counts.astype(np.float32))
    for name in (ANTERIOR, POSTERIOR):
        if name not in found:
            raise ImpossibleInput(f"no frame is coded as the {name} view (0054,0220): send both views, coded")
    if found[ANTERIOR].counts.shape != found[POSTERIOR].counts.shape:
        raise ImpossibleInput("the two views have different sizes: send one acquisition")
    return found


def _view_of(dataset: Dataset, number: int) -> str | None:
    """Anterior or posterior by the view code of the frame's detector; None for any other view."""
    detectors = dataset.get("DetectorInformationSequence") or ()
    vector = np.atleast_1d(np.asarray(dataset.get("DetectorVector") or [1], dtype=int))
    at = int(vector[min(number, len(vector)) - 1])
    if not 1 <= at <= len(detectors):
        return None
    code = first_code(detectors[at - 1], "ViewCodeSequence")
    return _VIEWS.get(code.value) if code else None


def _masks(header: Header, views: dict[str, _Projection]) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """Masks by view and kind; segments of one kind in one view are joined."""
    kinds = {int(item.SegmentNumber): _kind(item) for item in header.dataset.get("SegmentSequence") or ()}
    groups = header.dataset.get("PerFrameFunctionalGroupsSequence") or ()
    found: dict[str, dict[str, NDArray[np.bool_]]] = {ANTERIOR: {}, POSTERIOR: {}}
    for group, stored in zip(groups, stored_frames(header), strict=True):
        kind = kinds.get(int(group.SegmentIdentificationSequence[0].ReferencedSegmentNumber))
        if kind is None:
            continue
        name = _drawn_on(group, views)
        mask = np.asarray(stored) > 0
        if mask.shape != views[name].counts.shape:
            raise ImpossibleInput("the segmentation and the planar views have different sizes: draw on the views")
        found[name][kind] = found[name].get(kind, np.zeros(mask.shape, dtype=bool)) | mask
    return found


def _kind(item: Dataset) -> str | None:
    if BACKGROUND in text(item.get("SegmentLabel")).lower():
        return BACKGROUND
    kind = kind_of(
        category=first_code(item, "SegmentedPropertyCategoryCodeSequence"),
        kind=first_code(item, "SegmentedPropertyTypeCodeSequence"),
        name=text(item.get("SegmentLabel")),
    )
    return kind if kind in {LUNG, LIVER} else None


def _drawn_on(group: Dataset, views: dict[str, _Projection]) -> str:
    for derivation in group.get("DerivationImageSequence") or ():
        for source in derivation.get("SourceImageSequence") or ():
            frame = int(np.atleast_1d(source.get("ReferencedFrameNumber") or 1)[0])
            for name, view in views.items():
                if (source.ReferencedSOPInstanceUID, frame) == (view.header.sop_instance_uid, view.frame):
                    return name
    raise ImpossibleInput("a segment does not name the planar frame it is drawn on: export it with its source images")
