"""Which organs a case is about, and the options that answer for each."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import groupby

from connector.core.assessment import Option
from connector.core.catalogue import FACTS
from connector.core.rules import Values
from connector.core.selection.registry import RULES
from connector.core.vocabulary import BONE_LOCOREGIONAL, LIVER_LOCOREGIONAL, LUNG_LOCOREGIONAL

LIVER_WORK_UP = (
    "tumour_volume_ml", "lung_shunt_fraction", "prescribed_activity_gbq", "activity_method", "predicted_lung_dose_gy",
    "extrahepatic_deposition_on_maa",
)  # fmt: skip
GENERAL_LIVER_FACTS = (
    "liver_insufficiency_severe", "liver_function_age_days", "liver_imaging_age_days", "liver_imaging_after_today",
    "liver_imaging_modality",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Site:
    """An organ with its own options; it is in question when one of its facts is given and its count is not zero."""

    name: str
    options: tuple[str, ...]
    facts: frozenset[str]
    count: str

    @property
    def own(self) -> tuple[str, ...]:
        """The options whose unknown facts leave the site open; where no organ is in question, radioiodine."""
        return self.options or ("RAI",)


def _named(prefix: str, *others: str) -> frozenset[str]:
    return frozenset(name for name in FACTS if name.startswith(prefix)).union(others)


LIVER = Site(
    "liver",
    (*LIVER_LOCOREGIONAL, "surgery"),
    _named("liver_", *LIVER_WORK_UP).difference(GENERAL_LIVER_FACTS, ("liver_symptoms",)),
    "liver_lesion_count",
)
LUNG = Site(
    "lung", LUNG_LOCOREGIONAL, _named("lung_").difference(("lung_mass_kg",), LIVER_WORK_UP), "lung_lesion_count"
)
BONE = Site("bone", BONE_LOCOREGIONAL, _named("bone_"), "bone_lesion_count")
WHOLE_BODY = Site("whole body", (), frozenset({"rai_avid", "rai_planned_activity_mci"}), "")
SITES = (LIVER, LUNG, BONE, WHOLE_BODY)
BOARD = "board_only"
SPEAK_OF_RADIOTHERAPY = frozenset(rule.id for rule in RULES if "EBRT" in rule.options)


def in_question(values: Values) -> tuple[Site, ...]:
    """
    The sites of a case, the leading one first.

    A case that names none is asked about the liver first, unless it says that the liver is free.
    """
    named = tuple(site for site in SITES if values.get(site.count) != 0 and not site.facts.isdisjoint(values))
    return named or ((WHOLE_BODY,) if values.get(LIVER.count) == 0 else (LIVER,))


def whole_body_options(values: Values, fired: Collection[str]) -> tuple[str, ...]:
    """
    Options that treat every site: systemic therapy always, radioiodine once the histology or an uptake is known.

    Radiotherapy from outside is shown when a rule speaks of it.
    """
    options = ["systemic_therapy"]
    if "histology" in values or not WHOLE_BODY.facts.isdisjoint(values):
        options.append("RAI")
    if not SPEAK_OF_RADIOTHERAPY.isdisjoint(fired):
        options.append("EBRT")
    return tuple(options)


def by_site(options: Sequence[Option]) -> tuple[tuple[str, tuple[Option, ...]], ...]:
    """
    Part the options of a selection where their ranks begin anew, each part under the name of its site.

    What treats the whole body is ranked with the leading site, whose name then says so. A part that is alone has no
    name: its ranks run through.
    """
    organs = [_site_of(option.modality) for option in options]
    leading = next((site for site in organs if site is not WHOLE_BODY), WHOLE_BODY)
    pairs = zip((leading if site is WHOLE_BODY else site for site in organs), options, strict=True)
    parts = [(site, tuple(option for _, option in part)) for site, part in groupby(pairs, key=lambda pair: pair[0])]
    if len(parts) <= 1:
        return (("", tuple(options)),)
    return tuple((_name(site, part), part) for site, part in parts)


def spoken(modality: str) -> str:
    """A treatment's code as a person would write it."""
    return "decision of the board alone" if modality == BOARD else modality.replace("_", " ")


def is_left_to_the_board(options: Sequence[Option]) -> bool:
    """Whether nothing is preferred but that the board decides."""
    return [one.modality for one in options if one.verdict == "preferred"] == [BOARD]


def preferred_in_words(options: Sequence[Option], spoken: Callable[[str], str] = spoken) -> str:
    """What is preferred; options of one site are alternatives, those of several sites go beside each other."""
    found = [
        (site, [spoken(one.modality) for one in own if one.verdict == "preferred"]) for site, own in by_site(options)
    ]
    return " and ".join(f"{' or '.join(names)}{f' ({site})' if site else ''}" for site, names in found if names)


def preferred_elsewhere(options: Sequence[Option]) -> str:
    """What is preferred at other sites than the leading one; nothing where one site is ranked alone."""
    _, *others = by_site(options)
    return preferred_in_words(options) if any(one.verdict == "preferred" for _, own in others for one in own) else ""


def first_in_words(modalities: Sequence[str]) -> str:
    """
    What comes first, in the order of a selection: alternatives of one site, and what goes beside them at another.

    What treats the whole body stands behind its own site's options in a tie: a site after it is another one. That the
    board decides is told only where nothing else comes first.
    """
    sites: list[list[str]] = []
    last: Site | None = None
    for modality in [one for one in modalities if one != BOARD] or modalities:
        site = _site_of(modality)
        if last is None or site not in {last, WHOLE_BODY}:
            sites.append([])
        sites[-1].append(spoken(modality))
        last = last if last is not None and site is WHOLE_BODY else site
    return " and ".join(" or ".join(names) for names in sites)


def _site_of(modality: str) -> Site:
    return next((site for site in SITES if modality in site.options), WHOLE_BODY)


def _name(site: Site, options: Collection[Option]) -> str:
    beyond = any(_site_of(option.modality) is WHOLE_BODY and option.modality != BOARD for option in options)
    return f"{site.name} and {WHOLE_BODY.name}" if beyond else site.name
