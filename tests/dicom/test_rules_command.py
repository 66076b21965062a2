"""`connector rules test DIR`: the rules tried on files, with what each rule says of each study."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydicom import Dataset
from pynetdicom.dsutils import encode
from receive_case import as_file, make_image

from connector.__main__ import main
from connector.dicom.read_routing import studies_in
from connector.dicom.receive_head import read_head

RULES = """
[[rule]]
name = "liver"
modality = ["CT"]
procedure_code = ["LN:79103-8"]
required = [{ modality = ["SEG"] }]

[[rule]]
name = "any PET"
modality = ["PT"]
assess = ["dose"]
"""


def code(scheme: str, value: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, "Abdomen"
    return item


def run(*arguments: str):
    return CliRunner().invoke(main, ["rules", "test", *arguments])


def test_each_study_names_its_rule_and_why_not_the_others(tmp_path: Path) -> None:
    ct = make_image(SeriesDescription="Portal", BodyPartExamined="LIVER", ProcedureCodeSequence=[code("LN", "79103-8")])
    pet = make_image(Modality="PT")
    for number, image in enumerate((ct, pet)):
        (tmp_path / f"{number}.dcm").write_bytes(as_file(image))
    (tmp_path / "notes.txt").write_text("no DICOM " * 40)
    (tmp_path / "routing.toml").write_text(RULES)
    answer = run(str(tmp_path), "--file", str(tmp_path / "routing.toml"))
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    studies = {each["study_instance_uid"]: each for each in told["studies"]}
    of_ct, of_pet = studies[ct.StudyInstanceUID], studies[pet.StudyInstanceUID]
    assert (of_ct["rule"], of_ct["missing"], of_ct["not_matched"]) == ("liver", ["a series of modality SEG"], [])
    assert of_ct["series"] == [
        {
            "modality": "CT", "sop_classes": [ct.SOPClassUID], "body_part": "LIVER", "series_description": "Portal",
            "procedure_codes": ["LN:79103-8"], "instances": 1,
        }
    ]  # fmt: skip
    assert (of_pet["rule"], of_pet["assess"]) == ("any PET", ["dose"])
    assert of_pet["not_matched"] == [{"rule": "liver", "because": "its procedure code is not told, not LN:79103-8"}]
    assert {each["file"] for each in told["skipped"]} == {"notes.txt", "routing.toml"}


def test_a_wrong_file_of_rules_leaves_with_exit_2_and_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "routing.toml").write_text('[[rule]]\nname = "a"\nmodalty = ["CT"]\n')
    answer = run(str(tmp_path), "--file", str(tmp_path / "routing.toml"))
    assert answer.exit_code == 2
    assert "line 3: rule 1, modalty is not known here" in answer.stderr.splitlines()[-1]


def test_the_catalogue_of_clinical_rules_is_still_printed() -> None:
    answer = CliRunner().invoke(main, ["rules"])
    assert answer.exit_code == 0
    assert answer.stdout.startswith("#")


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"])
@pytest.mark.parametrize("undefined", [False, True], ids=["known_length", "undefined_length"])
def test_procedure_codes_are_read_in_every_encoding(syntax: str, *, undefined: bool) -> None:
    image = make_image(ProcedureCodeSequence=[code("LN", "79103-8"), code("SCT", "371572003")])
    image["ProcedureCodeSequence"].is_undefined_length = undefined
    for item in image.ProcedureCodeSequence:
        item.is_undefined_length_sequence_item = undefined
    head = read_head(encoded(image, syntax), syntax)
    assert head.procedure_codes == ("LN:79103-8", "SCT:371572003")


def encoded(image: Dataset, syntax: str) -> bytes:
    octets = encode(image, syntax == "1.2.840.10008.1.2", syntax != "1.2.840.10008.1.2.2")
    assert octets is not None
    return octets


def test_a_description_that_is_no_description_refuses_no_study(tmp_path: Path) -> None:
    image = make_image()
    image.add_new(0x0008103E, "UT", "x" * 5000)
    (tmp_path / "one.dcm").write_bytes(as_file(image))
    studies, skipped = studies_in([tmp_path / "one.dcm"])
    assert not skipped
    assert studies[0].series[0].description == ""
