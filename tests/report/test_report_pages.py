"""What outside judges see of the pages: tagged, fonts inside, in reading order, and the same for the same request."""

import gc
import weakref
from dataclasses import replace
from pathlib import Path

import fhir_cases as cases
import judge_pdf as judge
import pytest
import report_case as made

from connector.contract.reading import load
from connector.contract.select import observed
from connector.core.assessment import Finding
from connector.core.case import Identifier, PatientIdentity
from connector.core.selection import select
from connector.report.board_content import DRAFT
from connector.report.board_pages import draw
from connector.report.board_report import BoardReport, ReportFile
from connector.report.response_sheet import PictureFiles
from connector.report.room import PAGES

VIGNETTES = load((Path(__file__).parents[1] / "published" / "vignettes.json").read_text())["vignettes"]
LONG = cases.assessment(
    response=made.course(14),
    selection=replace(
        cases.selection(),
        alerts=tuple(made.reason(f"ALERT-{n}", f"alert number {n} of many") for n in range(12)),
        options=tuple(made.option("possible", ("A", "B"), modality=f"treatment_{n}") for n in range(30)),
        measures=tuple(made.reason(f"M-{n}") for n in range(40)),
        missing=tuple(f"fact_{n}" for n in range(60)),
    ),
    dose=replace(cases.dose(), regions=cases.dose().regions * 20),
    warnings=tuple(f"warning {n}" for n in range(40)),
)


def fullest():
    """A vignette with many alternatives, beside a long course, a work-up of twelve regions, and news of everything."""
    (facts,) = [one["facts"] for one in VIGNETTES if one["id"] == "VIG-001"]
    chosen = select(observed(facts), cases.DAY)
    point = cases.assessment().time_points[-1]
    lesions = tuple(cases.lesion(n) for n in range(1, 11))
    return cases.assessment(
        selection=chosen,
        response=replace(made.course(7), target_ids=tuple(one.tracking_id for one in lesions[:5])),
        time_points=tuple(replace(point, studied_on=point.studied_on, lesions=lesions) for _ in range(5)),
        dose=replace(cases.dose(), regions=cases.dose().regions * 6),
        findings=(Finding("adverse_event", "thrombocytes fell to grade 3 after treatment", made.SOURCE),) * 10,
        changes=("Compared with the assessment of 2026-01-01:", *(f"Option {n} was possible, is now excluded." * 2
                                                                  for n in range(9))),
        warnings=tuple(f"record and images differ in fact {n}: left out until a person decides" for n in range(6)),
    )  # fmt: skip


def three_sites():
    """The same with lungs and bones, each ranked apart."""
    (facts,) = [one["facts"] for one in VIGNETTES if one["id"] == "VIG-001"]
    lung = {"lung_lesion_count": 2, "lung_lesion_largest_diameter_mm": 20, "lung_pattern": "macronodular"}
    bone = {"bone_lesion_count": 1, "bone_lesion_hypervascular": True, "bone_fracture_status": "impending"}
    return replace(fullest(), selection=select(observed({**facts, **lung, **bone}), cases.DAY))


