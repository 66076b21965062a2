"""The picture of a decision path: what its answer says, and that every box stands by itself with what is its own."""

import json
import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from connector.contract.select import drawing_of, run_plain
from connector.core.assessment import Option, PathNode, Selection
from connector.core.evidence import Citation
from connector.core.selection.drawing import svg

PUBLISHED = Path(__file__).parents[1] / "published" / "vignettes.json"
FACTS = {case["id"]: case["facts"] for case in json.loads(PUBLISHED.read_text())["vignettes"]}
CASE = {"today": "2026-01-31", "facts": FACTS["VIG-001"]}
DRAFT = "draft for the tumour board"
SVG = "{http://www.w3.org/2000/svg}"


def parts(picture, tag, kinds=None):
    """The elements of a picture by tag and class; what is a number in the picture is one here."""
    return [
        {name: float(value) if value.isdigit() else value for name, value in one.attrib.items()} | {"text": one.text}
        for one in ET.fromstring(picture).iter(SVG + tag)  # noqa: S314 - our own text
        if kinds is None or one.get("class") in kinds
    ]


def right(box):
    return box["x"] + box["width"]


def bottom(box):
    return box["y"] + box["height"]


def middle(box):
    return box["y"] + box["height"] / 2


@pytest.fixture(scope="module")
def picture():
    return drawing_of(CASE)


def test_the_boxes_stand_one_below_the_other_inside_equal_margins(picture):
    (ground,) = parts(picture, "rect", {"ground"})
    (outcome,) = parts(picture, "rect", {"outcome"})
    nodes = parts(picture, "rect", {"node"})
    assert ET.fromstring(picture).get("viewBox") == f"0 0 {ground['width']:.0f} {ground['height']:.0f}"  # noqa: S314 - our own text
    margins = {outcome["x"], ground["width"] - right(outcome), nodes[0]["y"], ground["height"] - bottom(outcome)}
    assert len(margins) == 1
    assert 0 < margins.pop() < ground["width"] / 10
    assert {right(node) for node in nodes} == {right(outcome)}
    steps = {below["y"] - bottom(above) for above, below in pairwise([*nodes, outcome])}
    assert len(steps) == 1
    assert steps.pop() > 0, "two boxes never touch"


def test_a_node_has_its_number_to_the_left_its_question_over_its_source_and_its_answer_to_the_right(picture):
    (outcome,) = parts(picture, "rect", {"outcome"})
    nodes, circles, texts = parts(picture, "rect", {"node"}), parts(picture, "circle"), parts(picture, "text")
    pills = parts(picture, "rect", {"yes", "no", "unknown"})
    asked = run_plain(CASE)["pathway"]
    for place, (node, pill, circle) in enumerate(zip(nodes, pills, circles, strict=True)):
        number, question, source, answer = texts[4 * place : 4 * place + 4]
        assert (number["text"], answer["text"]) == (str(place + 1), asked[place]["answer"])
        assert pill["class"] == asked[place]["answer"]
        assert middle(pill) == circle["cy"] == middle(node)
        assert outcome["x"] < circle["cx"] - circle["r"]
        assert circle["cx"] + circle["r"] < node["x"]
        assert number["x"] == circle["cx"]
        assert node["x"] < question["x"] == source["x"] < pill["x"]
        assert node["y"] + question["font-size"] < question["y"] < source["y"] - source["font-size"]
        assert source["y"] < bottom(node)
        assert right(pill) < right(node)
        assert node["y"] < pill["y"]
        assert answer["x"] == pill["x"] + pill["width"] / 2
        for centred in (number, answer):
            assert middle(node) < centred["y"] < middle(node) + centred["font-size"] / 2, "letters about the middle"
    assert len(nodes) == len(asked)


def test_the_line_leads_from_the_first_question_into_the_answer_that_holds_its_words(picture):
    (outcome,), (rail,) = parts(picture, "rect", {"outcome"}), parts(picture, "path")
    first, (title, below) = parts(picture, "circle")[0], parts(picture, "text")[-2:]
    x, begin, end = (float(number) for number in re.fullmatch(r"M(\S+) (\S+) V(\S+)", rail["d"]).groups())
    assert (x, begin, end) == (first["cx"], first["cy"], middle(outcome))
    assert outcome["x"] < title["x"] == below["x"] < outcome["x"] + outcome["width"] / 10
    assert outcome["y"] + title["font-size"] < title["y"] < below["y"] - below["font-size"]
    assert below["y"] < bottom(outcome)


def option(modality, verdict, rank=None, needs=()):
    return Option(modality, verdict, rank, needs=needs)


@pytest.mark.parametrize(
    ("case", "title", "below"),
    [
        (Selection("recommend", (option("TARE", "preferred", 1), option("RFA", "possible", 2))),
         "Proposed: TARE", f"{DRAFT}; also offered: RFA"),
        (Selection("recommend", (option("TARE", "preferred", 1), option("lung_RFA", "relative_contraindication", 2))),
         "Proposed: TARE", f"{DRAFT}; also offered: lung RFA"),
        (Selection("recommend", (option("TARE", "preferred", 1), option("RFA", "excluded"))), "Proposed: TARE", DRAFT),
        (Selection("recommend", (option("RFA", "preferred", 1), option("MWA", "preferred", 1))),
         "Proposed: RFA or MWA", DRAFT),
        (Selection("cannot_decide", (option("RFA", "cannot_decide", needs=("histology", "ecog_ps")),
                                     option("MWA", "cannot_decide", needs=("histology",)))),
         "Cannot decide; nothing is preferred", "needs histology, ECOG performance status"),
        (Selection("cannot_decide", (option("RFA", "cannot_decide", needs=("histology",)),), blocking=("ecog_ps",)),
         "Cannot decide; nothing is preferred", "needs ECOG performance status"),
        (Selection("cannot_decide", ()), "Cannot decide; nothing is preferred", DRAFT),
        (Selection("contradictory_data", (), contradictions=("histology",)),
         "The facts contradict each other; nothing is preferred", "contradict each other: histology"),
        (Selection("excluded_all", (option("board_only", "preferred", 1),)),
         "Every local treatment is excluded: decision of the board alone", DRAFT),
    ],
)  # fmt: skip
def test_the_answer_says_what_is_preferred_and_what_a_reader_looks_for_next(case, title, below):
    assert [text["text"] for text in parts(svg(case), "text")] == [title, below]


@pytest.mark.parametrize(
    ("letters", "shown"), [(92, "x" * 92), (93, "x" * 91 + "…")], ids=["as many as fit", "one more"]
)
def test_what_is_longer_than_a_box_is_cut_and_says_so(letters, shown):
    asked = PathNode("x" * letters, "yes", Citation("Source", "place"))
    question = parts(svg(Selection("recommend", (), pathway=(asked,))), "text")[1]
    assert question["text"] == shown
