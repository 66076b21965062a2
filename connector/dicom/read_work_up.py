"""Which images of a study tell of a treatment or its work-up: the one activity series, and the planar views."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from pydicom.dataset import Dataset

from connector.core.case import ActivityMap
from connector.core.dosimetry.planar import planar_shunt
from connector.core.dosimetry.work_up import RATIO_QUANTUM
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Observed, Skipped
from connector.core.nuclides import NUCLIDES
from connector.dicom.headers import Header, reading
from connector.dicom.read_activity import (
    ACTIVITY_CLASSES,
    NUCLEAR_MEDICINE,
    activity_of,
    is_aggregated_albumin,
    nuclide_of,
)
from connector.dicom.read_planar import planar_of
from connector.dicom.read_segmentation import SEGMENTATION

# PS3.3 C.8.4.9.1.1, value 3: what is no tomogram.
_PLANAR = (["STATIC"], ["WHOLE BODY"])


@dataclass(frozen=True, slots=True)
class PlanarWorkUp:
    """
    The lung shunt of a study's planar views, None when it cannot be told, and then `skipped` says why.

    `instances` are the views and what is drawn on them: no volume, so nothing else reads them.
    """

    lung_shunt: Observed[Decimal] | None = None
    warnings: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    instances: frozenset[str] = frozenset()


def planar_work_up(headers: Sequence[Header], studied_on: date) -> PlanarWorkUp:
    """Measure the planar views of aggregated albumin among a study's files with the one segmentation drawn on them."""
    views = [header for header in headers if _is_planar(header)]
    if not views:
        return PlanarWorkUp()
    shown = {header.sop_instance_uid for header in views}
    drawn = [each for each in headers if each.sop_class_uid == SEGMENTATION and shown.intersection(_drawn_on(each))]
    instances = frozenset(shown.union(each.sop_instance_uid for each in drawn))
    first = views[0].sop_instance_uid
    if len(drawn) != 1:
        reason = f"{len(drawn)} segmentations are drawn on the planar views: send one, of lungs and liver, for a shunt"
        return PlanarWorkUp(skipped=(Skipped(first, reason),), instances=instances)
    try:
        inputs = planar_of(views, drawn[0])
        found = planar_shunt(anterior=inputs.anterior, posterior=inputs.posterior)
    except ImpossibleInput as fault:
        return PlanarWorkUp(skipped=(Skipped(first, f"the planar views give no shunt: {fault}"),), instances=instances)
    shunt = Observed(found.lung_shunt_fraction.quantize(RATIO_QUANTUM), first, studied_on)
    told = tuple(f"planar views: {text}" for text in (*inputs.warnings, *found.warnings))
    return PlanarWorkUp(shunt, told, instances=instances)


def _is_planar(header: Header) -> bool:
    """Whether these are flat views of aggregated albumin; what cannot be read is told by who reads it next."""
    if header.sop_class_uid != NUCLEAR_MEDICINE:
        return False
    with suppress(ImpossibleInput), reading():
        kind = [str(each).upper() for each in header.dataset.get("ImageType") or ()]
        return kind[2:3] in _PLANAR and is_aggregated_albumin(header.dataset)
    return False


def _drawn_on(header: Header) -> set[str]:
    """Name the instances that the frames of a segmentation were drawn on, as far as they can be read."""
    found: set[str] = set()
    with suppress(ImpossibleInput), reading():
        groups = [*_items(header.dataset, "SharedFunctionalGroupsSequence"),
                  *_items(header.dataset, "PerFrameFunctionalGroupsSequence")]  # fmt: skip
        derivations = [each for group in groups for each in _items(group, "DerivationImageSequence")]
        sources = [each for derivation in derivations for each in _items(derivation, "SourceImageSequence")]
        found.update(str(source.ReferencedSOPInstanceUID) for source in sources)
    return found


def _items(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    return dataset.get(keyword) or ()


def activity_map(headers: Sequence[Header], *, uptake_series: str | None) -> tuple[ActivityMap | None, list[Skipped]]:
    """
    Read the one activity series among a study's files, and tell which were not used.

    Only nuclides that are given as treatment count, and Tc-99m when it is aggregated albumin. Quantitative PET goes
    before counts. Several series of equal rank are ambiguous, and none of them is used; `uptake_series` is diagnostic.
    """
    series: dict[str, list[Header]] = {}
    for header in headers:
        if header.sop_class_uid in ACTIVITY_CLASSES and header.series_instance_uid != uptake_series:
            series.setdefault(header.series_instance_uid, []).append(header)
    candidates: list[ActivityMap] = []
    skipped: list[Skipped] = []
    for members in series.values():
        try:
            _check_treatment(members[0])
            candidates.append(activity_of(members))
        except ImpossibleInput as fault:
            reason = f"the series of {len(members)} images gives no activity map: {fault}"
            skipped.append(Skipped(members[0].sop_instance_uid, reason))
    best = [each for each in candidates if each.quantitative] or candidates
    if len(best) == 1:
        return best[0], skipped
    reason = "several series could be the activity map: send one, or use dose map"
    return None, [*skipped, *(Skipped(each.sop_instance_uids[0], reason) for each in best)]


def _check_treatment(header: Header) -> None:
    name = nuclide_of(header.dataset, [])
    if name not in NUCLIDES:
        raise ImpossibleInput(f"{name} is not a nuclide of treatment")
    if header.sop_class_uid == NUCLEAR_MEDICINE and name == "Tc-99m" and not is_aggregated_albumin(header.dataset):
        raise ImpossibleInput("Tc-99m other than aggregated albumin tells nothing of a later treatment")
