"""Turns the results of an ORU^R01 into FHIR Observations: codes, numbers with UCUM units, limits, status, times."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import hl7

from connector.core.case import Identifier
from connector.hl7v2.message import BadMessage, Place, Segments, text
from connector.hl7v2.patient import identifiers_of
from connector.hl7v2.times import fhir_time
from connector.terminology import is_loinc

Json = dict[str, Any]

_LOINC = "http://loinc.org"
_UCUM = "http://unitsofmeasure.org"
_SYSTEMS = {"LN": _LOINC, "SCT": "http://snomed.info/sct", "SNM3": "http://snomed.info/sct"}
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_INTERPRETATIONS = frozenset({"H", "HH", "L", "LL", "N", "A", "AA", "POS", "NEG", "R", "S", "I"})
_NORMAL = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/referencerange-meaning", "code": "normal"}]}
# HL7 table 0085, observation result status. I: specimen in the laboratory; O, N: order detail, not asked: no result.
STATUS = {
    "F": "final", "U": "final", "C": "corrected", "P": "preliminary", "R": "preliminary", "S": "preliminary",
    "I": "registered", "D": "entered-in-error", "W": "entered-in-error", "X": "cancelled",
}  # fmt: skip
_NO_RESULT = frozenset({"O", "N"})
_NUMBER = r"[+-]?\d+(?:\.\d+)?"
_MEASURED = re.compile(rf"(?P<comparator><=|>=|<|>)?\s*(?P<number>{_NUMBER})")
_RANGE = re.compile(rf"(?P<low>{_NUMBER})\s*-\s*(?P<high>{_NUMBER})")


@dataclass(frozen=True, slots=True)
class Result:
    """One Observation without its patient, what names it for life, and when the laboratory last spoke of it."""

    observation: Json
    key: str
    spoken_at: str  # FHIR dateTime; a later word wins


@dataclass
class PatientResults:
    """The results about one patient of a message."""

    identifiers: Sequence[Identifier]
    results: list[Result] = field(default_factory=list)
    passed_over: int = 0  # results that nobody here reads


@dataclass(frozen=True, slots=True)
class ResultReading:
    """How results are read: which codes are kept, what local codes mean, whose authority is whose, which zone."""

    keeps: Callable[[Json], bool]
    local_codes: Mapping[str, str]  # code of the laboratory to LOINC
    issuers: Mapping[str, str]
    zone: ZoneInfo


def read_results(message: Segments, reading: ResultReading) -> list[PatientResults]:
    """
    The results of each patient in the message.

    A result whose code nobody reads is counted and passed over, faults and all; one that is read must be complete.
    Raises BadMessage with its place.
    """
    found: list[PatientResults] = []
    order: tuple[hl7.Segment, int] | None = None
    spoken_at = ""
    for name, number, segment in message:
        if name == "MSH":
            spoken_at = fhir_time(text(segment, 7), reading.zone) or ""
        elif name == "PID":
            found.append(PatientResults(identifiers_of(segment, number, reading.issuers)))
            order = None
        elif name == "OBR":
            order = segment, number
        elif name == "OBX":
            if not found:
                raise BadMessage(100, "OBX comes before any PID: whose result is it?", Place("OBX", number))
            if order is None:
                raise BadMessage(100, "OBX comes before its OBR", Place("OBX", number))
            _add(found[-1], _Line(segment, number, order[0], order[1], message, reading), spoken_at)
    if not found:
        raise BadMessage(100, "the message has no PID: whose results are they?", Place("PID"))
    return found


def _add(results: PatientResults, line: "_Line", spoken_at: str) -> None:
    code = line.code()
    if text(line.obx, 11).upper() in _NO_RESULT or not line.reading.keeps({"code": code}):
        results.passed_over += 1
        return
    spoken = fhir_time(text(line.obr, 22), line.reading.zone) or spoken_at
    results.results.append(Result(line.observation(code), line.key(code), spoken))


@dataclass(frozen=True, slots=True)
class _Line:
    """One OBX with the OBR that it belongs to."""

    obx: hl7.Segment
    number: int
    obr: hl7.Segment
    order_number: int
    message: Segments
    reading: ResultReading

    def code(self) -> Json:
        """OBX-3 as a CodeableConcept; a local code that is mapped brings its LOINC along."""
        codings: list[Json] = []
        for first in (1, 4):
            code, display, system = (text(self.obx, 3, first + part) for part in range(3))
            if not code:
                continue
            stated = {"system": _SYSTEMS.get(system.upper()), "code": code, "display": display}
            codings.append({name: value for name, value in stated.items() if value})
            mapped = self.reading.local_codes.get(code)
            if mapped and system.upper() != "LN":
                codings.insert(0, {"system": _LOINC, "code": mapped})
        return {"coding": codings, **({"text": text(self.obx, 3, 2)} if text(self.obx, 3, 2) else {})}

    def key(self, code: Json) -> str:
        """The order (OBR-3, else OBR-2), the code and the sub-id: what a correction has in common with its original."""
        order = [text(self.obr, 3, part) for part in (1, 2)]
        order = order if order[0] else [text(self.obr, 2, part) for part in (1, 2)]
        if not order[0]:
            raise BadMessage(101, "OBR has neither OBR-2 nor OBR-3: a correction could not be told from a new result",
                             Place("OBR", self.order_number, 3))  # fmt: skip
        parts = [*self.message.header.sending, *order, str(code["coding"][0]["code"]), text(self.obx, 4)]
        return sha256("\x1f".join(parts).encode()).hexdigest()[:40]

    def observation(self, code: Json) -> Json:
        """The Observation without id and patient."""
        status = STATUS.get(text(self.obx, 11).upper())
        if status is None:
            raise BadMessage(103, "OBX-11 is no result status of table 0085", Place("OBX", self.number, 11))
        effective = self._time(self.obx, 14, "OBX", self.number) or self._time(self.obr, 7, "OBR", self.order_number)
        if effective is None:
            raise BadMessage(
                101, "neither OBX-14 nor OBR-7 says when it was observed", Place("OBR", self.order_number, 7)
            )
        return {
            "resourceType": "Observation",
            "status": status,
            "code": code,
            "effectiveDateTime": effective,
            **self._issued(),
            **(self._value() if status not in ("cancelled", "entered-in-error", "registered") else {}),
            **self._interpretation(),
        }

    def _time(self, segment: hl7.Segment, place: int, name: str, number: int) -> str | None:
        written = text(segment, place)
        if not written:
            return None
        found = fhir_time(written, self.reading.zone)
        if found is None:
            raise BadMessage(102, f"{name}-{place} is no time", Place(name, number, place))
        return found

    def _issued(self) -> Json:
        issued = fhir_time(text(self.obr, 22), self.reading.zone)
        return {"issued": issued} if issued and "T" in issued else {}

    def _value(self) -> Json:
        form = text(self.obx, 2).upper()
        if form in ("NM", "SN"):
            return self._quantity(form)
        if form in ("CE", "CWE", "CNE"):
            code, display, system = (text(self.obx, 5, part) for part in (1, 2, 3))
            coding = {"system": _SYSTEMS.get(system.upper()), "code": code, "display": display}
            return {"valueCodeableConcept": {"coding": [{name: value for name, value in coding.items() if value}],
                                             **({"text": display} if display else {})}}  # fmt: skip
        if form in ("ST", "TX", "FT", "IS", "ID"):
            written = text(self.obx, 5)
            if _MEASURED.fullmatch(written):
                return self._quantity("NM")  # laboratories send "<0.5" as a text
            return {"valueString": written} if written else {}
        if not form:
            raise BadMessage(101, "OBX-2 does not say the type of the value", Place("OBX", self.number, 2))
        raise BadMessage(103, "OBX-2 is no type of value that is read here", Place("OBX", self.number, 2))

    def _quantity(self, form: str) -> Json:
        if form == "SN":
            comparator, written = text(self.obx, 5, 1), text(self.obx, 5, 2)
            if text(self.obx, 5, 3) or text(self.obx, 5, 4):
                raise BadMessage(102, "OBX-5 is a ratio or a range: one number is needed", Place("OBX", self.number, 5))
            written = f"{'' if comparator == '=' else comparator}{written}"
        else:
            written = text(self.obx, 5)
        found = _MEASURED.fullmatch(written)
        if found is None:
            raise BadMessage(102, "OBX-5 is no number", Place("OBX", self.number, 5))
        quantity = {"value": _decimal(found["number"]), **self._unit()}
        if found["comparator"]:
            quantity["comparator"] = found["comparator"]
        return {"valueQuantity": quantity, **self._range()}

    def _unit(self) -> Json:
        """OBX-6: a UCUM code where the sender says so, else the unit as printed, for the table of spellings."""
        code, display, system = (text(self.obx, 6, part) for part in (1, 2, 3))
        if not code:
            return {}
        if system.upper() == "UCUM":
            return {"unit": display or code, "system": _UCUM, "code": code} if not display or display == code else {
                "unit": code, "system": _UCUM, "code": code}  # fmt: skip
        return {"unit": code}

    def _range(self) -> Json:
        written = text(self.obx, 7)
        both, bound = _RANGE.fullmatch(written), _MEASURED.fullmatch(written)
        limits: Json = {}
        if both:
            limits = {name: {"value": _decimal(both[name]), **self._unit()} for name in ("low", "high")}
        elif bound and bound["comparator"]:
            name = "high" if bound["comparator"] in ("<", "<=") else "low"
            limits = {name: {"value": _decimal(bound["number"]), **self._unit()}}
        return {"referenceRange": [{**limits, "type": _NORMAL, "text": written}]} if limits else {}

    def _interpretation(self) -> Json:
        flag = text(self.obx, 8).upper()
        if flag not in _INTERPRETATIONS:
            return {}
        return {"interpretation": [{"coding": [{"system": _INTERPRETATION, "code": flag}]}]}


def _decimal(written: str) -> Decimal:
    try:
        return Decimal(written)
    except InvalidOperation:  # the pattern lets only decimals through
        raise BadMessage(102, "a number cannot be read") from None


def parse_local_codes(pairs: str) -> dict[str, str]:
    """`CODE=LOINC` pairs with commas. Raises ValueError, which names the pair."""
    found = {}
    for pair in filter(None, (part.strip() for part in pairs.split(","))):
        local, equals, loinc = (part.strip() for part in pair.partition("="))
        if not (local and equals and is_loinc(loinc)):
            raise ValueError(f"{pair!r} is not CODE=LOINC with a right check digit: write e.g. BILI=1975-2")
        found[local] = loinc
    return found
