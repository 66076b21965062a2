"""All DICOM files of one patient become time points, lesions, regions and an activity map; no file is lost silently."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from connector.core.case import (
    ActivityMap,
    Identifier,
    ImagingReading,
    LesionMeasurement,
    LesionState,
    PatientIdentity,
    Region,
    TimePoint,
)
from connector.core.errors import ImpossibleInput
from connector.core.evidence import Skipped
from connector.core.geometry.volumes import liver_burden
from connector.core.matching import same_patient
from connector.core.response.from_readings import as_read_by_primary
from connector.dicom.headers import Header, identity, names_of, read_headers, reading, studied_on
from connector.dicom.identity import OUR_MANUFACTURER
from connector.dicom.read_anatomy import Anatomy, read_anatomy
from connector.dicom.read_dose_inputs import on_grid
from connector.dicom.read_gaps import structure_gaps
from connector.dicom.read_joined import joined
from connector.dicom.read_lesions import lesions_of_segments
from connector.dicom.read_measurements import Measurements, read_measurements
from connector.dicom.read_readers import numbered
from connector.dicom.read_segmentation import LABEL_MAP_SEGMENTATION, SEGMENTATION, Segment, read_segmentation
from connector.dicom.read_sources import check_sources, home_studies, is_image, source_images
from connector.dicom.read_structures import STRUCTURE_SET, read_structures
from connector.dicom.read_uptake import is_diagnostic, uptake_of, uptakes
from connector.dicom.read_values import text
from connector.dicom.read_work_up import activity_map, planar_work_up

SEGMENTATIONS = frozenset({SEGMENTATION, LABEL_MAP_SEGMENTATION})
REPORTS = frozenset({
    "1.2.840.10008.5.1.4.1.1.88.22",  # Enhanced SR
    "1.2.840.10008.5.1.4.1.1.88.33",  # Comprehensive SR
    "1.2.840.10008.5.1.4.1.1.88.34",  # Comprehensive 3D SR
    "1.2.840.10008.5.1.4.1.1.88.35",  # Extensible SR
})  # fmt: skip
# The modality that names a time point, in order: what lesions are measured on comes first.
MAIN_MODALITIES = ("CT", "MR", "PT", "NM")


@dataclass(slots=True)
class _Study:
    """One study while it is read."""

    uid: str
    headers: list[Header]
    studied_on: date
    segments: list[Segment] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    reports: list[Measurements] = field(default_factory=list)
    segmented: list[LesionMeasurement] = field(default_factory=list)  # lesions by their segments, reported or not
    our_reports: list[Measurements] = field(default_factory=list)
    readings: dict[str, tuple[tuple[LesionMeasurement, ...], str]] = field(default_factory=dict)  # see read_readers
    skipped: list[Skipped] = field(default_factory=list)
    uptake_series: str | None = None  # the diagnostic PET on which lesions were measured

    def skip(self, header: Header, reason: str) -> None:
        self.skipped.append(Skipped(header.sop_instance_uid, reason))


class DicomImaging:
    """Reads DICOM files into our types; see `ports.ImagingSource`."""

    @reading()
    def read(self, paths: Sequence[Path], study_instance_uid: str | None = None) -> ImagingReading:
        """
        Read files of ONE patient, any mix of studies and kinds.

        The named study (default: the latest) is assessed and gives activity and regions; earlier ones are its priors;
        what is later than the named one is set aside. Regions lie on the activity's grid when there is one, else on
        grids of their own. A file that cannot be used is a line in `skipped`. Raises ImpossibleInput for two patients,
        no usable file, or a named study that is not there.
        """
        headers, skipped = read_headers(paths)
        if not headers:
            reason = f"the first because: {skipped[0].reason}" if skipped else "there are none"
            raise ImpossibleInput(f"none of the {len(paths)} files can be used, {reason}")
        patient = _one_patient(headers)
        homes = home_studies(headers)
        studies = _studies(headers, homes, skipped)
        assessed, priors = _choose(studies, homes.get(study_instance_uid or "", study_instance_uid), skipped)
        planar = planar_work_up(assessed.headers, assessed.studied_on)
        flat = [header for header in assessed.headers if header.sop_instance_uid in planar.instances]
        points = [_read_study(study, assessed=study is assessed, aside=flat) for study in (*priors, assessed)]
        readings = numbered({study.uid: study.readings for study in (*priors, assessed)})
        volumes = [header for header in assessed.headers if header not in flat]
        activity, unused = activity_map(volumes, uptake_series=assessed.uptake_series)
        regions = _regions(assessed, activity)
        anatomy = _anatomy(assessed) if activity is not None else None
        gaps, unmeasured = structure_gaps(assessed.segments, (*assessed.segmented, *points[-1].lesions))
        skipped += [*planar.skipped, *unused, *unmeasured]
        for study in (*priors, assessed):
            skipped += study.skipped
        files = names_of(paths)
        names = {header.sop_instance_uid: files[header.path] for header in headers}
        return ImagingReading(
            identity=patient,
            time_points=tuple(as_read_by_primary(point, readings) for point in points),
            activity=activity,
            regions=regions,
            skipped=tuple(replace(each, where=names.get(each.where, each.where)) for each in skipped),
            anatomy=anatomy.image if anatomy else None,
            lung_mass=anatomy.lung_mass(assessed.studied_on) if anatomy else None,
            planar_lung_shunt=planar.lung_shunt,
            warnings=(*(anatomy.warnings if anatomy else ()), *planar.warnings),
            readings=readings,
            gaps=gaps,
        )


def _one_patient(headers: Sequence[Header]) -> PatientIdentity:
    """
    Join what the files say of their patient. Raises ImpossibleInput when they are not of one.

    A file without issuer is taken to come from the issuer that all others name: reports and segmentations of other
    products often leave it out. Name, birth date and sex must still not contradict.
    """
    found = list(dict.fromkeys(identity(header.dataset) for header in headers))
    issuers = {each.identifiers[0].system for each in found} - {None}
    if len(issuers) == 1:
        issuer = next(iter(issuers))
        found = [replace(each, identifiers=_issued(each.identifiers, issuer)) for each in found]
    if not all(same_patient((one, other)) for one in found for other in found):
        raise ImpossibleInput(
            "the files are of more than one patient: read one patient at a time, and correct identities in the PACS"
        )
    return PatientIdentity(
        identifiers=tuple(dict.fromkeys(each for one in found for each in one.identifiers)),
        family_name=next((each.family_name for each in found if each.family_name), None),
        given_name=next((each.given_name for each in found if each.given_name), None),
        birth_date=next((each.birth_date for each in found if each.birth_date), None),
        sex=next((each.sex for each in found if each.sex), None),
    )


def _issued(identifiers: tuple[Identifier, ...], issuer: str | None) -> tuple[Identifier, ...]:
    first, *others = identifiers
    return (replace(first, system=issuer), *others)


def _studies(headers: Sequence[Header], homes: Mapping[str, str], skipped: list[Skipped]) -> list[_Study]:
    """Group files by study, in order of date; a study without any date cannot be put in order and is set aside."""
    grouped: dict[str, list[Header]] = {}
    for header in headers:
        home = homes.get(header.sop_instance_uid, header.study_instance_uid)
        grouped.setdefault(home, []).append(header)
    studies = []
    for uid, members in grouped.items():
        on = studied_on([header for header in members if header.study_instance_uid == uid])
        if on is None:
            skipped.append(Skipped(uid, "the study has no date: it cannot be put in order with the others"))
        else:
            studies.append(_Study(uid, members, on))
    if not studies:
        raise ImpossibleInput("no study has a date: fill Study Date (0008,0020) and send them again")
    return sorted(studies, key=lambda study: (study.studied_on, _time(study), study.uid))


def _time(study: _Study) -> str:
    return min(text(header.dataset.get("StudyTime")) for header in study.headers)


def _choose(
    studies: list[_Study], study_instance_uid: str | None, skipped: list[Skipped]
) -> tuple[_Study, list[_Study]]:
    uids = [study.uid for study in studies]
    if study_instance_uid is not None and study_instance_uid not in uids:
        raise ImpossibleInput("the named study is not among the files: give its files too")
    at = len(uids) - 1 if study_instance_uid is None else uids.index(study_instance_uid)
    skipped += [Skipped(uid, "the study is later than the assessed one: not used") for uid in uids[at + 1 :]]
    return studies[at], studies[:at]


def _read_study(study: _Study, *, assessed: bool, aside: Sequence[Header]) -> TimePoint:
    # The latest report goes first: where two speak of one lesion, the first stands and the difference is flagged.
    volumes = [header for header in study.headers if header not in aside]
    for header in sorted(volumes, key=_made_at, reverse=True):
        try:
            _read_object(study, header, assessed=assessed)
        except ImpossibleInput as fault:
            study.skip(header, str(fault))
    livers = [each.region for each in study.segments if each.region.kind == "liver"]
    if len(livers) > 1:
        study.skipped.append(Skipped(study.uid, f"{len(livers)} segments are the whole liver: no volume taken"))
    liver = livers[0] if len(livers) == 1 else None
    measured, of_liver = lesions_of_segments(study.segments, liver, study.studied_on)
    study.segmented = _with_uptake(study, measured)
    study.readings = _readings(study, study.segmented)
    reports = (*study.reports, *study.our_reports)
    volume = next((report.liver_volume_ml for report in reports if report.liver_volume_ml), None)
    tumour = None
    if liver is not None:
        burden = liver_burden(liver, of_liver)
        volume = burden.liver_volume_ml if burden else volume
        tumour = burden.tumour_volume_ml if burden and of_liver else None
    accessions = (text(each.dataset.get("AccessionNumber")) for each in study.headers)
    return TimePoint(
        study_instance_uid=study.uid,
        studied_on=study.studied_on,
        modality=_modality(study.headers),
        lesions=_lesions(study.segmented, study.reports, _joined(study.our_reports)),
        liver_volume_ml=volume,
        liver_tumour_volume_ml=tumour,
        accession_number=next(filter(None, accessions), None),
        new_lesion=next((report.new_lesion for report in reports if report.new_lesion), "none"),
        label=next((report.time_point_label for report in reports if report.time_point_label), None),
    )


def _made_at(header: Header) -> str:
    return text(header.dataset.get("ContentDate")) + text(header.dataset.get("ContentTime"))


def _read_object(study: _Study, header: Header, *, assessed: bool) -> None:
    """Read what one file adds to its study. Raises ImpossibleInput when it cannot be used."""
    kind = header.sop_class_uid
    ours = text(header.dataset.get("Manufacturer")) == OUR_MANUFACTURER
    if ours and (assessed or kind not in REPORTS):
        raise ImpossibleInput("our own earlier document: an assessment never stands on itself")
    if kind in REPORTS:
        for report in reversed(read_measurements(header, study.studied_on)):  # the last first, as reports are
            study.skipped += report.skipped
            (study.our_reports if ours else study.reports).append(report)
    elif kind in SEGMENTATIONS:
        check_sources(header, study.headers)
        segmentation = read_segmentation(header)
        study.skipped += segmentation.skipped
        study.segments += segmentation.segments
    elif kind == STRUCTURE_SET:
        if assessed:
            structures = read_structures(header, source_images(header, study.headers))
            study.skipped += structures.skipped
            study.regions += structures.regions
    elif not is_image(header):
        raise ImpossibleInput(f"{header.dataset.SOPClassUID.name} is not read: it holds nothing to assess")


def _modality(headers: Sequence[Header]) -> str:
    found = [text(header.dataset.get("Modality")) for header in headers]
    return next((each for each in MAIN_MODALITIES if each in found), found[0])


def _readings(
    study: _Study, measured: Sequence[LesionMeasurement]
) -> dict[str, tuple[tuple[LesionMeasurement, ...], str]]:
    """
    Tell what each person has reported of the study, by observer, the first to report first.

    A report that names no person, such as one of a program, completes those of every person.
    """
    ours = _joined(study.our_reports)
    readings = {}
    for observer in dict.fromkeys(report.observer for report in reversed(study.reports) if report.observer):
        own = [report for report in study.reports if report.observer == observer]
        reports = [*own, *(report for report in study.reports if report.observer is None)]
        lesions = _lesions(measured, reports, {uid: _only_role(lesion) for uid, lesion in ours.items()})
        readings[observer] = (lesions, next((each.new_lesion for each in reports if each.new_lesion), "none"))
    return readings


def _only_role(lesion: LesionMeasurement) -> LesionMeasurement:
    """Our own report of a prior tells the role of a lesion; its sizes may be those of another reader."""
    return replace(
        lesion, state=LesionState.PRESENT, long_axis_mm=None, short_axis_mm=None, volume_ml=None, viable_mm=None,
        viable_across_mm=None, enhancement=None, uptake=None, flags=(), conflicts=(),
    )  # fmt: skip


def _lesions(
    measured: Sequence[LesionMeasurement],
    reports: Sequence[Measurements],
    ours: Mapping[str, LesionMeasurement],
) -> tuple[LesionMeasurement, ...]:
    """
    Take reported lesions, completed by segments with the same tracking UID; segments alone when none is reported.

    Our own report of a prior completes them with what only an assessment adds, such as the role; by itself it speaks
    only when there is nothing else, because it was made from the others and they may have been corrected since.
    """
    reported = _joined(reports)
    lesions = reported or {lesion.tracking_uid: lesion for lesion in measured} or dict(ours)
    by_uid = {lesion.tracking_uid: lesion for lesion in measured}
    for more in (by_uid, ours):
        lesions = {
            uid: joined(lesion, more[uid], compare=False) if uid in more else lesion for uid, lesion in lesions.items()
        }
    return tuple(lesions.values())


def _with_uptake(study: _Study, measured: Sequence[LesionMeasurement]) -> list[LesionMeasurement]:
    """Measure the segmented lesions on the study's diagnostic PET; one series of it, or none."""
    tracked = [each.region for each in study.segments if each.region.kind == "lesion" and each.region.tracking_uid]
    regions = list({region.tracking_uid: region for region in reversed(tracked)}.values())
    series = {header.series_instance_uid: header for header in study.headers if is_diagnostic(header)}
    if not regions or not series:
        return list(measured)
    if len(series) > 1:
        study.skipped.append(Skipped(study.uid, f"{len(series)} PET series could give uptake: none is used"))
        return list(measured)
    (uid,) = series
    study.uptake_series = uid
    try:
        found = uptakes(uptake_of([each for each in study.headers if each.series_instance_uid == uid]), regions)
    except ImpossibleInput as fault:
        study.skip(series[uid], f"the PET gives no uptake: {fault}")
        return list(measured)
    return [each if each.conflicts else replace(each, uptake=found.get(each.tracking_uid)) for each in measured]


