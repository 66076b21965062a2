"""Adverse events after locoregional treatment: laboratory grades by CTCAE 5, and the two syndromes to think of."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from connector.core.evidence import Citation
from connector.core.sources import ANBARI_2023, ZHANG_2025

CTCAE_5 = Citation("NCI CTCAE version 5.0 (2017)", "Investigations; Blood; Metabolism and nutrition")


class Analyte(StrEnum):
    """What the laboratory measured; the unit of those that are graded against a fixed limit stands in the name."""

    AST = "ast"
    ALT = "alt"
    ALP = "alp"
    GGT = "ggt"
    BILIRUBIN = "bilirubin"
    INR = "inr"
    CREATININE = "creatinine"
    ALBUMIN_G_L = "albumin_g_l"
    PLATELETS_1E9_L = "platelets_1e9_l"
    NEUTROPHILS_1E9_L = "neutrophils_1e9_l"
    HAEMOGLOBIN_G_L = "haemoglobin_g_l"

    @property
    def in_words(self) -> str:
        """As a person says it: ALT, INR, albumin."""
        name = self.value.removesuffix("_g_l").removesuffix("_1e9_l").replace("_", " ")
        return name.upper() if len(name) == 3 else name  # noqa: PLR2004 - the enzymes and the INR are initials


@dataclass(frozen=True, slots=True)
class LabValue:
    """
    A value with what it is graded against, all in one unit; None means not known.

    `baseline` is the value before treatment. `anticoagulated` matters to INR only.
    """

    analyte: Analyte
    value: Decimal
    lower_normal: Decimal | None = None
    upper_normal: Decimal | None = None
    baseline: Decimal | None = None
    anticoagulated: bool | None = None


@dataclass(frozen=True, slots=True)
class Grade:
    """A CTCAE grade, 0 for none, None when something is needed first; laboratory values alone are never grade 5."""

    term: str
    grade: int | None
    notes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Rising:
    """Graded in multiples of normal, or of baseline when that was abnormal: above these are grades 2, 3 and 4."""

    term: str
    multiples: tuple[Decimal, Decimal, Decimal]
    # Grade 1 on an abnormal baseline begins at this multiple of it; CTCAE counts the limit in, except at 1.0.
    abnormal_from: Decimal

    def on_abnormal(self, baseline: Decimal, value: Decimal) -> int:
        first = self.abnormal_from * baseline
        begun = value > first or (value == first and self.abnormal_from > 1)
        return int(begun) + _above(value, tuple(multiple * baseline for multiple in self.multiples))


_TRANSAMINASE = (Decimal(3), Decimal(5), Decimal(20))
_CHOLESTASIS = (Decimal("2.5"), Decimal(5), Decimal(20))
_RISING = {
    Analyte.AST: _Rising("Aspartate aminotransferase increased", _TRANSAMINASE, Decimal("1.5")),
    Analyte.ALT: _Rising("Alanine aminotransferase increased", _TRANSAMINASE, Decimal("1.5")),
    Analyte.ALP: _Rising("Alkaline phosphatase increased", _CHOLESTASIS, Decimal(2)),
    Analyte.GGT: _Rising("GGT increased", _CHOLESTASIS, Decimal(2)),
    Analyte.BILIRUBIN: _Rising("Blood bilirubin increased", (Decimal("1.5"), Decimal(3), Decimal(10)), Decimal(1)),
}
# Below the lower limit of normal is grade 1, below these are grades 2, 3 and (where CTCAE grades it by value) 4.
_FALLING = {
    Analyte.ALBUMIN_G_L: ("Hypoalbuminemia", (Decimal(30), Decimal(20))),
    Analyte.PLATELETS_1E9_L: ("Platelet count decreased", (Decimal(75), Decimal(50), Decimal(25))),
    Analyte.NEUTROPHILS_1E9_L: ("Neutrophil count decreased", (Decimal("1.5"), Decimal(1), Decimal("0.5"))),
    Analyte.HAEMOGLOBIN_G_L: ("Anemia", (Decimal(100), Decimal(80))),
}
_INR_TERM = "INR increased"
_INR_FROM = Decimal("1.2")
_INR_LIMITS = (Decimal("1.5"), Decimal("2.5"))  # grades 2 and 3; there is no grade 4
_CREATININE_TERM = "Creatinine increased"
_CREATININE_OF_NORMAL = (Decimal("1.5"), Decimal(3), Decimal(6))
_CREATININE_OF_BASELINE = (Decimal("1.5"), Decimal(3))


def grade(lab: LabValue) -> Grade:
    """
    Grade one laboratory value.

    Limits belong to the lower grade, as CTCAE writes them (">3.0 - 5.0 x ULN"). Without a baseline the value is graded
    as if that had been normal, and the note says so. Source: CTCAE_5.
    """
    if lab.analyte in _FALLING:
        term, limits = _FALLING[lab.analyte]
        return _falling(lab, term, limits)
    if lab.analyte is Analyte.INR:
        return _inr(lab)
    if lab.upper_normal is None:
        term = _RISING[lab.analyte].term if lab.analyte in _RISING else _CREATININE_TERM
        return Grade(term, None, needs=(f"the upper limit of normal of {lab.analyte.in_words}",))
    if lab.analyte is Analyte.CREATININE:
        return _creatinine(lab, lab.upper_normal)
    return _rising(lab, _RISING[lab.analyte], lab.upper_normal)


def _above(value: Decimal, limits: tuple[Decimal, ...]) -> int:
    return sum(value > limit for limit in limits)


_NO_BASELINE = ("no value before treatment: graded as if it had been normal",)


def _rising(lab: LabValue, rule: _Rising, upper_normal: Decimal) -> Grade:
    if lab.baseline is not None and lab.baseline > upper_normal:
        return Grade(rule.term, rule.on_abnormal(lab.baseline, lab.value), ("graded against an abnormal baseline",))
    limits = (upper_normal, *(multiple * upper_normal for multiple in rule.multiples))
    return Grade(rule.term, _above(lab.value, limits), _NO_BASELINE if lab.baseline is None else ())


def _falling(lab: LabValue, term: str, limits: tuple[Decimal, ...]) -> Grade:
    below = sum(lab.value < limit for limit in limits)
    if below:
        return Grade(term, 1 + below)
    if lab.lower_normal is None:
        return Grade(term, None, needs=(f"the lower limit of normal of {lab.analyte.in_words}",))
    return Grade(term, int(lab.value < lab.lower_normal))


def _inr(lab: LabValue) -> Grade:
    if lab.anticoagulated:
        if lab.baseline is None:
            return Grade(_INR_TERM, None, needs=("the INR before treatment, because the patient is anticoagulated",))
        limits = (lab.baseline, *(multiple * lab.baseline for multiple in _INR_LIMITS))
        return Grade(_INR_TERM, _above(lab.value, limits), ("graded against baseline, on anticoagulation",))
    notes = ("anticoagulation is not known: graded as without",) if lab.anticoagulated is None else ()
    return Grade(_INR_TERM, _above(lab.value, (_INR_FROM, *_INR_LIMITS)), notes)


def _creatinine(lab: LabValue, upper_normal: Decimal) -> Grade:
    limits = (upper_normal, *(multiple * upper_normal for multiple in _CREATININE_OF_NORMAL))
    of_normal = _above(lab.value, limits)
    if lab.baseline is None:
        return Grade(_CREATININE_TERM, of_normal, _NO_BASELINE)
    over = _above(lab.value, tuple(multiple * lab.baseline for multiple in _CREATININE_OF_BASELINE))
    return Grade(_CREATININE_TERM, max(of_normal, 1 + over if over else 0))


class Answer(StrEnum):
    """Yes, no, or not known; a "no" outweighs what is not known."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Whether a syndrome is to be thought of, why, and what is needed to tell."""

    answer: Answer
    because: tuple[str, ...]
    needs: tuple[str, ...]
    source: Citation


