"""Reads what an imaging order says: which study is meant, whether it is still wanted, and of whom it will be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connector.core.case import Identifier
from connector.hl7v2.message import BadMessage, Place, Segments, text
from connector.hl7v2.patient import identifiers_of

# HL7 table 0119, order control codes that end an order.
_ENDED = {"CA": "cancelled", "OC": "cancelled", "CR": "cancelled", "DC": "stopped", "OD": "stopped"}


@dataclass
class OrderContext:
    """One order of a patient; no free text and no name is kept."""

    identifiers: Sequence[Identifier]
    details: dict[str, Any] = field(default_factory=dict)


def read_orders(message: Segments, issuers: Mapping[str, str]) -> list[OrderContext]:
    """
    The orders of an ORM^O01 or OMI^O23.

    Accession and Study Instance UID come from IPC (OMI) or from ZDS-1 and OBR-18 (IHE's ORM). Raises BadMessage.
    """
    patient: Sequence[Identifier] | None = None
    orders: list[OrderContext] = []
    for name, number, segment in message:
        if name == "PID":
            patient = identifiers_of(segment, number, issuers)
        elif name == "ORC":
            if patient is None:
                raise BadMessage(100, "ORC comes before PID: whose order is it?", Place("ORC", number))
            control = text(segment, 1).upper()
            if not control:
                raise BadMessage(101, "ORC-1 does not say what is to be done", Place("ORC", number, 1))
            orders.append(OrderContext(patient, {"control": control, "state": _ENDED.get(control, "ordered")}))
            _note(orders[-1], placer=text(segment, 2), filler=text(segment, 3))
        elif name in ("OBR", "IPC", "ZDS"):
            if not orders:
                raise BadMessage(100, f"{name} comes before ORC", Place(name, number))
            _read(name, segment, orders[-1])
    if not orders:
        raise BadMessage(100, "the message has no ORC: what is ordered?", Place("ORC"))
    return orders


def _read(name: str, segment: Any, order: OrderContext) -> None:
    if name == "OBR":
        _note(
            order, procedure_code=text(segment, 4, 1), procedure_system=text(segment, 4, 3),
            accession=text(segment, 18), modality=text(segment, 24),
        )  # fmt: skip
    elif name == "IPC":
        _note(order, accession=text(segment, 1), study_instance_uid=text(segment, 3), modality=text(segment, 5))
    else:
        _note(order, study_instance_uid=text(segment, 1))


def _note(order: OrderContext, **values: str) -> None:
    order.details.update({name: value for name, value in values.items() if value})
