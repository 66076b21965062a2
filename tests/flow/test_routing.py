"""Routing rules: which study gets what, when it is complete, and what a person reads when it is not."""

from pathlib import Path

import pytest

from connector.core.errors import BadCase
from connector.routing import SeriesSeen, StudySeen, every_study
from connector.settings.routing import read_routing

RULES = """
[[rule]]
name = "liver follow-up"
assess = ["response", "selection"]
calling_ae = ["CT*"]
modality = ["CT"]
body_part = ["LIVER", "ABDOMEN"]
series_description = ["portal|venous"]
quiet_seconds = 60
series_quiet_seconds = 20
required = [{ modality = ["CT"], series_description = ["portal"], instances = 3 }, { modality = ["SEG"] }]
incomplete_after_seconds = 600
when_incomplete = "proceed"

[[rule]]
name = "work-up"
assess = ["dose"]
sop_class = ["1.2.840.10008.5.1.4.1.1.20"]
procedure_code = ["SCT:371572003"]

[[rule]]
name = "research is not ours"
assess = []
calling_ae = ["RESEARCH"]
"""
PORTAL = SeriesSeen("CT", frozenset({"1.2.840.10008.5.1.4.1.1.2"}), "LIVER", "Portal venous 3 mm", instances=3)
SEG = SeriesSeen("SEG")


def written(folder: Path, text: str) -> Path:
    path = folder / "routing.toml"
    path.write_text(text)
    return path


@pytest.fixture
def routing(tmp_path: Path):
    return read_routing(written(tmp_path, RULES), quiet_seconds=30)


def study(*series: SeriesSeen, source: str = "CT1") -> StudySeen:
    return StudySeen("1.2.3", frozenset({source}), series)


@pytest.mark.parametrize(
    ("seen", "rule", "why"),
    [
        (study(PORTAL), "liver follow-up", "every condition holds on one series"),
        (study(SEG, PORTAL), "liver follow-up", "another series beside it does no harm"),
        (study(PORTAL, source="MR1"), None, "sent by another"),
        (study(SeriesSeen("CT", body_part="LIVER", description="scout")), None, "no such description"),
        (
            study(SeriesSeen("CT", body_part="LIVER"), SeriesSeen("CT", description="venous")),
            None,
            "no single series meets all",
        ),
        (study(SeriesSeen("CT", body_part="liver", description="VENOUS")), "liver follow-up", "case does not matter"),
        (
            study(
                SeriesSeen(
                    "NM", frozenset({"1.2.840.10008.5.1.4.1.1.20"}), procedure_codes=frozenset({"SCT:371572003"})
                ),
                source="NM1",
            ),
            "work-up",
            "by class and procedure code",
        ),
        (study(SeriesSeen("NM", frozenset({"1.2.840.10008.5.1.4.1.1.20"}))), None, "without its procedure code"),
        (study(SeriesSeen("XA"), source="RESEARCH"), "research is not ours", "first match, though nothing is assessed"),
    ],
)
def test_the_first_rule_that_matches_takes_the_study(routing, seen, rule, why) -> None:
    found, _ = routing.match(seen)
    assert (found.name if found else None) == rule, why


def test_a_study_that_no_rule_takes_hears_why_from_each(routing) -> None:
    decision = routing.decide(study(SeriesSeen("XA"), source="XA1"), now=30.0)
    assert decision.state == "kept_out"
    assert decision.told == (
        "no routing rule matches it (liver follow-up: it was sent by XA1, not by CT*; "
        "work-up: its procedure code is not told, not SCT:371572003; "
        "research is not ours: it was sent by XA1, not by RESEARCH)"
    )


@pytest.mark.parametrize(
    ("series", "now", "state", "why"),
    [
        ((PORTAL, SEG), 19.9, "wait", "a series came just now"),
        ((PORTAL, SEG), 20.0, "complete", "all required series are here and quiet: no need to wait for the study"),
        ((PORTAL,), 599.9, "wait", "the segmentation may still come"),
        ((PORTAL,), 600.0, "complete", "forced: the policy says proceed"),
        (
            (SeriesSeen("CT", body_part="LIVER", description="portal", instances=2), SEG),
            599.0,
            "wait",
            "an instance is missing",
        ),
    ],
)
def test_required_series_complete_a_study_early_and_their_lack_is_forced_late(routing, series, now, state, why) -> None:
    assert routing.decide(study(*series), now).state == state, why


