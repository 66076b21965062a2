"""What the console shows of files on disk: whom images name, documents, planes of images, and slices of a dose map."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connector.contract.assessment import read_back
from connector.core.case import PatientIdentity
from connector.core.errors import ImpossibleInput
from connector.dicom.read_study import DicomImaging
from connector.dicom.view_images import ShownSeries, list_series, read_dose, read_plane
from connector.dicom.view_study import identity_of, pdf_of
from connector.store.ledger import SqlLedger

if TYPE_CHECKING:
    from connector.report.dose_slices import DoseSlices

_DICOM, _PDF, _FHIR = "application/dicom", "application/pdf", "application/fhir+json"
_KEPT_DOSES, _KEPT_STUDIES = 2, 8  # a dose map with its image is some 100 MB; the headers of a study are few


class StudyFiles:
    """Reads from the inbox and the outbox; see `console.site.Studies`."""

    def __init__(self, ledger: SqlLedger) -> None:
        self._ledger = ledger
        self._doses = _Kept(_KEPT_DOSES)
        self._series = _Kept(_KEPT_STUDIES)
        self._drawing = threading.Lock()  # Matplotlib's settings are global

    def identity(self, study_instance_uid: str) -> PatientIdentity | None:
        """Whom the study's images name."""
        study = self._ledger.study(study_instance_uid)
        return None if study is None else identity_of(study.paths)

    def document(self, document_id: str) -> tuple[str, str, bytes] | None:
        """File name, media type and content; a report comes as the PDF inside its DICOM object."""
        try:
            document = self._ledger.document(document_id)
        except OSError:
            return None
        if document is None:
            return None
        name = f"{document.kind}-{document_id[:8]}"
        if document.destination == "ehr":
            return f"{name}.json", _FHIR, document.content
        pdf = pdf_of(document.content) if document.kind == "pdf" else None
        return (f"{name}.pdf", _PDF, pdf) if pdf is not None else (f"{name}.dcm", _DICOM, document.content)

    def series(self, study_instance_uid: str) -> list[tuple[str, int, bool]]:
        """Modality, number of planes and whether they may show the patient's name, of every series of images."""
        return [(each.modality, len(each.planes), each.may_name_patient) for each in self._list(study_instance_uid)]

    def image(self, study_instance_uid: str, number: int, index: int) -> bytes:
        """One plane of a series as a PNG. Raises ImpossibleInput when there is none or it cannot be read."""
        found = self._list(study_instance_uid)
        if not 0 <= number < len(found):
            raise ImpossibleInput("the study has no such series of images")
        from connector.report.slice_pictures import grey_png  # noqa: PLC0415 - drawing is loaded when something is drawn

        plane = read_plane(found[number], index)
        with self._drawing:
            return grey_png(plane.values, window=plane.window, aspect=plane.aspect)

    def _list(self, study_instance_uid: str) -> list[ShownSeries]:
        study = self._ledger.study(study_instance_uid)
        paths = study.paths if study else ()
        found: list[ShownSeries] = self._series.get((study_instance_uid, len(paths)), lambda: list_series(paths))
        return found

    def dose(self, summary: str, rtdose: Path, study_instance_uid: str) -> "DoseSlices":
        """The dose map of an assessment. Raises ImpossibleInput when its files are gone or do not fit each other."""
        made: DoseSlices = self._doses.get(rtdose, lambda: self._read_dose(summary, rtdose, study_instance_uid))
        return made

    def dose_png(self, slices: "DoseSlices", across: int, index: int) -> bytes:
        """One cut through a dose map."""
        with self._drawing:
            return slices.png(across, index)

    def _read_dose(self, summary: str, rtdose: Path, study_instance_uid: str) -> "DoseSlices":
        from connector.report.dose_slices import DoseSlices  # noqa: PLC0415 - as above

        assessment, study = read_back(summary), self._ledger.study(study_instance_uid)
        if assessment is None or assessment.dose is None or study is None:
            raise ImpossibleInput("this assessment has no dose map")
        reading = DicomImaging().read(study.paths, study_instance_uid)
        if reading.activity is None:
            raise ImpossibleInput("the image that the dose was computed from is no longer here")
        dose_gy = read_dose(rtdose, reading.activity.geometry)
        dose = replace(assessment.dose, dose_gy=dose_gy, geometry=reading.activity.geometry)
        return DoseSlices(dose, reading.activity, reading.regions, reading.anatomy)


class _Kept:
    """The few things looked at last, each made once however many ask for it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._held:
                self._held[key] = make()
                while len(self._held) > self._most:
                    self._held.popitem(last=False)
            self._held.move_to_end(key)
            return self._held[key]