POST_EMBOLISATION = ZHANG_2025.at("Vascular techniques", "characterized by abdominal pain, fever, nausea, and vomiting")
FEVER_FROM_C = Decimal("38.0")  # CTCAE_5, fever, grade 1: from 38.0 degrees Celsius on
POST_EMBOLISATION_FEATURES = ("abdominal_pain", "fever", "nausea_or_vomiting")


def post_embolisation_syndrome(features: Mapping[str, bool | None]) -> Suspicion:
    """
    Tell whether abdominal pain, fever, and nausea or vomiting come together after an embolisation.

    It is a diagnosis of exclusion: infection, cholecystitis and abscess are for the physician to rule out. A feature
    that is left out is not known. Source: POST_EMBOLISATION; the source gives no limits of time or temperature.
    """
    return _together({name: features.get(name) for name in POST_EMBOLISATION_FEATURES}, POST_EMBOLISATION)


REILD = ANBARI_2023.at("Complications", "jaundice and massive ascites 2–4 months after treatment")  # noqa: RUF001 - as printed
REILD_FROM_WEEKS, REILD_TO_WEEKS = Decimal(8), Decimal(18)  # 2 to 4 months


@dataclass(frozen=True, slots=True)
class LiverAfterRadioembolisation:
    """What is known of the liver some weeks after radioembolisation; None means not known."""

    weeks: Decimal | None = None
    jaundice: bool | None = None
    massive_ascites: bool | None = None
    biliary_obstruction: bool | None = None
    liver_progression: bool | None = None


def radioembolisation_induced_liver_disease(liver: LiverAfterRadioembolisation) -> Suspicion:
    """
    Tell whether radioembolisation-induced liver disease is to be thought of, which can be fatal.

    Jaundice and massive ascites two to four months after treatment, without biliary obstruction and without tumour
    progression. Other authors count from two weeks on and with less ascites, so a "no" here rules nothing out.
    Source: REILD.
    """
    in_time = None if liver.weeks is None else REILD_FROM_WEEKS <= liver.weeks <= REILD_TO_WEEKS
    parts = {
        "2 to 4 months after treatment": in_time,
        "jaundice": liver.jaundice,
        "massive ascites": liver.massive_ascites,
        "no biliary obstruction": None if liver.biliary_obstruction is None else not liver.biliary_obstruction,
        "no tumour progression": None if liver.liver_progression is None else not liver.liver_progression,
    }
    return _together(parts, REILD)


def _together(parts: Mapping[str, bool | None], source: Citation) -> Suspicion:
    missing = tuple(name for name, holds in parts.items() if holds is None)
    against = tuple(f"not: {name}" for name, holds in parts.items() if holds is False)
    if against:
        return Suspicion(Answer.NO, against, (), source)
    present = tuple(name for name, holds in parts.items() if holds)
    return Suspicion(Answer.UNKNOWN if missing else Answer.YES, present, missing, source)
