"""Which options are ranked together: each organ by itself, and what treats the whole body with the leading one."""

import pytest

from connector.contract import select
from connector.core.assessment import Option
from connector.core.selection.sites import by_site, preferred_in_words

LUNG = {
    "lung_lesion_count": 2, "lung_lesion_largest_diameter_mm": 20, "lung_pattern": "macronodular",
    "disease_tempo": "slow",
}  # fmt: skip
BONE = {"bone_lesion_count": 1, "bone_lesion_hypervascular": True}
FTC = {"histology": "FTC", "coagulopathy_status": "none"}


def options(*modalities):
    return [Option(modality, "possible", None) for modality in modalities]


@pytest.mark.parametrize(
    ("modalities", "expected", "why"),
    [
        ([], [""], "nothing is listed"),
        (["TACE", "surgery", "RAI"], [""], "one organ: its ranks run through"),
        (["systemic_therapy", "RAI"], [""], "no organ"),
        (["board_only", "TACE", "systemic_therapy", "lung_RFA"], ["liver and whole body", "lung"], "two organs"),
        (["board_only", "TACE", "lung_RFA"], ["liver", "lung"], "the board is no treatment of the whole body"),
        (["systemic_therapy", "lung_RFA", "RAI", "cementoplasty", "bone_ablation"], ["lung and whole body", "bone"],
         "the whole body goes with the first organ"),
        (["TACE", "lung_RFA", "osteosynthesis"], ["liver", "lung", "bone"], "nothing for the whole body"),
    ],
)  # fmt: skip
def test_options_are_parted_where_ranks_begin_anew(modalities, expected, why):
    parts = by_site(options(*modalities))
    assert [name for name, _ in parts] == expected, why
    assert [one.modality for _, part in parts for one in part] == modalities, "in the order of the selection"


@pytest.mark.parametrize(
    ("preferred", "expected", "why"),
    [
        ({}, "", "nothing"),
        ({"TACE", "RFA"}, "RFA or TACE (liver)", "alternatives for the same lesions"),
        ({"TACE", "lung_RFA"}, "TACE (liver) and lung_RFA (lung)", "for other lesions, beside each other"),
    ],
)
def test_what_is_preferred_at_several_sites_is_no_alternative(preferred, expected, why):
    given = [Option(one, "preferred" if one in preferred else "possible", None) for one in ("RFA", "TACE", "lung_RFA")]
    assert preferred_in_words(given, str) == expected, why


def test_at_one_site_the_site_is_not_named():
    assert preferred_in_words([Option("TACE", "preferred", 1)], str) == "TACE"


def test_the_answer_of_the_command_names_the_site_within_which_a_rank_counts():
    rows = select.run_plain({"today": "2026-01-31", "facts": FTC | LUNG | BONE})["options"]
    places = {row["modality"]: row["ranked_at"] for row in rows}
    assert (places["lung_RFA"], places["systemic_therapy"]) == ("lung and whole body", "lung and whole body")
    assert places["bone_embolisation"] == "bone"
    for place in set(places.values()):
        ranks = [row["rank"] for row in rows if row["ranked_at"] == place and row["rank"]]
        assert ranks == sorted(ranks), "within a site they rise"


def test_the_ranks_of_one_site_count_for_all():
    rows = select.run_plain({"today": "2026-01-31", "facts": FTC | BONE})["options"]
    assert {row["ranked_at"] for row in rows} == {""}
