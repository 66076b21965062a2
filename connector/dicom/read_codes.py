"""What the codes of other vendors mean to us: old SRT codes as SNOMED CT, organs, lesions, axes."""

import re
from typing import Any

from pydicom.dataset import Dataset
from pydicom.sr._concepts_dict import concepts
from pydicom.sr._snomed_dict import mapping

from connector.core.case import Code
from connector.terminology import Concept

# Designators of the code sets that SNOMED CT took over: SRT in DICOM until 2017, SNM3 before it, 99SDM in old products.
_SNOMED_RT = ("SRT", "SNM3", "99SDM")
_SCT_OF_SRT: dict[str, str] = mapping["SRT"]
_SCT: Any = concepts["SCT"]
_SCT_NAMES: dict[str, str] = {
    value: str(known[0]).casefold() for names in _SCT.values() for value, known in names.items()
}

LIVER = Concept("10200004", "SCT", "Liver")
# CID 7150 and CID 7151, and the older code of a primary neoplasm that many products still write.
ABNORMAL_STRUCTURE = Concept("49755003", "SCT", "Morphologically Abnormal Structure")
LESIONS = (
    Concept("108369006", "SCT", "Neoplasm"),
    Concept("86049000", "SCT", "Neoplasm, Primary"),
    Concept("372087000", "SCT", "Neoplasm, Primary"),
    Concept("14799000", "SCT", "Neoplasm, Secondary"),
    Concept("128462008", "SCT", "Metastasis"),
    Concept("52988006", "SCT", "Lesion"),
    Concept("4147007", "SCT", "Mass"),
    Concept("27925004", "SCT", "Nodule"),
)
_LESION_CODES = frozenset(concept.code for concept in LESIONS)

# Words in the meaning of a code, in the order in which they decide: a "hepatic lymph node" is a node.
_SITE_WORDS = (
    ("lymph_node", re.compile(r"lymph ?nodes?\b|\bnodal\b")),
    ("liver", re.compile(r"\bliver\b|\bhepat")),
    ("pleura", re.compile(r"\bpleura")),
    ("lung", re.compile(r"\blungs?\b|\bpulmonary\b")),
    ("adrenal", re.compile(r"\badrenal|\bsuprarenal")),
    ("thyroid_bed", re.compile(r"\bthyroid")),
    ("brain", re.compile(r"\bbrain\b|\bcereb")),
    (
        "bone",
        re.compile(
            r"\bbones?\b|\bvertebra|\bspin(e|al)\b|\bribs?\b|\bsternum\b|\bpelvis\b|\bsacrum\b|\bfemur\b|\bhumerus\b|"
            r"\bskull\b|\bcranium\b|\bili(um|ac bone)\b|\bischium\b|\bscapula\b|\bclavicle\b|\btibia\b|\bacetabulum\b"
        ),
    ),
)
_LESION_WORDS = re.compile(r"\bneoplasm|\bmetasta|\btumou?r|carcinoma|\bcancer\b|\blesion\b|\bnodule\b|\bmass\b")
_NOT_THE_ORGAN = re.compile(r"parathyroid|bone marrow|spinal (cord|canal)|minus|without|vessel|artery|vein")
_LOBE_WORDS = re.compile(r"\b(left|right)\b.*\blobe\b|\b(left|right) (hemi-?)?liver\b")

# Names of hand-drawn structures, as a last resort where no code is given.
_LESION_NAMES = re.compile(r"\b(gtv|lesions?|tumou?rs?|mets?|metastas[ie]s|neoplasms?|nodules?|hcc)(?![a-z]| bed\b)")

# What is left of an organ without its lesions, and what planning systems draw around a lesion or an organ: neither.
_NEITHER = re.compile(r"\b(normal|healthy|minus|without|ptv|ctv|itv|prv|margin|ring|rind|expan(ded|sion))\b")
# A hyphen takes away, as planning systems name it: Liver-GTV is the liver without its tumours.
_LESS_TUMOUR = re.compile(r"\b(liver|lungs?)( ?- ?|_-_)(gtv|ctv|ptv)")
_A_PART_ONLY = re.compile(r"\b(lobe|segment|cysts?|pv|hv|dome|opti?|eval|\d+ ?(mm|cm))\b")


# What ablation must keep away from or is cooled by, in the order in which they decide.
_STRUCTURE_WORDS = (
    ("bile duct", re.compile(r"\bbile ducts?\b|\bbiliary (tract|tree|ducts?)\b|\bhepatic ducts?\b|\bcholedoch")),
    ("hilum", re.compile(r"\bporta hepatis\b|\b(hepatic|liver) hilum\b|\bhilum of (the )?liver\b")),
    ("large vessel", re.compile(r"\bportal veins?\b|\bhepatic veins?\b|\binferior vena cava\b|\bivc\b")),
)


