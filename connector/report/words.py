"""How facts, treatments, verdicts and numbers are worded for a person, so that no name of the program is read aloud."""

import re
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal

from connector.core.assessment import Assessment
from connector.core.case import FactValue, PatientIdentity
from connector.core.catalogue import FACTS, UNITS, answer_in_words, in_words
from connector.core.fact_types import Choice

TREATMENTS = {
    "surgery": "Surgery",
    "RFA": "Radiofrequency ablation (RFA)",
    "MWA": "Microwave ablation (MWA)",
    "laser": "Laser ablation",
    "cryoablation": "Cryoablation",
    "PEI": "Percutaneous ethanol injection (PEI)",
    "TACE": "Transarterial chemoembolisation (TACE)",
    "TAE": "Transarterial embolisation (TAE)",
    "TARE": "Radioembolisation (TARE)",
    "ablation_plus_TACE": "Ablation and TACE combined",
    "systemic_therapy": "Systemic therapy",
    "RAI": "Radioiodine (RAI)",
    "EBRT": "External beam radiotherapy (EBRT)",
    "cementoplasty": "Cementoplasty",
    "osteosynthesis": "Osteosynthesis",
    "bone_embolisation": "Embolisation of bone lesions",
    "lung_RFA": "Radiofrequency ablation of lung lesions",
    "bone_ablation": "Ablation of bone lesions",
    "board_only": "Decision of the board alone",
}
VERDICTS = {
    "preferred": "preferred",
    "possible": "possible",
    "relative_contraindication": "relatively contraindicated",
    "excluded": "excluded",
    "cannot_decide": "cannot decide",
}
STATUS = {
    "recommend": "A treatment is proposed.",
    "cannot_decide": "Cannot decide: facts are missing.",
    "excluded_all": "Every locoregional treatment is excluded.",
    "contradictory_data": "Facts contradict each other; nothing is preferred.",
}
RESPONSES = {
    "CR": "complete response",
    "PR": "partial response",
    "SD": "stable disease",
    "NON-CR/NON-PD": "neither complete response nor progression",
    "PD": "progressive disease",
    "NE": "not evaluable",
    "NA": "not applicable",
}
ELSEWHERE = "in the structured report"
MARKS = (
    "(our reading, confirm) and (our grading, confirm): a limit, or how strongly it weighs, that the source does not"
    " state in so many words and that a clinician has to confirm."
)
POLICIES = {
    "confirm": "response must be confirmed",
    "confirm_days": "days to a confirmation, at least",
    "min_sd_days": "days of stable disease, at least",
    "max_ne": "visits not evaluable between the two of a confirmation, at most",
    "accept_sd": "stable disease between those two accepted",
    "continuing_response": "a response that goes on",
    "response_after_complete": "a lesion back after a complete response",
    "mrecist_5_mm": "mRECIST asks for 5 mm of growth",
    "equivocal_confirmed": "an equivocal new lesion is confirmed",
}
_MOST_CHOICES = 3
NO_VALUE = "–"  # noqa: RUF001 - an en dash, as tables have it
SEXES = {"M": "male", "F": "female", "O": "other"}
_UNITS = {"kg_l": "kg/L", "j_gbq": "J/GBq", "h": "h"} | UNITS


def treatment(modality: str) -> str:
    """The treatment behind a code of the contract; an unknown code stands for itself."""
    return TREATMENTS.get(modality, modality.replace("_", " "))


def fact_with_value(name: str, value: FactValue) -> str:
    """A fact or constant and its value with unit: `bilirubin_total_umol_l` is "bilirubin total: 11 µmol/L"."""
    if isinstance(value, bool):
        return f"{in_words(name)}: {'yes' if value else 'no'}"
    unit = next((unit for unit in _UNITS if name.endswith(f"_{unit}")), "")
    bare = in_words(name.removesuffix(f"_{unit}"))
    return f"{bare}: {_value(value)} {_UNITS.get(unit, '')}".rstrip()


def policy(name: str, value: str) -> str:
    """A choice that a protocol makes in judging response."""
    said = {"true": "yes", "false": "no"}.get(value, value.replace("_", " "))
    return f"{POLICIES.get(name, in_words(name))}: {said}"


def asked(name: str) -> str:
    """A fact that is asked for, with the answers to choose from where they are few."""
    fact = FACTS.get(name)
    choices = fact.words if isinstance(fact, Choice) and len(fact.words) <= _MOST_CHOICES else ()
    *first, last = map(_value, choices) if choices else ("",)
    return f"{in_words(name)} ({', '.join(first)} or {last})" if choices else in_words(name)


def _value(value: FactValue) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, (tuple, frozenset)):
        members = sorted(map(str, value)) if isinstance(value, frozenset) else map(str, value)
        return ", ".join(members).replace("_", " ") or "none"
    return answer_in_words(str(value))


def sentence(said: str) -> str:
    """With a capital at its beginning."""
    return f"{said[:1].upper()}{said[1:]}"


def full_name(identity: PatientIdentity) -> str:
    """Family name first, as hospitals file it."""
    parts = (" ".join((part or "").split()) for part in (identity.family_name, identity.given_name))
    return ", ".join(part for part in parts if part) or "not known"


def day(on: date | None) -> str:
    """A date that reads the same in every country."""
    return on.isoformat() if on else "not known"


def age_years(born: date, on: date) -> int:
    """Completed years; one born on 29 February is a year older on 1 March of a common year."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def flag(text: str) -> str:
    """A flag without the code before it that scripts go by."""
    code, colon, said = text.partition(": ")
    return said if colon and code.replace("_", "").isalnum() and code.islower() and " " not in code else text


def tenths(value: float | None) -> str:
    """A number with one decimal, for reading only."""
    return NO_VALUE if value is None else f"{value:.1f}"


def percent(text: str | None) -> str:
    """A change with its sign."""
    if text is None:
        return NO_VALUE
    value = Decimal(text)
    sign = "" if value == 0 else "+" if value > 0 else "−"  # noqa: RUF001 - a real minus sign
    return f"{sign}{abs(value)} %"


def listed(items: Iterable[str], most: int, rest: str, *, between: str = ", ") -> str:
    """Items in a row; of more than `most`, how many are left and where they stand."""
    every = list(items)
    if len(every) <= most:
        return between.join(every)
    return f"{between.join(every[:most])} and {len(every) - most} more ({rest})"


def cut(lines: Sequence[str], most: int, name: str) -> list[str]:
    """At most so many lines, and how many more there are."""
    more = len(lines) - most
    return [*lines[:most], *([left_out(more, name)] if more > 0 else [])]


def left_out(more: int, name: str, where: str = ELSEWHERE) -> str:
    """How many items a list has no room for, and where they stand; `name` is one of them."""
    return f"{more} more {name}{'s are' if more > 1 else ' is'} {where}."


def without_label(worth_knowing: str) -> str:
    """A sentence of the core on what is worth knowing, for a place that says so by its own label."""
    return worth_knowing.removeprefix("Worth knowing: ")


def facts_in_words(text: str) -> str:
    """A sentence with the names of facts as a person reads them."""
    return re.sub(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b", lambda found: _fact_in_words(found[0]), text)


def _fact_in_words(name: str) -> str:
    return in_words(name) if name in FACTS else name


def undecided(assessment: Assessment, part: str) -> str:
    """Why a part could not be judged, in the assessment's own words; empty when it gave none."""
    leads = tuple(f"{part} cannot be decided{lead}" for lead in (": ", " without "))
    needs = [need for need in assessment.needs if need.startswith(leads)]
    return "; ".join(need.removeprefix(leads[0]).removeprefix(leads[1]) for need in needs)
