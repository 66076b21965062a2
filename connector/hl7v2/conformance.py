"""What the HL7 v2 door takes and answers, read from the tables that it works by."""

from typing import Any

from connector.hl7v2.intake import KINDS
from connector.hl7v2.listen import LARGEST_BLOCK_BYTES, SECONDS_FOR_A_BLOCK
from connector.hl7v2.message import CHARSETS, CONDITIONS
from connector.hl7v2.results import STATUS


def statement() -> dict[str, Any]:
    """Everything the text tells that is a value, by part."""
    return {
        "kinds": [{"message": "^".join(kind), "what": what} for kind, what in KINDS.items()],
        "charsets": ", ".join(CHARSETS),
        "statuses": [{"code": code, "status": status} for code, status in STATUS.items()],
        "conditions": [{"code": code, "meaning": meaning} for code, meaning in CONDITIONS.items()],
        "largest_mib": LARGEST_BLOCK_BYTES // 2**20,
        "block_seconds": int(SECONDS_FOR_A_BLOCK),
    }
