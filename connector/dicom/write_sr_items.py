"""The single items that a report's groups are made of: a number with its unit, a coded answer, a sentence."""

from decimal import Decimal

from highdicom.sr import (
    CodeContentItem,
    Measurement,
    QualitativeEvaluation,
    RelationshipTypeValues,
    TextContentItem,
)

from connector.dicom import codes
from connector.dicom.codes import coded
from connector.dicom.write_header import plain
from connector.terminology import Concept

_CONTAINS = RelationshipTypeValues.CONTAINS
# Finer than any reading: diameters come in hundredths of a millimetre, doses of 0.01 Gy are beyond every calibration.
_DECIMALS = {
    codes.MILLIMETRE: 3,
    codes.MILLILITRE: 3,
    codes.GRAY: 2,
    codes.PERCENT: 2,
    codes.SUV_BODY_WEIGHT: 3,
    codes.GRAM: 3,
}


def number(
    concept: Concept, value: Decimal | float, unit: Concept, *, derivation: Concept | None = None
) -> Measurement:
    """Make a measurement (TID 300); `derivation` says which number of a region it is, such as the maximum."""
    return Measurement(
        name=coded(concept),
        value=round(float(value), _DECIMALS[unit]),
        unit=coded(unit),
        derivation=None if derivation is None else coded(derivation),
    )


def answer(question: Concept, said: Concept) -> QualitativeEvaluation:
    """Make a coded answer to a coded question."""
    return QualitativeEvaluation(name=coded(question), value=coded(said))


def code_item(question: Concept, said: Concept) -> CodeContentItem:
    """Make the same as an item of its own, to be added to a group that is already made."""
    return CodeContentItem(name=coded(question), value=coded(said), relationship_type=_CONTAINS)


def text_item(concept: Concept, text: str) -> TextContentItem:
    """Make one sentence of the report, in ASCII signs."""
    return TextContentItem(name=coded(concept), value=plain(text), relationship_type=_CONTAINS)
