"""Reads which numbers of a patient become one (ADT^A40): whose images and record a person must look at again."""

from collections.abc import Mapping, Sequence

from connector.core.case import Identifier
from connector.hl7v2.message import BadMessage, Place, Segments
from connector.hl7v2.patient import identifiers_of


def read_merges(message: Segments, issuers: Mapping[str, str]) -> Sequence[Identifier]:
    """
    Every number that stands after the merge (PID-3) or before it (MRG-1), in the words of images and record.

    Raises BadMessage when a pair is not whole: then nobody knows who became whom.
    """
    found: list[Identifier] = []
    awaits_prior = ""
    for name, number, segment in message:
        if name == "PID":
            if awaits_prior:
                raise BadMessage(100, "PID is followed by no MRG: which number is merged?", Place("PID", number - 1))
            found += identifiers_of(segment, number, issuers)
            awaits_prior = name
        elif name == "MRG":
            if not awaits_prior:
                raise BadMessage(100, "MRG comes before PID: into which number is it merged?", Place("MRG", number))
            found += identifiers_of(segment, number, issuers, name="MRG", field=1)
            awaits_prior = ""
    if awaits_prior or not found:
        raise BadMessage(100, "the message has no MRG: which number is merged?", Place("MRG"))
    return found