REQUESTS = {
    "everything": made.request(),
    "nothing": made.request(made.nothing()),
    "no response": made.request(cases.assessment(response=None)),
    "no dose": made.request(cases.assessment(dose=None)),
    "no selection": made.request(cases.assessment(selection=None)),
    "long lists": made.request(LONG),
    "many alternatives": made.request(fullest()),
    "three sites": made.request(three_sites()),
    "unknown signs": made.request(who=PatientIdentity((Identifier("1"),), "\u5c71\u7530", "\u0645\u062d\u0645\u062f")),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    assert not judge.missing_judges(), f"install these judges first: {judge.missing_judges()}"
    folder = tmp_path_factory.mktemp("reports")
    paths = {name: folder / f"{number}.pdf" for number, name in enumerate(REQUESTS)}
    for name, request in REQUESTS.items():
        paths[name].write_bytes(draw(request))
    return paths


@pytest.mark.parametrize("name", REQUESTS)
def test_it_is_tagged_and_dated_by_the_assessment(drawn, name):
    facts = judge.facts(drawn[name])
    assert facts["Tagged"] == "yes"
    assert facts["Page size"].endswith("(A4)")
    assert facts["CreationDate"].startswith("Tue Apr  7 00:00:00 2026"), "the day of the assessment, not the clock"
    assert facts["Title"] == "Tumour board report: metastases of thyroid cancer"
    assert int(facts["Pages"]) <= PAGES


@pytest.mark.parametrize("name", REQUESTS)
def test_it_declares_the_archive_and_the_accessibility_standard(drawn, name):
    metadata = drawn[name].read_bytes()
    assert b"<pdfaid:part>2</pdfaid:part><pdfaid:conformance>A</pdfaid:conformance>" in metadata
    assert b"<pdfuaid:part>1</pdfuaid:part>" in metadata


@pytest.mark.parametrize("name", REQUESTS)
def test_every_font_is_inside_and_its_text_can_be_copied(drawn, name):
    fonts = judge.fonts(drawn[name])
    assert fonts
    assert {(embedded, copied) for _, embedded, copied in fonts} == {("yes", "yes")}


@pytest.mark.parametrize("name", ["everything", "nothing", "long lists"])
def test_every_page_names_the_patient_and_says_that_it_is_a_draft(drawn, name):
    for number, text in enumerate(judge.pages(drawn[name]), start=1):
        assert text.startswith("Test, Lesion · T-0001 · born 1961-03-04")
        assert "DRAFT" in text
        assert DRAFT in text
        assert f"page {number} of " in text


def test_the_text_stands_in_reading_order(drawn):
    text = judge.structure(drawn["everything"])
    order = [
        'H1 "Tumour board report', '"Patient ID"', '"Progressive disease (PD)', 'H2 "What was assessed"',
        'H2 "Tumour response"', '"Why PD', 'H2 "Recommendation"', '"preferred"', 'H2 "Absorbed dose"',
        'H2 "Published outcomes', 'H3 "Transarterial', 'H2 "Measures and follow-up"', 'H2 "Inputs and versions"',
    ]  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert text.count('H1 "') == 1
    assert text.count("THead") == text.count("Table (block)"), "every table has heads"


@pytest.mark.parametrize(("name", "pictures"), [("everything", 1), ("no response", 0)])
def test_a_picture_is_a_figure(drawn, name, pictures):
    # Without a spoken text in its place the compiler refuses PDF/UA; the text itself is specified with the content.
    assert judge.structure(drawn[name]).count("Figure:") == pictures


def test_every_site_has_its_heading_however_little_room_is_left(drawn):
    text = " ".join(judge.pages(drawn["three sites"]))
    assert [text.count(f"{site}, ranked apart") for site in ("Liver and whole body", "Lung", "Bone")] == [1, 1, 1]


def test_no_page_is_empty(drawn, tmp_path):
    assert all(share > 0.01 for share in judge.ink(drawn["everything"], tmp_path))


def test_what_comes_from_outside_is_never_markup(tmp_path):
    strange = cases.assessment(
        selection=replace(cases.selection(), alerts=(made.reason(text=made.MARKUP),)), warnings=(made.MARKUP,)
    )
    path = tmp_path / "report.pdf"
    path.write_bytes(draw(made.request(strange, who=PatientIdentity((Identifier(made.MARKUP),), made.MARKUP))))
    text = " ".join(judge.pages(path))
    assert text.count(made.MARKUP) >= 6, "name, number, head of each page, alert twice, warning"


def test_alerts_are_all_there_however_many(drawn):
    text = " ".join(judge.pages(drawn["long lists"]))
    assert all(f"alert number {n} of many" in text for n in range(12))


def test_the_same_request_gives_the_same_bytes_and_another_patient_does_not():
    assert draw(made.request()) == draw(made.request())
    assert draw(made.request(who=replace(made.WHO, family_name="Other"))) != draw(made.request())


def test_a_request_is_drawn_once_and_forgotten_with_it():
    report, request = BoardReport(), made.request()
    assert report(request) is report(request)
    (file,) = ReportFile(report).write(request)
    assert file.content is report(request)
    assert (file.kind, file.destination) == ("report", "file")
    gone = weakref.ref(request)
    del request
    gc.collect()
    assert gone() is None, "no patient is kept in memory"


def test_the_pictures_are_files_too_and_without_a_response_there_are_none():
    files = {one.identity: one.content for one in PictureFiles().write(made.request(record=made.record()))}
    assert {"spider.png", "spider.svg", "swimmer.png", "swimmer.svg"} <= files.keys()
    assert files["spider.png"].startswith(b"\x89PNG")
    assert files["spider.svg"].startswith(b"<?xml")
    assert PictureFiles().write(made.request(made.nothing())) == ()
