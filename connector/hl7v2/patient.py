"""Reads who a message is about: PID-3 with its assigning authorities, in the words that images and record use."""

from collections.abc import Mapping, Sequence

import hl7

from connector.core.case import Identifier
from connector.hl7v2.message import BadMessage, Place, repetitions, text

_OWN_TYPES = ("", "MR", "PI", "PT")  # HL7 table 0203: numbers that a hospital gives its patients
_UNIVERSAL = {"ISO": "urn:oid:", "UUID": "urn:uuid:", "URI": ""}


def identifiers_of(
    segment: hl7.Segment, number: int, issuers: Mapping[str, str], *, name: str = "PID", field: int = 3
) -> Sequence[Identifier]:
    """
    The patient's identifiers by identifier system, of PID-3 or of another field of the same kind (CX).

    An assigning authority is known by its namespace, as an IssuerOfPatientID in `issuers`, or by its universal id. A
    number without authority counts as type MR, which matches images without issuer. Raises BadMessage without any.
    """
    found = []
    for repetition in range(1, repetitions(segment, field) + 1):
        value = text(segment, field, 1, repetition=repetition)
        if value:
            parts = [text(segment, field, 4, part, repetition=repetition) for part in (1, 2, 3)]
            found.append(_identifier(value, parts, text(segment, field, 5, repetition=repetition).upper(), issuers))
    if not found:
        raise BadMessage(101, f"{name}-{field} holds no patient identifier", Place(name, number, field))
    return found


def _identifier(value: str, authority: Sequence[str], kind: str, issuers: Mapping[str, str]) -> Identifier:
    namespace, universal, form = authority
    system = issuers.get(namespace)
    if system is None and universal and form.upper() in _UNIVERSAL:
        system = _UNIVERSAL[form.upper()] + universal
    if system is None and namespace in issuers.values():
        system = namespace
    if system is None and (namespace or universal):
        return Identifier(value, None, namespace or universal)  # of an authority that nobody here knows: matches none
    return Identifier(value, system, "MR" if kind in _OWN_TYPES else kind)
