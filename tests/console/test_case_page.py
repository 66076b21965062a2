"""What a clinician reads on the page of a case: the assessment's words, in sentences that stand by themselves."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape

import fhir_cases as cases
import pytest
from console_case import Desk, make_desk, set_aside

from connector.contract.assessment import render
from connector.contract.reading import dumps
from connector.core.assessment import Assessment, Option


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    made = make_desk(tmp_path_factory.mktemp("page"), clara=("clinician",))
    yield made
    made.bench.inbox.close()


def page_of(desk: Desk, assessment: Assessment) -> str:
    """The page of a case of which this is the newest assessment."""
    case_ref = set_aside(desk.bench, "1.2.3", "x")
    desk.bench.clock.seconds += 1
    made = replace(assessment, case_ref=case_ref, study_instance_uid="1.2.3")
    with desk.bench.ledger.transaction() as connection:
        desk.bench.ledger.save(connection, made, json.loads(dumps(render(made))), [])
    return desk.browser("clara").get(f"/cases/{case_ref}").text


def section(page: str, name: str) -> str:
    """What stands in a section, without its markup."""
    (found,) = re.findall(rf'<section aria-labelledby="{name}">.*?</section>', page, re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found)).split())


def with_options(*options: Option) -> Assessment:
    return cases.assessment(selection=replace(cases.selection(), options=options))


def test_each_site_whose_ranks_begin_anew_has_a_heading(desk):
    bone = (Option("bone_embolisation", "possible", 2), Option("cementoplasty", "cannot_decide", None))
    said = section(page_of(desk, with_options(Option("TACE", "preferred", 1), *bone)), "treatment")
    places = [
        said.index(words)
        for words in (
            "Liver, ranked apart from the other sites",
            "1 Transarterial chemoembolisation (TACE)",
            "Bone, ranked apart from the other sites: none is preferred",
            "2 Embolisation of bone lesions",
        )
    ]
    assert places == sorted(places)


def test_one_site_alone_needs_no_heading(desk):
    said = section(
        page_of(desk, with_options(Option("TACE", "preferred", 1), Option("RAI", "excluded", None))), "treatment"
    )
    assert "ranked apart" not in said
