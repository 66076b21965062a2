"""Reads pathology and genomics Observations: TNM categories, morphology, and the RET and BRAF variants."""

import re
from collections.abc import Mapping, Sequence

from connector.fhir.read_observations import USED_STATUSES
from connector.fhir.record_notes import RecordNotes
from connector.fhir.resource import LOINC, SNOMED, Json, Key, codings, day, has_code, items, members, timing
from connector.terminology import Concept

# mCODE STU4, TNM category profiles: LOINC up to 8th edition, SNOMED CT from STU3 on.
_T: frozenset[Key] = frozenset({(LOINC, "21899-0"), (SNOMED, Concept("384625004", "SCT", "pT category").code)})
_N: frozenset[Key] = frozenset(
    {
        (LOINC, "21900-6"),
        (LOINC, "21906-3"),
        (SNOMED, Concept("371494008", "SCT", "pN category").code),
        (SNOMED, Concept("399534004", "SCT", "cN category").code),
    }
)
_M: frozenset[Key] = frozenset(
    {
        (LOINC, "21901-4"),
        (LOINC, "21907-1"),
        (SNOMED, Concept("371497001", "SCT", "pM category").code),
        (SNOMED, Concept("399387003", "SCT", "cM category").code),
    }
)
_VARIANT: frozenset[Key] = frozenset({(LOINC, "69548-6")})  # Genetic variant assessment
_GENE: frozenset[Key] = frozenset({(LOINC, "48018-6")})  # Gene studied
_AMINO_ACID_CHANGE: frozenset[Key] = frozenset({(LOINC, "48005-3")})
_PRESENT, _ABSENT = (LOINC, "LA9633-4"), (LOINC, "LA9634-2")
_RET, _BRAF = "HGNC:9967", "HGNC:1097"
_LETTERS = {
    "Ala": "A", "Arg": "R", "Asn": "N", "Asp": "D", "Cys": "C", "Gln": "Q", "Glu": "E", "Gly": "G", "His": "H",
    "Ile": "I", "Leu": "L", "Lys": "K", "Met": "M", "Phe": "F", "Pro": "P", "Ser": "S", "Thr": "T", "Trp": "W",
    "Tyr": "Y", "Val": "V",
}  # fmt: skip
_CHANGE = re.compile(r"p\.\(?([A-Z][a-z]{2})(\d+)([A-Z][a-z]{2})\)?$")
# A subcategory that the catalogue does not tell apart counts as its category (AJCC 8th edition, thyroid).
_T_WORDS: Mapping[str, str] = {
    "T1a": "pT1a", "T1b": "pT1b", "T2": "pT2", "T3": "pT3", "T3a": "pT3", "T3b": "pT3",
    "T4": "pT4", "T4a": "pT4", "T4b": "pT4",
}  # fmt: skip
_N_WORDS: Mapping[str, str] = {
    "cN0": "cN0", "pN0": "pN0", "pN0a": "pN0", "cN0b": "cN0", "N1": "N1", "N1a": "N1", "N1b": "N1",
}  # fmt: skip
_M_WORDS: Mapping[str, str] = {"cM0": "cM0", "M1": "M1"}


def read_pathology(observations: Sequence[Json], notes: RecordNotes) -> None:
    """Note TNM categories and the variants that the catalogue names."""
    for observation in observations:
        code = observation.get("code")
        staging = [(accepted, words, fact) for accepted, words, fact in _STAGING if has_code(code, accepted)]
        if not staging and not has_code(code, _VARIANT):
            continue
        if observation.get("status") not in USED_STATUSES:
            notes.skip(observation, f"status is {observation.get('status')!r}: only final results are used")
        elif staging:
            _note_category(observation, *staging[0][1:], notes)
        else:
            _note_variant(observation, notes)


_STAGING = ((_T, _T_WORDS, "pt_stage"), (_N, _N_WORDS, "n_stage"), (_M, _M_WORDS, "m_stage"))


READ_CODES = _T | _N | _M | _VARIANT


def _note_category(observation: Json, words: Mapping[str, str], fact: str, notes: RecordNotes) -> None:
    concept = items(observation, "valueCodeableConcept")
    spoken = {code for _, code in codings(concept)} | {str(concept.get("text", ""))}
    spoken |= {str(coding.get("display", "")) for coding in members(concept, "coding")}
    found = {category for text in spoken if (category := _category(text, words))}
    if len(found) == 1:
        notes.state(fact, found.pop(), [observation], day(timing(observation, "effective")))
    else:
        notes.skip(observation, f"{fact}: the category is not one of {', '.join(words)}")


def _category(text: str, words: Mapping[str, str]) -> str | None:
    """`pT3b`, `T3b`, `pT3b(m)` or `pT3b category (finding)` as a word of the catalogue."""
    first = re.split(r"[\s(]", text.strip(), maxsplit=1)[0]
    return words.get(first) or words.get(first.lstrip("ypcr"))


def _note_variant(observation: Json, notes: RecordNotes) -> None:
    parts = members(observation, "component")
    genes = {code for part in parts if has_code(part.get("code"), _GENE) for _, code in _value(part)}
    changes = [
        match
        for part in parts
        if has_code(part.get("code"), _AMINO_ACID_CHANGE)
        for _, code in _value(part)
        if (match := _CHANGE.match(code))
    ]
    found = set(codings(observation.get("valueCodeableConcept")))
    on = day(timing(observation, "effective"))
    if not genes & {_RET, _BRAF}:
        return
    if len(changes) != 1 or not found & {_PRESENT, _ABSENT}:
        notes.skip(observation, "variant: one amino acid change (p.Xxx0Xxx), and present or absent, are needed")
        return
    before, position, after = changes[0].groups()
    change = f"{_LETTERS.get(before, '?')}{position}{_LETTERS.get(after, '?')}"
    if _RET in genes and _PRESENT in found:
        notes.state("ret_mutation", change, [observation], on)
    if _BRAF in genes and change == "V600E":
        notes.state("braf_v600e", _PRESENT in found, [observation], on)


def _value(part: Json) -> list[Key]:
    return list(codings(part.get("valueCodeableConcept")))
