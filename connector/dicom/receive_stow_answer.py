"""The Store Instances Response Module (PS3.18, table I.1-1) as DICOM JSON and as native DICOM XML."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

JSON = "application/dicom+json"
XML = "application/dicom+xml"

_NAMESPACE = "http://dicom.nema.org/PS3.19/models/NativeDICOM"
_KEYWORDS = {
    "00081150": "ReferencedSOPClassUID",
    "00081155": "ReferencedSOPInstanceUID",
    "00081190": "RetrieveURL",
    "00081197": "FailureReason",
    "00081198": "FailedSOPSequence",
    "00081199": "ReferencedSOPSequence",
    "0008119A": "OtherFailuresSequence",
}

_Attributes = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Stored:
    """An instance that is safe."""

    sop_class_uid: str
    sop_instance_uid: str


@dataclass(frozen=True, slots=True)
class Failed:
    """An instance that is not stored; its UIDs are empty when they could not be read."""

    sop_class_uid: str
    sop_instance_uid: str
    reason: int


def as_json(stored: Sequence[Stored], failed: Sequence[Failed]) -> bytes:
    """The answer in the DICOM JSON model, PS3.18 annex F."""
    return json.dumps(_attributes(stored, failed)).encode()


def as_xml(stored: Sequence[Stored], failed: Sequence[Failed]) -> bytes:
    """The answer in the native DICOM model, PS3.19 annex A.1."""
    root = ET.Element("NativeDicomModel", {"xmlns": _NAMESPACE})
    _add(root, _attributes(stored, failed))
    answer: bytes = ET.tostring(root, "utf-8", xml_declaration=True)
    return answer


def _attributes(stored: Sequence[Stored], failed: Sequence[Failed]) -> _Attributes:
    # We are no archive: there is nothing to retrieve, so the type 2 Retrieve URL is empty.
    attributes: _Attributes = {"00081190": {"vr": "UR"}}
    named = [_reference(one) | _reason(one) for one in failed if one.sop_instance_uid]
    nameless = [_reason(one) for one in failed if not one.sop_instance_uid]
    if named:
        attributes["00081198"] = {"vr": "SQ", "Value": named}
    if stored:
        attributes["00081199"] = {"vr": "SQ", "Value": [_reference(one) | {"00081190": {"vr": "UR"}} for one in stored]}
    if nameless:
        attributes["0008119A"] = {"vr": "SQ", "Value": nameless}
    return attributes


def _reference(one: Stored | Failed) -> _Attributes:
    return {
        "00081150": {"vr": "UI", "Value": [one.sop_class_uid]},
        "00081155": {"vr": "UI", "Value": [one.sop_instance_uid]},
    }


def _reason(one: Failed) -> _Attributes:
    return {"00081197": {"vr": "US", "Value": [one.reason]}}


def _add(parent: ET.Element, attributes: _Attributes) -> None:
    for tag, attribute in attributes.items():
        node = ET.SubElement(parent, "DicomAttribute", {"tag": tag, "vr": attribute["vr"], "keyword": _KEYWORDS[tag]})
        for number, value in enumerate(attribute.get("Value", []), start=1):
            if attribute["vr"] == "SQ":
                _add(ET.SubElement(node, "Item", {"number": str(number)}), value)
            else:
                ET.SubElement(node, "Value", {"number": str(number)}).text = str(value)
