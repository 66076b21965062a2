"""Writes the rejection note that has a PACS hide what we sent of a wrong patient's study."""

import copy
from collections.abc import Sequence
from io import BytesIO

from highdicom.ko import KeyObjectSelection
from highdicom.sr import CodedConcept, DeviceObserverIdentifyingAttributes, ObserverContext
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.uid import UID, KeyObjectSelectionDocumentStorage

from connector import __version__
from connector.dicom.headers import quiet
from connector.dicom.identity import (
    OUR_DEVICE_UID,
    OUR_MANUFACTURER,
    OUR_MODEL_NAME,
    OUR_SERIES_NUMBERS,
    series_uid,
)
from connector.dicom.write_header import copy_study, document_of, finish_document, part_10, study_references
from connector.ports import Document, Withdrawal

KIND = "rejection"
# CID 7011; IHE RAD TF-3, 4.66.4.1.3 (Imaging Object Change Management): the instances must not be shown any more.
REJECTED = CodedConcept("113037", "DCM", "Rejected for Patient Safety Reasons")
_WHY = "The images that these objects were made from are not this patient's. Do not use them."


class RejectionWriter:
    """
    A Withdrawer of one Key Object Selection (TID 2010) in the study, that names our objects and none of the sender's.

    A PACS with IHE Imaging Object Change Management hides them; any other keeps the note beside them.
    """

    def withdraw(self, withdrawal: Withdrawal) -> Sequence[Document]:
        """Make the note; none when no object was sent to the PACS, or none is here to take the study's header from."""
        sent = {one.identity: one for one in withdrawal.documents if one.destination == "pacs" and one.kind != KIND}
        if not sent:
            return ()
        with quiet():
            objects = [
                _without_planes(dcmread(BytesIO(sent[uid].content), stop_before_pixels=True)) for uid in sorted(sent)
            ]
            tidied = [one for one in withdrawal.tidied if one.destination == "pacs" and one.kind != KIND]
            objects += [_named(one) for one in sorted(tidied, key=lambda one: one.identity)]
            note = _note(withdrawal, objects)
            return [document_of(KIND, note, part_10(note))]


def _without_planes(made: Dataset) -> Dataset:
    """The object as a composite one: DCMTK takes no RT Dose for an image, and highdicom goes by its rows."""
    for keyword in ("Rows", "Columns"):
        if keyword in made:
            del made[keyword]
    return made


def _named(tidied: Document) -> Dataset:
    """What a note must know of an object whose content is no longer here."""
    named = Dataset()
    named.SOPClassUID, named.SOPInstanceUID = UID(tidied.sop_class_uid), UID(tidied.identity)
    named.StudyInstanceUID, named.SeriesInstanceUID = UID(tidied.study_instance_uid), UID(tidied.series_instance_uid)
    return named


def _note(withdrawal: Withdrawal, objects: Sequence[Dataset]) -> Dataset:
    note = copy_study(objects[0])
    note.SOPClassUID = KeyObjectSelectionDocumentStorage
    note.InstanceCreatorUID = OUR_DEVICE_UID
    note.Modality = "KO"
    note.SeriesInstanceUID = series_uid(KIND, withdrawal.study_instance_uid)
    note.SeriesNumber = OUR_SERIES_NUMBERS[KIND]
    note.SeriesDescription = "Rejection note"
    note.ReferencedPerformedProcedureStepSequence = []
    note.InstanceNumber = 1
    note.Manufacturer = OUR_MANUFACTURER
    note.ManufacturerModelName = OUR_MODEL_NAME
    note.DeviceSerialNumber = note.SoftwareVersions = __version__
    note.TimezoneOffsetFromUTC = "+0000"
    note.InstanceCreationDate = note.ContentDate = withdrawal.marked_at.strftime("%Y%m%d")
    note.InstanceCreationTime = note.ContentTime = withdrawal.marked_at.strftime("%H%M%S")
    note.CurrentRequestedProcedureEvidenceSequence = [
        study_references(
            withdrawal.study_instance_uid,
            [(str(one.SeriesInstanceUID), str(one.SOPClassUID), str(one.SOPInstanceUID)) for one in objects],
        )
    ]
    device = DeviceObserverIdentifyingAttributes(
        uid=OUR_DEVICE_UID, name=OUR_MODEL_NAME, manufacturer_name=OUR_MANUFACTURER, model_name=OUR_MODEL_NAME,
        serial_number=__version__,
    )  # fmt: skip
    context = ObserverContext(observer_type=dicom_codes.DCM.Device, observer_identifying_attributes=device)
    (root,) = KeyObjectSelection(REJECTED, objects, observer_device_context=context, description=_WHY)
    for item in root.ContentSequence:
        if item.ValueType == "COMPOSITE":
            del item.ConceptNameCodeSequence  # TID 2010 gives its references no purpose
    for element in root:
        note.add(copy.deepcopy(element))
    finish_document(KIND, note)
    return note
