"""What the DICOM side declares of itself, read from the registries that it works by."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from inspect import signature
from typing import Any

from pydicom.pixels import decoders
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    EncapsulatedPDFStorage,
    KeyObjectSelectionDocumentStorage,
    RadiopharmaceuticalRadiationDoseSRStorage,
    RTDoseStorage,
    RTPlanStorage,
)

from connector.dicom import codes, identity, receive_intake, workitems
from connector.dicom import receive_negotiation as negotiation
from connector.dicom.pacs_association import Pacs, Proposal
from connector.dicom.pacs_dimse import (
    PRIOR_SOP_CLASSES,
    PRIOR_SYNTAXES,
    STUDY_ROOT_FIND,
    STUDY_ROOT_GET,
    STUDY_ROOT_MOVE,
)
from connector.dicom.pacs_priors import PRIOR_MODALITIES
from connector.dicom.read_activity import ACTIVITY_CLASSES
from connector.dicom.read_segmentation import LABEL_MAP_SEGMENTATION
from connector.dicom.read_structures import STRUCTURE_SET
from connector.dicom.read_study import REPORTS, SEGMENTATIONS
from connector.dicom.receive import Listener
from connector.dicom.receive_commitment import NOT_AUTHORISED
from connector.dicom.receive_stow import stow_routes
from connector.dicom.receive_stow_answer import JSON, XML
from connector.dicom.receive_wire import MAXIMUM_PDU_BYTES
from connector.terminology import Concept

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """A kind of document that we make, and how it is built."""

    kind: str
    sop_class_uid: str
    modality: str
    built: str


WRITTEN = (
    Written(
        "sr",
        Comprehensive3DSRStorage,
        "SR",
        "TID 1500; lesions by TID 1411 when they refer to a segment, else TID 1501; COMPLETE, UNVERIFIED, PRELIMINARY",
    ),
    Written(
        "rtdose",
        RTDoseStorage,
        "RTDOSE",
        "Dose Summation Type PLAN_OVERVIEW, or PLAN by setting; RT DVH for regions of a structure set of the study; "
        "only when a dose map was computed",
    ),
    Written(
        "rtplan",
        RTPlanStorage,
        "RTPLAN",
        "label and UNAPPROVED, without fractions, beams and sources; only by setting, named by the RT Dose",
    ),
    Written(
        "rrdsr",
        RadiopharmaceuticalRadiationDoseSRStorage,
        "SR",
        "TID 10021 with one TID 10022; only when a PET or NM header tells agent, nuclide, activity and start",
    ),
    Written("pdf", EncapsulatedPDFStorage, "DOC", "the report that a person reads, where one is made"),
    Written(
        "rejection",
        KeyObjectSelectionDocumentStorage,
        "KO",
        "TID 2010, Rejected for Patient Safety Reasons: takes back the others when a person marks their study as a "
        "wrong patient's (IHE IOCM)",
    ),
)

# Every other storage SOP class is stored, and counts for the completeness of its study only.
READ = (
    (REPORTS, "lesions and their measurements, of any vendor"),
    (SEGMENTATIONS, "regions and lesions as masks"),
    ({STRUCTURE_SET}, "regions and lesions as contours"),
    (ACTIVITY_CLASSES, "activity for voxel dosimetry"),
)

# Younger than pydicom's dictionary.
_YOUNG_NAMES = {LABEL_MAP_SEGMENTATION: "Label Map Segmentation Storage"}
_STATUSES = (
    (receive_intake.STORED, "on disk and in the ledger, both flushed; also for an instance that is here already"),
    (receive_intake.OUT_OF_RESOURCES, "disk below its reserve, or ledger away: send again later"),
    (receive_intake.PROCESSING_FAILURE, "a fault of ours: send again later"),
    (receive_intake.DOES_NOT_MATCH_SOP_CLASS, "the data set is of another class or instance than announced"),
    (receive_intake.CANNOT_UNDERSTAND, "no readable data set: attributes that identify it are missing or malformed"),
    (receive_intake.OTHER_STUDY, "STOW-RS and C-GET only: of another study than was named"),
)
_REJECTIONS = (
    (negotiation.APPLICATION_CONTEXT_UNKNOWN, "another application context"),
    (negotiation.CALLING_AE_TITLE_UNKNOWN, "calling AE title not allowed"),
    (negotiation.CALLED_AE_TITLE_UNKNOWN, "called AE title is not ours"),
    (negotiation.PROTOCOL_VERSION_UNKNOWN, "another protocol version"),
    (negotiation.LIMIT_REACHED, "limit of associations reached: try again"),
)


_WORKITEM_STATUSES = (
    (workitems.MAY_NO_LONGER_BE_UPDATED, "the workitem is COMPLETED or CANCELED"),
    (workitems.WRONG_TRANSACTION, "another Transaction UID holds it"),
    (workitems.ALREADY_IN_PROGRESS, "claimed already, as a rule by us"),
    (workitems.ONLY_BY_CREATE, "SCHEDULED is no state to change to"),
    (workitems.NOT_READY_FOR_FINAL, "COMPLETED without what was performed"),
    (workitems.NO_SUCH_WORKITEM, "not known"),
    (workitems.NOT_SCHEDULED, "created in another state than SCHEDULED"),
    (workitems.NOT_IN_PROGRESS, "not yet claimed"),
    (workitems.CANCEL_OF_COMPLETED, "cancellation of what is COMPLETED"),
    (workitems.NOT_REACHED, "cancellation of what another performs"),
    (workitems.NOT_OFFERED, "subscription: no events are sent"),
)


def statement() -> Json:
    """Everything the statement tells that is a value, by part."""
    waits = {one.name: one.default for one in fields(Pacs)}
    return {
        "implementation": {
            "class_uid": identity.IMPLEMENTATION_CLASS_UID,
            "version_name": identity.IMPLEMENTATION_VERSION_NAME,
            "manufacturer": identity.OUR_MANUFACTURER,
            "model_name": identity.OUR_MODEL_NAME,
            "maximum_pdu_bytes": MAXIMUM_PDU_BYTES,
        },
        "acceptor": {
            "contexts": [
                {"sop_class": "every storage SOP class, private ones included", "uid": "",
                 "transfer_syntaxes": "every one; the first of a context is accepted", "role": "SCP"},
                _context(negotiation.VERIFICATION, "SCP"),
                _context(negotiation.STORAGE_COMMITMENT, "SCU: results of our own requests; SCP, when set"),
                _context(negotiation.MPPS, "SCP", negotiation.SERVICE_SYNTAXES),
                _context(negotiation.INSTANCE_AVAILABILITY, "SCP", negotiation.SERVICE_SYNTAXES),
                *(_context(uid, "SCP", negotiation.SERVICE_SYNTAXES) for uid in negotiation.UPS_CLASSES),
            ],
            "workitem_statuses": [{"status": f"{code:04X}", "when": when} for code, when in _WORKITEM_STATUSES],
            "idle_seconds": _default(Listener, "idle_seconds"),
            "handshake_seconds": _default(Listener, "handshake_seconds"),
            "statuses": [{"status": f"{code:04X}", "when": when} for code, when in _STATUSES],
            "rejections": [
                {"result_source_reason": ", ".join(map(str, numbers)), "when": when} for numbers, when in _REJECTIONS
            ],
            "commitment_status": f"{NOT_AUTHORISED:04X}",
        },
        "requestor": {
            "contexts": [
                *(_context(one.sop_class_uid, "SCU") for one in WRITTEN),
                _context(negotiation.VERIFICATION, "SCU"),
                _context(negotiation.STORAGE_COMMITMENT, "SCU, when it is asked for"),
            ],
            "priors": [
                _context(STUDY_ROOT_FIND, "SCU"),
                _context(STUDY_ROOT_GET, "SCU"),
                _context(STUDY_ROOT_MOVE, "SCU, where C-GET is refused"),
                *(_context(uid, "SCP, by role selection", PRIOR_SYNTAXES) for uid in PRIOR_SOP_CLASSES),
            ],
            "prior_modalities": sorted(PRIOR_MODALITIES),
            "connect_seconds": waits["connect_seconds"],
            "answer_seconds": waits["answer_seconds"],
        },
        "stow": {
            "answers": [JSON, XML],
            "largest_request_bytes": _default(stow_routes, "largest_request_bytes"),
            "largest_instance_bytes": _default(stow_routes, "largest_instance_bytes"),
            "maximum_uploads": _default(stow_routes, "maximum_uploads"),
        },
        "read": [
            {"sop_class": _name(uid), "uid": uid, "for": what} for uids, what in READ for uid in sorted(uids)
        ],
        "decoded": [{"transfer_syntax": _name(uid), "uid": uid} for uid in _decoded_syntaxes()],
        "written": [
            {"kind": one.kind, "sop_class": _name(one.sop_class_uid), "uid": one.sop_class_uid,
             "modality": one.modality, "series_number": identity.OUR_SERIES_NUMBERS[one.kind], "built": one.built}
            for one in WRITTEN
        ],
        "response_codes": [
            {"response": word, "code": one.code, "scheme": one.scheme, "meaning": one.meaning}
            for word, one in codes.OVERALL_RESPONSES.items()
        ],
        "private_codes": {
            "scheme": codes.OUR_SCHEME,
            "name": codes.OUR_SCHEME_NAME,
            "codes": [{"code": one.code, "meaning": one.meaning} for one in _private_codes()],
        },
    }  # fmt: skip


def _context(uid: str, role: str, syntaxes: Sequence[str] = tuple(Proposal("").transfer_syntaxes)) -> Json:
    names = ", ".join(_name(one) for one in syntaxes)
    return {"sop_class": _name(uid), "uid": uid, "transfer_syntaxes": names, "role": role}


def _name(uid: str) -> str:
    return _YOUNG_NAMES.get(uid) or str(UID(uid).name)


def _default(made: Callable[..., Any], parameter: str) -> Any:
    return signature(made).parameters[parameter].default


def _decoded_syntaxes() -> list[str]:
    """Transfer syntaxes that an installed decoder opens, in the order of their numbers."""
    known = [one for one in vars(decoders).values() if isinstance(one, Decoder)]
    found = (str(one.UID) for one in known if one.is_available)
    return sorted(found, key=lambda uid: [int(part) for part in uid.split(".")])


def _private_codes() -> list[Concept]:
    """Our private codes by code value, with the two families that a number completes."""
    found = {one for one in _concepts() if one.scheme == codes.OUR_SCHEME}
    families = {codes.dose_to_volume("x"), codes.volume_at_dose("x")}
    return sorted(found | families, key=lambda one: one.code)


def _concepts() -> Iterator[Concept]:
    for value in vars(codes).values():
        if isinstance(value, Concept):
            yield value
        elif isinstance(value, dict):
            yield from (each for each in value.values() if isinstance(each, Concept))