def test_a_forced_study_says_what_it_lacks(routing) -> None:
    decision = routing.decide(study(PORTAL), now=600.0)
    assert decision.told == (
        "after 600 s without news the study still lacks a series of modality SEG "
        "(routing rule liver follow-up, when_incomplete proceed)"
    )


@pytest.mark.parametrize(
    ("policy", "state"), [("ask", "incomplete"), ("keep_out", "kept_out"), ("proceed", "complete")]
)
def test_what_becomes_of_an_incomplete_study_is_the_sites_choice(tmp_path: Path, policy: str, state: str) -> None:
    text = RULES.replace('"proceed"', f'"{policy}"')
    assert read_routing(written(tmp_path, text), quiet_seconds=30).decide(study(PORTAL), 600.0).state == state


@pytest.mark.parametrize(
    ("now", "state"), [(29.9, "wait"), (30.0, "kept_out")], ids=["just short of the quiet time", "exactly"]
)
def test_a_study_is_kept_out_only_when_nothing_more_comes(routing, now, state) -> None:
    assert routing.decide(study(SeriesSeen("XA"), source="XA1"), now).state == state


@pytest.mark.parametrize(("now", "state"), [(29.9, "wait"), (30.0, "complete")])
def test_without_rules_everything_is_assessed_after_the_quiet_time(now, state) -> None:
    assert every_study(30).decide(study(SeriesSeen("XA")), now).state == state


def test_the_quiet_time_of_the_settings_holds_for_rules_without_one(routing) -> None:
    assert [rule.quiet_seconds for rule in routing.rules] == [60, 30, 30]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[rule]\n", "is no TOML file: Expected ']]' at the end of an array declaration (at line 1, column 7)"),
        ("", "line 1: rule is missing: write [[rule]], or leave the setting out"),
        ('[[rule]]\nname = "a"\n\n[[rule]]\nnamed = "b"\n', "line 4: rule 2, name is missing: give it"),
        (
            '[[rule]]\nname = "a"\nmodalty = ["CT"]\n',
            "line 3: rule 1, modalty is not known here: the keys of a rule are",
        ),
        ('[[rule]]\nname = "a"\nmodality = "CT"\n', 'line 3: rule 1, modality must be a list: write ["…"]'),
        ('[[rule]]\nname = "a"\nmodality = []\n', "line 3: rule 1, modality is empty"),
        ('[[rule]]\nname = "a"\nsop_class = ["CT"]\n', "line 3: rule 1, sop_class does not look as it must"),
        ('[[rule]]\nname = "a"\nprocedure_code = ["371572003"]\n', "line 3: rule 1, procedure_code does not look"),
        (
            '[[rule]]\nname = "a"\nseries_description = ["("]\n',
            "line 3: rule 1, series_description is no regular expression",
        ),
        ('[[rule]]\nname = "a"\nquiet_seconds = -1\n', "line 3: rule 1, quiet_seconds"),
        ('[[rule]]\nname = "a"\nwhen_incomplete = "guess"\n', "line 3: rule 1, when_incomplete"),
        ('[[rule]]\nname = "a"\nassess = ["everything"]\n', "rule 1, assess must be 'response', 'dose' or 'selection'"),
        ('[[rule]]\nname = "a"\n\n[[rule]]\nname = "a"\n', "line 5: names two rules"),
        ('[[rule]]\nname = "a"\n[[rule.required]]\nmodality = ["CT"]\ncount = 2\n', "required.count is not known here"),
    ],
)
def test_an_error_in_the_file_names_its_place_and_what_to_do(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(BadCase) as caught:
        read_routing(written(tmp_path, text), quiet_seconds=30)
    assert told in caught.value.message
    assert caught.value.field == "CONNECTOR_ROUTING_FILE"


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadCase, match="cannot be read"):
        read_routing(tmp_path / "absent.toml", quiet_seconds=30)


def test_the_example_for_sites_is_one_that_can_be_read() -> None:
    example = Path(__file__).parents[2] / "deploy" / "routing.toml"
    rules = read_routing(example, quiet_seconds=30).rules
    assert [rule.when_incomplete for rule in rules] == ["ask", "proceed", "ask"]
