"""The decision path of one case as a picture a person can follow from top to bottom, in plain SVG."""

from html import escape

from connector.core.assessment import Selection

WIDTH, MARGIN, BOX_HEIGHT, GAP = 760, 24, 54, 26
# The classes let a page choose colours for dark and light; by itself the picture is as here.
FILL = {"yes": "#e3f1e3", "no": "#f3f3f3", "unknown": "#fdecc8", "outcome": "#dde8f6"}
EDGE = "#44515c"
MOST_LETTERS = 92


def svg(selection: Selection) -> str:
    """
    Draw the nodes in the order they were asked, each with its answer and source, and where they led.

    The same selection gives the same text.
    """
    boxes = [(f"{node.node}  {node.answer.upper()}", str(node.source), node.answer) for node in selection.pathway]
    first = [option.modality for option in selection.options if option.rank == 1]
    boxes.append((f"{selection.status}: {', '.join(first) or 'nothing preferred'}", _outcome(selection), "outcome"))
    height = 2 * MARGIN + len(boxes) * (BOX_HEIGHT + GAP) - GAP
    drawn = [_box(place, *box) for place, box in enumerate(boxes)]
    drawn += [_arrow(place) for place in range(1, len(boxes))]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" '
        f'font-family="sans-serif" role="img" aria-label="Decision path">\n'
        f'<rect class="ground" width="{WIDTH}" height="{height}" fill="white"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _outcome(selection: Selection) -> str:
    if selection.contradictions:
        return "contradict each other: " + ", ".join(selection.contradictions)
    needs = dict.fromkeys(name for option in selection.options for name in option.needs)
    if needs and selection.status == "cannot_decide":
        return "needs " + ", ".join(needs)
    return "a draft for the tumour board"


def _box(place: int, title: str, below: str, kind: str) -> str:
    top = _top(place)
    return (
        f'<rect class="{kind}" x="{MARGIN}" y="{top}" width="{WIDTH - 2 * MARGIN}" height="{BOX_HEIGHT}" rx="6" '
        f'fill="{FILL[kind]}" stroke="{EDGE}"/>\n'
        f'<text x="{MARGIN + 14}" y="{top + 22}" font-size="15">{_short(title)}</text>\n'
        f'<text x="{MARGIN + 14}" y="{top + 42}" font-size="12" fill="{EDGE}" class="source">{_short(below)}</text>'
    )


def _arrow(place: int) -> str:
    bottom = _top(place)
    middle = WIDTH // 2
    return (
        f'<path d="M{middle} {bottom - GAP} V{bottom - 7} M{middle - 5} {bottom - 9} L{middle} {bottom - 2} '
        f'L{middle + 5} {bottom - 9}" fill="none" stroke="{EDGE}" stroke-width="1.5"/>'
    )


def _top(place: int) -> int:
    return MARGIN + place * (BOX_HEIGHT + GAP)


def _short(text: str) -> str:
    return escape(text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…")
