"""Who we are in DICOM, and how equal content always gets the equal UID."""

import uuid
from hashlib import sha256

from connector import __version__

OUR_MANUFACTURER = "irt-connector"
OUR_MODEL_NAME = "connector"
OUR_SERIES_NUMBERS = {"sr": 9701, "rtdose": 9702, "pdf": 9703, "rrdsr": 9704, "rtplan": 9705, "rejection": 9706}


def uid_from(*parts: str) -> str:
    """
    Make a UID that depends on the parts alone: the same parts give the same UID, on any machine, at any time.

    The parts are hashed with their lengths, so ("ab", "c") and ("a", "bc") differ. The first 128 bits of the SHA-256
    become a version 8 UUID (RFC 9562, section 5.8), written as `2.25.<decimal>` (DICOM PS3.5, section B.2).
    """
    digest = sha256()
    for part in parts:
        octets = part.encode("utf-8")
        digest.update(len(octets).to_bytes(8, "big"))
        digest.update(octets)
    bits = int.from_bytes(digest.digest()[:16], "big")
    bits = bits & ~(0xF << 76) | (0x8 << 76)  # the version field: 8, "custom"
    bits = bits & ~(0x3 << 62) | (0x2 << 62)  # the variant field
    return f"2.25.{uuid.UUID(int=bits).int}"


OUR_DEVICE_UID = uid_from("device", OUR_MANUFACTURER, OUR_MODEL_NAME)
IMPLEMENTATION_CLASS_UID = uid_from("implementation", OUR_MANUFACTURER)
IMPLEMENTATION_VERSION_NAME = f"IRTCONN_{__version__}"[:16]


def series_uid(kind: str, study_instance_uid: str) -> str:
    """Name the one series of our documents of a kind in a study."""
    return uid_from("series", OUR_MANUFACTURER, kind, study_instance_uid)
