"""Writes the smallest RT Plan that an RT Dose may name, for planning systems that show no dose without a plan."""

from pydicom.dataset import Dataset
from pydicom.uid import RTPlanStorage

from connector.core.assessment import DoseReport
from connector.dicom.write_header import (
    StudyHeader,
    finish_document,
    number_after_rejections,
    plain,
    start_document,
)
from connector.dicom.write_sr_groups import dose_parameters
from connector.ports import WriteRequest

KIND = "rtplan"
_SHORT_STRING, _SHORT_TEXT = 16, 1024


def plan_of(request: WriteRequest, dose: DoseReport, study: StudyHeader) -> Dataset:
    """
    Make a plan of the administration: a label, no fractions, no beams, no sources; not approved.

    It depends on how the dose map was made and not on the day, as the RT Dose itself. Source: DICOM PS3.3, A.20 and
    C.8.8.9; the geometry is the treatment device's, because a patient's would need a structure set.
    """
    document = start_document(
        study,
        request,
        kind=KIND,
        sop_class_uid=RTPlanStorage,
        modality="RTPLAN",
        description=f"{dose.nuclide} given (draft)",
    )
    document.OperatorsName = None
    document.InstanceNumber = number_after_rejections(request)
    document.RTPlanLabel = plain(f"{dose.nuclide} given")[:_SHORT_STRING]
    document.RTPlanDate = document.RTPlanTime = None
    document.RTPlanGeometry = "TREATMENT_DEVICE"
    document.RTPlanDescription = plain(f"stands for a radionuclide administration; {dose_parameters(dose)}")[
        :_SHORT_TEXT
    ]
    document.ApprovalStatus = "UNAPPROVED"
    finish_document(KIND, document)
    return document