def code_of(item: Dataset | None) -> Code | None:
    """Read a code sequence's item, an old SNOMED code as SNOMED CT; None when there is no code."""
    if item is None:
        return None
    value = next((str(item.get(key)) for key in ("CodeValue", "LongCodeValue", "URNCodeValue") if item.get(key)), "")
    scheme = str(item.get("CodingSchemeDesignator") or "")
    if not value.strip():
        return None
    if scheme in _SNOMED_RT and value in _SCT_OF_SRT:
        value, scheme = _SCT_OF_SRT[value], "SCT"
    return Code(value.strip(), scheme.strip(), str(item.get("CodeMeaning") or "").strip())


def first_code(dataset: Dataset, keyword: str) -> Code | None:
    """Read the first code of a code sequence; None when it is missing or empty."""
    items: Any = dataset.get(keyword)
    return code_of(items[0]) if items else None


def is_code(code: Code | None, concept: Concept) -> bool:
    """Whether a code is this concept; meanings are not compared."""
    return code is not None and (code.value, code.system) == (concept.code, concept.scheme)


def _standard_meaning(code: Code) -> str:
    """Name a SNOMED CT code as the DICOM standard does, else as the sender did."""
    if code.system == "SCT":
        name = _SCT_NAMES.get(code.value)
        if name is not None:
            return name
    return code.meaning.casefold()


def site_of_name(name: str) -> str:
    """Tell the organ that a text names; "other" when none of ours."""
    lowered = name.casefold().replace("_", " ")
    if _NOT_THE_ORGAN.search(lowered):
        return "other"
    return next((site for site, words in _SITE_WORDS if words.search(lowered)), "other")


def site_of(code: Code | None) -> str:
    """Tell the organ that an anatomic code names, by the standard's name of it; "other" when none of ours."""
    return "other" if code is None else site_of_name(_standard_meaning(code))


def structure_of(code: Code | None, name: str) -> str | None:
    """Tell whether a region is a bile duct, the liver's hilum or a large vessel: by its code, else by its name."""
    coded = None if code is None else structure_of_name(_standard_meaning(code))
    return coded or structure_of_name(name)


def structure_of_name(name: str) -> str | None:
    """Tell which structure that matters to ablation a text names; None when none of them."""
    lowered = name.casefold().replace("_", " ").replace("-", " ")
    return next((structure for structure, words in _STRUCTURE_WORDS if words.search(lowered)), None)


def lobe_of_site(code: Code | None) -> str | None:
    """Tell "left" or "right" when the code names a lobe of the liver."""
    if code is None or site_of(code) != "liver":
        return None
    match = _LOBE_WORDS.search(_standard_meaning(code))
    return (match[1] or match[2]) if match else None


def is_lesion(*, category: Code | None, kind: Code | None) -> bool:
    """
    Whether a segment or finding is a lesion: by its type (CID 7151), and by its category (CID 7150) only without type.

    Cysts, oedema, thrombi and the like are abnormal structures too, and no lesions to follow.
    """
    if kind is None:
        return is_code(category, ABNORMAL_STRUCTURE)
    coded = kind.system == "SCT" and kind.value in _LESION_CODES
    return coded or _LESION_WORDS.search(_standard_meaning(kind)) is not None


def kind_of(*, category: Code | None, kind: Code | None, name: str) -> str:
    """
    Tell what a region is: liver, lesion, lung or other, by its codes, and by its name only where codes say nothing.

    A lobe of the liver is "other": it must not be taken for the whole.
    """
    if is_lesion(category=category, kind=kind):
        return "lesion"
    if kind is not None:
        site = site_of(kind)
        if site in {"liver", "lung"}:
            whole = is_code(kind, LIVER) or site == "lung"
            return site if whole and lobe_of_site(kind) is None else "other"
        if site != "other":
            return "other"
    return kind_of_name(name)


def kind_of_name(name: str) -> str:
    """Tell what a structure's name says it is: liver, lesion, lung or other."""
    lowered = name.casefold().replace("_", " ").replace("-", " ")
    if _NEITHER.search(lowered) or _LESS_TUMOUR.search(name.casefold()):
        return "other"
    if _LESION_NAMES.search(lowered):
        return "lesion"
    if any(words.search(lowered) for words in (_LOBE_WORDS, _A_PART_ONLY)) or structure_of_name(lowered) is not None:
        return "other"
    site = site_of_name(lowered)
    return site if site in {"liver", "lung"} else "other"
