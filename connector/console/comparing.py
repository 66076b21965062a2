"""Whom the images and whom the record name, side by side: what agrees, what differs and what one side does not say."""

from dataclasses import dataclass

from connector.core.case import Identifier, PatientIdentity
from connector.core.matching import contradictions
from connector.report import words

_SAME, _ELSE, _DIFFERS, _UNKNOWN = "Same", "Same, written otherwise", "Differs", "Not known on one side"
_NUMBERS_DIFFER = "Not compared: the numbers differ"
_NONE = "not known"


@dataclass(frozen=True, slots=True)
class Compared:
    """One line: what the images say, what the record says, and how both agree, told by word and by sign."""

    name: str
    images: str
    record: str
    verdict: str
    differs: bool = False

    @property
    def sign(self) -> str:
        """For the eye, beside the word."""
        return "≠" if self.differs else "?" if self.verdict in (_UNKNOWN, _NUMBERS_DIFFER) else "="


def compare(images: PatientIdentity | None, record: PatientIdentity | None) -> list[Compared]:
    """Name, birth date, sex, number and issuer; `None` for a side that cannot be read."""
    nobody = PatientIdentity(())
    here, there = images or nobody, record or nobody
    contradicting = contradictions(here, there)
    sexes = [words.SEXES.get(side.sex or "", "") for side in (here, there)]
    days = [side.birth_date.isoformat() if side.birth_date else "" for side in (here, there)]
    return [
        _line("Family name", here.family_name, there.family_name, differs="family name" in contradicting),
        _line("Given names", here.given_name, there.given_name, differs="given name" in contradicting),
        _line("Birth date", *days, differs="birth date" in contradicting),
        _line("Sex", *sexes, differs="sex" in contradicting),
        *_numbers(here, there),
    ]


def _line(name: str, images: str | None, record: str | None, *, differs: bool) -> Compared:
    one, other = " ".join((images or "").split()), " ".join((record or "").split())
    verdict = _DIFFERS if differs else _UNKNOWN if not (one and other) else _SAME if one == other else _ELSE
    return Compared(name, one or _NONE, other or _NONE, verdict, differs)


def _numbers(images: PatientIdentity, record: PatientIdentity) -> list[Compared]:
    """The record's number that the images carry; where there is none, all it has."""
    carried = {one.value for one in images.identifiers}
    shared = [one for one in record.identifiers if one.value in carried]
    shown = shared or list(record.identifiers)
    differs = bool(carried and record.identifiers and not shared)
    number = _line("Patient ID", _values(images.identifiers), _values(shown), differs=differs)
    if shared:
        number = Compared(number.name, number.images, number.record, _SAME)
    return [number, _issuers(images.identifiers, shown)]


def _values(identifiers: tuple[Identifier, ...] | list[Identifier]) -> str:
    return ", ".join(dict.fromkeys(one.value for one in identifiers))


def _issuers(images: tuple[Identifier, ...], record: list[Identifier]) -> Compared:
    """An issuer reads differently on both sides; which belong together is a setting."""
    one, other = (", ".join(dict.fromkeys(each.system for each in side if each.system)) for side in (images, record))
    sent = one or ("none was sent" if images else _NONE)
    if not images or not record or (one and not other):
        verdict = _UNKNOWN
    elif one and one == other:
        verdict = _SAME
    elif not {each.value for each in images} & {each.value for each in record}:
        verdict = _NUMBERS_DIFFER
    else:
        verdict = "Held equal by the settings" if one else "Found by the number alone"
    return Compared("Issuer of the ID", sent, other or _NONE, verdict)
