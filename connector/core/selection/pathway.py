"""The review's Figure 2, node by node: which liver option the algorithm leads to, and where it cannot be followed."""

from dataclasses import dataclass

from connector.core.assessment import PathNode
from connector.core.catalogue import Facts
from connector.core.evidence import Citation
from connector.core.rules import ALWAYS, Condition, Truth, Values
from connector.core.selection.registry import RULE
from connector.core.sources import ZHANG_2025

INDOLENT, GOOD = (
    ZHANG_2025.at("Criteria for patient selection", quote)
    for quote in ("Stable or indolent extrahepatic disease", "A good performance status")
)
HAS_LIVER_LESIONS = Facts.liver_lesion_count >= 1
EXTRAHEPATIC_PROGRESSES = Facts.extrahepatic_disease_status.is_("progressive")
UNILOBAR = Facts.liver_lobes_involved.is_("unilobar")
# Three lesions stand between "<3" of the figure and "usually <=3" of the text: limited (CON-F2-THREE).
LIMITED = (Facts.liver_lesion_count <= 3) & UNILOBAR
IN_THE_GAP = Facts.liver_lesion_count.is_(4) & UNILOBAR
DIFFUSE = (Facts.liver_lesion_count > 4) | Facts.liver_lobes_involved.is_("bilobar")
OPERABLE = Facts.surgical_candidate & Facts.resection_feasible
# The fact catalogue blocks the node of limited disease on either: one "no" does not stand for the other answer.
BOTH_ON_RECORD = (Facts.surgical_candidate | ~Facts.surgical_candidate) & (
    Facts.resection_feasible | ~Facts.resection_feasible
)
NEAR_DUCT = Facts.liver_lesion_near_bile_duct | Facts.liver_lesion_at_hilum
LIVER_AND_STATUS_KNOWN = (Facts.performance_status_class.is_("good") | Facts.performance_status_class.is_("poor")) & (
    Facts.liver_insufficiency_severe | ~Facts.liver_insufficiency_severe
)
GOOD_STATUS = Facts.performance_status_class.is_("good")
ANSWERS = {True: "yes", False: "no", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Path:
    """
    Where the algorithm leads.

    `targets` are the options of the last node (none when it ends without one); `undecided` are the absent facts that
    stop it. `nothing_else` says that no other option of the liver may take the first place: the algorithm has no branch
    for the case, or names one option alone for a patient too weak for the rest.
    """

    nodes: tuple[PathNode, ...]
    targets: frozenset[str] = frozenset()
    undecided: frozenset[str] = frozenset()
    nothing_else: bool = False


class _Walk:
    """Collects the nodes on the way, and what the first unknown one lacks."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.nodes: list[PathNode] = []
        self.undecided: frozenset[str] = frozenset()

    def asks(self, node: str, condition: Condition, source: Citation, on_record: Condition = ALWAYS) -> Truth:
        """Answer one node; it stays unknown until `on_record` holds."""
        condition = condition if on_record.truth(self.values) else on_record
        truth = condition.truth(self.values)
        self.nodes.append(PathNode(node, ANSWERS[truth], source))
        if truth is None:
            self.undecided = condition.undecided_by(self.values)
        return truth

    def ends(self, *targets: str, nothing_else: bool = False) -> Path:
        """The path as walked so far."""
        return Path(tuple(self.nodes), frozenset(targets), self.undecided, nothing_else)


def walk_figure_2(values: Values) -> Path:
    """Follow Figure 2 of ZHANG_2025 as far as the facts allow, with the readings of conflicts_liver."""
    walk = _Walk(values)
    if walk.asks("Liver metastases?", HAS_LIVER_LESIONS, _figure("F2-N0")) is not True:
        return walk.ends()
    progresses = walk.asks("Extrahepatic disease progressing?", EXTRAHEPATIC_PROGRESSES, INDOLENT)
    if progresses is not False:
        # CON-EXTRAHEP: what treats the liver alone is kept for symptoms, and leads in no such case.
        return walk.ends("systemic_therapy", nothing_else=True) if progresses else walk.ends()
    limited = walk.asks("Limited disease (up to 3 lesions, unilobar)?", LIMITED, _figure("F2-N1-LIMITED"))
    if limited:
        return _limited(walk)
    if limited is False and walk.asks("Four lesions in one lobe (no branch)?", IN_THE_GAP, _figure("F2-N1-FOUR")):
        return walk.ends(nothing_else=True)
    diffuse = walk.asks("Diffuse disease (more than 4 lesions or bilobar)?", DIFFUSE, _figure("F2-N1-DIFFUSE"))
    if diffuse:
        # The limited branch may still hang on the lobes when the count alone makes the disease diffuse.
        walk.undecided = frozenset()
        return _diffuse(walk)
    return walk.ends()


def ends_without_options(values: Values) -> tuple[Path | None, ...]:
    """
    How the figure may yet end, as far as it matters where every option of the liver is excluded.

    None stands for a liver without lesions, of which the figure has nothing to say.
    """
    progresses = EXTRAHEPATIC_PROGRESSES.truth(values)
    found: list[Path | None] = [None] if HAS_LIVER_LESIONS.truth(values) is None else []
    if progresses is not False:
        found.append(Path((), frozenset({"systemic_therapy"}), nothing_else=True))
    if progresses is not True:
        found += [Path(()), Path((), nothing_else=True)]
    return tuple(found)


def _limited(walk: _Walk) -> Path:
    declined = _declined(walk.values, "surgery")
    on_record = ALWAYS if declined else BOTH_ON_RECORD
    operable = walk.asks("Surgery feasible?", OPERABLE, _figure("F2-N2-SURG"), on_record)
    if operable and not declined:
        return walk.ends("surgery")
    if operable is None:
        return walk.ends()
    near = walk.asks("Near bile ducts or the hilum?", NEAR_DUCT, _figure("F2-N3-VASC"))
    if near is None:
        return walk.ends()
    if near:
        return walk.ends("TACE", "TARE")
    good = walk.asks("Good performance status?", GOOD_STATUS, GOOD)
    return walk.ends() if good is None else walk.ends("RFA", "MWA")


def _diffuse(walk: _Walk) -> Path:
    if not walk.asks("Liver function and performance status known?", LIVER_AND_STATUS_KNOWN, _figure("F2-N4-EVAL")):
        return walk.ends()
    if walk.asks("Good status, no severe liver insufficiency?", RULE["F2-N5-TACE"].when, _figure("F2-N5-TACE")):
        if Facts.tace_contraindicated.truth(walk.values):
            walk.asks("TACE contraindicated?", Facts.tace_contraindicated, RULE["TARE-IND-DIFFUSE"].cite)
            return walk.ends("TARE")
        return walk.ends("TACE")
    inside = walk.asks("Poor status, inside the limits of TARE?", RULE["F2-N5-TARE"].when, _figure("F2-N5-TARE"))
    # CON-TARE-POOR: outside its limits TARE is not preferred, and TACE is for good status.
    return walk.ends(*(["TARE"] if inside else []), nothing_else=True)


def _declined(values: Values, modality: str) -> bool:
    declined = values.get("patient_declined_modalities", frozenset())
    return isinstance(declined, frozenset) and modality in declined


def _figure(rule: str) -> Citation:
    return RULE[rule].cite
