"""What an address may hold: an opaque id as it is, and anything else sealed, since a UID of DICOM names a patient."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import sha512

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

# A case's id, or as much of it as a page shows. Digits alone are sealed: they may be a patient's number in a hospital.
_OPAQUE = re.compile(r"(?=[0-9]*[a-f])[0-9a-f]{12,64}")
_MARK = "~"
_LONGEST = 1024


class Addresses:
    """
    Seals text for an address with a key that all processes of the service share.

    The same text gives the same address (RFC 5297), so that a page can be refreshed, kept and gone back to.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(sha512(b"connector.addresses" + key).digest())

    def seal(self, text: str) -> str:
        """What stands for a text in an address."""
        if not text or _OPAQUE.fullmatch(text):
            return text
        return _MARK + urlsafe_b64encode(self._cipher.encrypt(text.encode(), None)).decode().rstrip("=")

    def opened(self, place: str) -> str:
        """The text again; empty for what we did not seal."""
        if _OPAQUE.fullmatch(place):
            return place
        if not place.startswith(_MARK) or len(place) > _LONGEST:
            return ""
        try:
            sealed = urlsafe_b64decode(place.removeprefix(_MARK) + "===")
            return self._cipher.decrypt(sealed, None).decode()
        except (Error, InvalidTag, ValueError):
            return ""
