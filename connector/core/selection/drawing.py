"""The decision path of one case as a picture a person can follow from top to bottom, in plain SVG."""

from html import escape

from connector.core.assessment import Selection
from connector.core.catalogue import in_words

WIDTH, MARGIN, BOX_HEIGHT, GAP = 760, 24, 58, 24
RAIL, PILL_WIDTH = 40, 84  # the numbers stand on the rail to the left, the answers in pills to the right
# The classes let a page choose colours for dark and light; by itself the picture is as here.
FILL = {"yes": "#d9efdc", "no": "#eceff1", "unknown": "#fde4ae", "outcome": "#0b4f7d"}
GROUND, INK, QUIET, EDGE = "#ffffff", "#1a1a1a", "#5b6670", "#b9c2ca"
OFFERED = frozenset({"possible", "relative_contraindication"})
STATUS = {
    "recommend": "Proposed",
    "cannot_decide": "Cannot decide",
    "excluded_all": "Every local treatment is excluded",
    "contradictory_data": "The facts contradict each other",
}
DRAFT = "draft for the tumour board"
MOST_LETTERS = 92


def svg(selection: Selection) -> str:
    """
    Draw the nodes in the order they were asked, each with its answer and source, and where they led.

    The same selection gives the same text.
    """
    nodes = selection.pathway
    height = 2 * MARGIN + (len(nodes) + 1) * (BOX_HEIGHT + GAP) - GAP
    centre = MARGIN + RAIL // 2 - 6
    start, end = (_top(place) + BOX_HEIGHT // 2 for place in (0, len(nodes)))
    drawn = [f'<path d="M{centre} {start} V{end}" stroke="{EDGE}" stroke-width="2"/>']
    drawn += [_node(place, node.node, node.answer, str(node.source)) for place, node in enumerate(nodes)]
    drawn.append(_outcome_box(len(nodes), _headline(selection), _beside(selection)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="DejaVu Sans, Helvetica, Arial, sans-serif" role="img" aria-label="Decision path">\n'
        f'<rect class="ground" width="{WIDTH}" height="{height}" fill="{GROUND}"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _headline(selection: Selection) -> str:
    first = [_named(option.modality) for option in selection.options if option.rank == 1]
    status = STATUS.get(selection.status, selection.status)
    return f"{status}: {' or '.join(first)}" if first else f"{status}; nothing is preferred"


def _beside(selection: Selection) -> str:
    """What a reader looks for next: what contradicts, what is needed, or what else is offered."""
    if selection.contradictions:
        return "contradict each other: " + ", ".join(map(in_words, selection.contradictions))
    if selection.status == "cannot_decide":
        needs = selection.blocking or tuple(dict.fromkeys(name for one in selection.options for name in one.needs))
        return "needs " + ", ".join(map(in_words, needs)) if needs else DRAFT
    others = [_named(option.modality) for option in selection.options if option.verdict in OFFERED]
    return f"{DRAFT}; also offered: {', '.join(others)}" if others else DRAFT


def _named(modality: str) -> str:
    return "decision of the board alone" if modality == "board_only" else modality.replace("_", " ")


def _node(place: int, question: str, answer: str, source: str) -> str:
    top, middle = _top(place), _top(place) + BOX_HEIGHT // 2
    left, pill = MARGIN + RAIL, WIDTH - MARGIN - PILL_WIDTH - 12
    centre = MARGIN + RAIL // 2 - 6
    return (
        f'<rect class="node" x="{left}" y="{top}" width="{WIDTH - MARGIN - left}" height="{BOX_HEIGHT}" rx="8" '
        f'fill="{GROUND}" stroke="{EDGE}"/>\n'
        f'<circle cx="{centre}" cy="{middle}" r="12" fill="{GROUND}" stroke="{EDGE}" stroke-width="2"/>\n'
        f'<text x="{centre}" y="{middle + 4}" font-size="12" text-anchor="middle" fill="{QUIET}">{place + 1}</text>\n'
        f'<text x="{left + 14}" y="{top + 25}" font-size="15" fill="{INK}">{_short(question)}</text>\n'
        f'<text x="{left + 14}" y="{top + 44}" font-size="11" fill="{QUIET}" class="source">{_short(source)}</text>\n'
        f'<rect class="{answer}" x="{pill}" y="{middle - 13}" width="{PILL_WIDTH}" height="26" rx="13" '
        f'fill="{FILL[answer]}"/>\n'
        f'<text x="{pill + PILL_WIDTH // 2}" y="{middle + 5}" font-size="13" font-weight="bold" text-anchor="middle" '
        f'fill="{INK}">{answer}</text>'
    )


def _outcome_box(place: int, title: str, below: str) -> str:
    top, title, below = _top(place), _short(title), _short(below)
    return (
        f'<rect class="outcome" x="{MARGIN}" y="{top}" width="{WIDTH - 2 * MARGIN}" height="{BOX_HEIGHT}" rx="8" '
        f'fill="{FILL["outcome"]}"/>\n'
        f'<text x="{MARGIN + 16}" y="{top + 25}" font-size="16" font-weight="bold" fill="{GROUND}">{title}</text>\n'
        f'<text x="{MARGIN + 16}" y="{top + 45}" font-size="12" fill="{GROUND}">{below}</text>'
    )


def _top(place: int) -> int:
    return MARGIN + place * (BOX_HEIGHT + GAP)


def _short(text: str) -> str:
    return escape(text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…")