def _joined(reports: Sequence[Measurements]) -> dict[str, LesionMeasurement]:
    lesions: dict[str, LesionMeasurement] = {}
    for report in reports:
        for lesion in report.lesions:
            known = lesions.get(lesion.tracking_uid)
            lesions[lesion.tracking_uid] = joined(known, lesion) if known else lesion
    return lesions


def _regions(study: _Study, activity: ActivityMap | None) -> tuple[Region, ...]:
    regions = [*(segment.region for segment in study.segments), *study.regions]
    if activity is None:
        return tuple(regions)
    placed: list[Region] = []
    for region in regions:
        try:
            carried, told = on_grid([region], activity.geometry)
        except ImpossibleInput as fault:
            study.skipped.append(Skipped(region.origin, f"{region.name}: {fault}"))
            continue
        placed += carried
        study.skipped += [Skipped(region.origin, each) for each in told if not carried or "outside" in each]
    return tuple(placed)


def _anatomy(study: _Study) -> Anatomy | None:
    """The CT around the regions of the study, as they were drawn; a CT that cannot be read is a line in `skipped`."""
    try:
        return read_anatomy(study.headers, [*(segment.region for segment in study.segments), *study.regions])
    except ImpossibleInput as fault:
        study.skipped.append(Skipped(study.uid, f"the CT of the study is not used: {fault}"))
        return None
