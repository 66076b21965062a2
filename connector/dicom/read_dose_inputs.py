"""What a dose map starts from: one activity series, and the regions to report, all on one grid and of one patient."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np

from connector.core.case import ActivityMap, PatientIdentity, Region, VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.core.geometry.crops import crop_on_grid
from connector.core.geometry.grids import subgrid
from connector.core.geometry.volumes import volume_ml
from connector.core.matching import same_patient
from connector.dicom.headers import Header, identity, names_of, read_headers
from connector.dicom.read_activity import ACTIVITY_CLASSES, activity_of
from connector.dicom.read_anatomy import Anatomy, read_anatomy
from connector.dicom.read_segmentation import LABEL_MAP_SEGMENTATION, SEGMENTATION, read_segmentation
from connector.dicom.read_structures import STRUCTURE_SET, read_structures


@dataclass(frozen=True, slots=True, eq=False)
class DoseInputs:
    """Activity at the administration, regions on its grid, whose they are, and what a reader must be told."""

    activity: ActivityMap
    regions: tuple[Region, ...]
    identity: PatientIdentity
    warnings: tuple[str, ...]
    anatomy: Anatomy | None = None


def read_dose_inputs(
    activity_dir: Path,
    region_paths: Sequence[Path],
    administered_at: datetime | None = None,
    *,
    ct_dir: Path | None = None,
    leave_out: Collection[Path] = (),
) -> DoseInputs:
    """
    Read the one PET or NM series under a folder, and segmentations or structure sets of the same patient.

    With `ct_dir` the CT around the regions is read too, and the lungs are weighed on it. Regions on other grids are
    carried to the activity's grid (nearest voxel); what that loses is told in the warnings. Files to `leave_out` are of
    another reader.
    Raises ImpossibleInput for no or several series, two patients, regions in another frame of reference, or a region
    file that cannot be used.
    """
    paths = [path for path in sorted(activity_dir.rglob("*")) if path.is_file() and path not in leave_out]
    if not paths:
        raise ImpossibleInput("the activity folder holds no files: give the folder of one PET or NM series")
    headers, skipped = read_headers(paths)
    images = [header for header in headers if header.sop_class_uid in ACTIVITY_CLASSES]
    series = {header.series_instance_uid for header in images}
    if len(series) != 1:
        raise ImpossibleInput(f"the activity folder holds {len(series)} PET or NM series: give exactly one")
    region_headers = [_region_header(path) for path in region_paths if path not in leave_out]
    identities = [identity(header.dataset) for header in (*images, *region_headers)]
    if not same_patient(identities):
        raise ImpossibleInput("the activity and the regions are not of one patient: check the files")
    # A file that cannot be read may be a slice; the geometry check notices one inside, and this line one at the end.
    warnings = [f"file {each.where} was not used: {each.reason}" for each in skipped]
    names = names_of(paths)
    others = [names[each.path] for each in headers if each not in images]
    warnings += [f"file {name} is no PET or NM image: not used" for name in others]
    activity = activity_of(images, administered_at)
    regions: list[Region] = []
    left_out: list[str] = []
    for header in region_headers:
        found, told = regions_of(header)
        left_out += told
        regions += found
    if region_headers and not regions:
        raise ImpossibleInput(
            f"the region files hold no region with a voxel: {'; '.join(left_out) or 'nothing is drawn'}"
        )
    warnings += left_out
    warnings += _named_twice(regions)
    placed, told = on_grid(regions, activity.geometry)
    anatomy = None if ct_dir is None else _anatomy(ct_dir, regions, identities)
    more = () if anatomy is None else anatomy.warnings
    return DoseInputs(activity, placed, identities[0], (*warnings, *told, *more), anatomy)


def _named_twice(regions: Sequence[Region]) -> list[str]:
    """Tell of regions that share a name, as when a liver is drawn in a segmentation and in a structure set."""
    counts = Counter(region.name for region in regions)
    return [
        f"{count} regions are called {name}: each is reported, an option for the name holds for all, and they count as "
        "one where they are of one organ"
        for name, count in sorted(counts.items())
        if count > 1
    ]


def _anatomy(folder: Path, regions: Sequence[Region], identities: Sequence[PatientIdentity]) -> Anatomy:
    """Read the CT under a folder. Raises ImpossibleInput when there is none in the regions' frame, or of another."""
    headers, _ = read_headers([path for path in sorted(folder.rglob("*")) if path.is_file()])
    if not same_patient([*identities, *(identity(header.dataset) for header in headers)]):
        raise ImpossibleInput("the CT and the activity are not of one patient: check the files")
    found = read_anatomy(headers, regions)
    if found is None:
        raise ImpossibleInput("no CT lies in the frame of reference of the regions: name the CT they were drawn on")
    return found


def _region_header(path: Path) -> Header:
    headers, skipped = read_headers([path])
    if skipped:
        raise ImpossibleInput(f"region file {path.name}: {skipped[0].reason}")
    return headers[0]


def regions_of(header: Header, images: Sequence[Header] = ()) -> tuple[list[Region], list[str]]:
    """Read the regions of a segmentation or structure set, and what was left out. Raises ImpossibleInput."""
    if header.sop_class_uid in {SEGMENTATION, LABEL_MAP_SEGMENTATION}:
        segmentation = read_segmentation(header)
        return [each.region for each in segmentation.segments], [each.reason for each in segmentation.skipped]
    if header.sop_class_uid == STRUCTURE_SET:
        structures = read_structures(header, images)
        return list(structures.regions), [each.reason for each in structures.skipped]
    raise ImpossibleInput(f"regions come from a segmentation or a structure set, not from {header.dataset.Modality}")


def on_grid(regions: Sequence[Region], geometry: VolumeGeometry) -> tuple[tuple[Region, ...], list[str]]:
    """
    Carry regions to a grid, each as the box of it that it fills, and tell for each what that did to its volume.

    A region of which nothing is left is dropped and told. Raises ImpossibleInput for another frame of reference.
    """
    placed, told = [], []
    for region in regions:
        crop, outside_fraction = crop_on_grid(region.mask, region.geometry, geometry)
        before = volume_ml(int(np.count_nonzero(region.mask)), region.geometry)
        after = volume_ml(crop.count if crop else 0, geometry)
        if outside_fraction > 0:
            told.append(f"{region.name}: {100 * outside_fraction:.1f} % of the region lies outside the image")
        if after != before:
            told.append(f"{region.name}: {before} mL as drawn, {after} mL on the grid of the activity")
        if crop is not None:
            start = crop.box[0].start, crop.box[1].start, crop.box[2].start
            shape = crop.mask.shape[0], crop.mask.shape[1], crop.mask.shape[2]
            grid = subgrid(geometry, start=start, shape=shape)
            placed.append(replace(region, mask=crop.mask, geometry=grid, outside_fraction=outside_fraction))
        else:
            told.append(f"{region.name}: nothing of it is left on the grid of the activity, it is not reported")
    return tuple(placed), told
