"""Codes read and written, typed by system; a mistyped SNOMED CT or LOINC code fails on import by its check digit."""

from dataclasses import dataclass

_VERHOEFF_PRODUCT = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_VERHOEFF_PERMUTATION = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip


def is_snomed_ct(code: str) -> bool:
    """Check the Verhoeff digit of an SCTID (SNOMED CT Release File Specification, Check-digit)."""
    if not code.isdecimal():
        return False
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = _VERHOEFF_PRODUCT[check][_VERHOEFF_PERMUTATION[place % 8][int(digit)]]
    return check == 0


def is_loinc(code: str) -> bool:
    """Check the mod 10 digit of a LOINC number (LOINC Users' Guide, appendix on check digits)."""
    number, _, check = code.partition("-")
    if not (number.isdecimal() and check.isdecimal() and len(check) == 1):
        return False
    doubled = str(int(number[::-1][::2][::-1]) * 2)
    total = sum(map(int, doubled)) + sum(map(int, number[::-1][1::2]))
    return (10 - total % 10) % 10 == int(check)


@dataclass(frozen=True, slots=True)
class Concept:
    """One coded concept. `scheme` is the DICOM designator (SCT, LN, DCM, UCUM, NCIt, 99...)."""

    code: str
    scheme: str
    meaning: str

    def __post_init__(self) -> None:
        if self.scheme == "SCT" and not is_snomed_ct(self.code):
            raise ValueError(f"{self.code} is not a SNOMED CT identifier: check the digits of {self.meaning!r}")
        if self.scheme == "LN" and not is_loinc(self.code):
            raise ValueError(f"{self.code} is not a LOINC number: check the digits of {self.meaning!r}")

    @property
    def system(self) -> str:
        """The FHIR system URL of the scheme."""
        return FHIR_SYSTEM_OF[self.scheme]


FHIR_SYSTEM_OF = {
    "SCT": "http://snomed.info/sct",
    "LN": "http://loinc.org",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UCUM": "http://unitsofmeasure.org",
    "NCIt": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    "UMLS": "http://www.nlm.nih.gov/research/umls",
}
