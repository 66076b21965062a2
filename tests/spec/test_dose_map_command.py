"""`connector dose map`, `plan` and `fit` on the command line: files in, files and JSON out, exit codes."""

import json

import image_case
import numpy as np
import pydicom
import pytest
from click.testing import CliRunner

from connector.cli.dose import dose

SHAPE = (8, 24, 24)
BQ_PER_ML = 20000  # what a stored value of 20000 means
TO_ADMINISTRATION = 2 ** (4 / 64.1)
GY = BQ_PER_ML * 1e-6 * 49.67 / 1.03 * TO_ADMINISTRATION


def run(*arguments):
    return CliRunner().invoke(dose, [str(each) for each in arguments])


def box(low, high):
    mask = np.zeros(SHAPE, bool)
    mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return mask


LIVER, LESION = box((1, 4, 4), (7, 20, 20)), box((3, 8, 8), (5, 12, 12))


@pytest.fixture
def study(tmp_path):
    """An even liver with a lesion three times as active, and both as segments on the grid of the PET."""
    planes = (LIVER * BQ_PER_ML).astype(np.int32)
    planes[LESION] = 3 * BQ_PER_ML
    image_case.pet(tmp_path / "pet", planes.astype(np.uint16))
    described = [
        image_case.segment(1, image_case.LIVER, SegmentLabel="liver"),
        image_case.segment(2, SegmentLabel="metastasis"),
    ]
    image_case.segmentation(tmp_path, {1: LIVER, 2: LESION}, described)
    return tmp_path


def mapped(study, *more, method="local"):
    result = run("map", "--activity", study / "pet", "--regions", study / "seg.dcm", "--method", method,
                 "--out", study / "out", *more)  # fmt: skip
    if result.exit_code:
        pytest.fail(result.output)
    answer = json.loads(result.stdout)
    return answer, {region["name"]: region for region in answer["regions"]}


def test_local_deposition_end_to_end(study):
    answer, regions = mapped(study)
    liver, lesion = regions.values()
    assert answer["method"] == "local"
    assert answer["decay"] == {"reference": "series time (DecayCorrection START)", "hours": 4.0}
    assert answer["scale"] == 1.0
    assert lesion["min_gy"] == lesion["max_gy"] == pytest.approx(3 * GY, rel=1e-5)
    assert lesion["volume_ml"] == pytest.approx(32 * 0.016)
    assert liver["volume_ml"] == pytest.approx(1536 * 0.016)
    assert liver["mean_gy"] == pytest.approx(GY * (1536 + 2 * 32) / 1536, rel=1e-5)
    assert liver["d98_gy"] == pytest.approx(GY, rel=1e-5)
    assert set(liver["v"]) >= {"20", "50", "100"}
    assert liver["bed_gy"] > liver["mean_gy"]
    assert lesion["gEUD_gy"] == pytest.approx(3 * GY, rel=1e-5)
    assert answer["constants"]["profile"] == "seed"


def test_the_files_hold_what_was_printed(study):
    answer, regions = mapped(study)
    rt_dose = pydicom.dcmread(answer["rtdose"])
    stored = rt_dose.pixel_array * float(rt_dose.DoseGridScaling)
    assert stored[LESION] == pytest.approx(3 * GY, rel=1e-5)
    assert (rt_dose.DoseUnits, rt_dose.Modality) == ("GY", "RTDOSE")
    report = pydicom.dcmread(answer["sr"])
    numbers = _numbers(report)
    for region in regions.values():
        assert region["mean_gy"] == pytest.approx(min(numbers, key=lambda n, r=region: abs(n - r["mean_gy"])), abs=5e-3)
    with open(answer["picture"], "rb") as picture:  # noqa: PTH123 - the answer names it as text
        assert picture.read(8) == b"\x89PNG\r\n\x1a\n"


def _numbers(item):
    found = []
    for child in item.get("ContentSequence", []):
        if child.ValueType == "NUM":
            found.append(float(child.MeasuredValueSequence[0].NumericValue))
        found += _numbers(child)
    return found


def test_the_same_input_gives_the_same_bytes(study):
    mapped(study)
    before = {path.name: path.read_bytes() for path in (study / "out").iterdir()}
    mapped(study)
    assert {path.name: path.read_bytes() for path in (study / "out").iterdir()} == before
    assert set(before) == {"dose.dcm", "dose_sr.dcm", "dose.png"}


def test_the_kernel_takes_from_the_edge_and_not_from_the_sum(study):
    _, local = mapped(study)
    answer, spread = mapped(study, method="kernel")
    lesion = next(name for name in spread if name != next(iter(spread)))
    assert spread[lesion]["mean_gy"] < local[lesion]["mean_gy"]
    assert answer["method"] == "kernel"
    assert "Graves" in answer["constants"]["kernel"]


def test_options_of_regions(study):
    name = next(iter(mapped(study)[1]))
    _, regions = mapped(
        study, "--v", f"{name}=0.5", "--v", f"{name}=12.50", "--alpha-beta", f"{name}=3", "--repair-half-time-h",
        f"{name}=1.5", "--geud-a", f"{name}=-2",
    )  # fmt: skip
    region = regions[name]
    assert region["v"]["0.5"] == 1.0
    assert "12.5" in region["v"]
    assert region["gEUD_gy"] < region["mean_gy"]
    mean, square = region["mean_gy"], GY**2 * (1536 + 8 * 32) / 1536
    assert region["bed_gy"] == pytest.approx(mean + square * 1.5 / (1.5 + 64.1) / 3, rel=1e-5)


def test_counts_need_a_scale(study):
    image_case.spect(study / "spect", (LIVER * 100).astype(np.uint16))
    arguments = ["map", "--activity", study / "spect", "--regions", study / "seg.dcm", "--out", study / "out"]
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert "--scale-to-gbq" in refused.output
    assert not (study / "out").exists()
    scaled = run(*arguments, "--scale-to-gbq", "1.5")
    liver = json.loads(scaled.stdout)["regions"][0]
    assert liver["mean_gy"] == pytest.approx(49.67 * 1.5 / (1536 * 0.016 * 1.03e-3), rel=1e-5)


def test_the_administration_can_be_given(study):
    answer, regions = mapped(study, "--administered-at", "2026-01-02T04:00:00")
    assert answer["decay"]["hours"] == pytest.approx(8)
    assert next(iter(regions.values()))["d98_gy"] == pytest.approx(GY * TO_ADMINISTRATION, rel=1e-5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("--scale-to-gbq", "0"), "above 0"),
        (("--scale-to-gbq", "much"), "not a decimal number"),
        (("--administered-at", "yesterday"), "ISO 8601"),
        (("--constants", "none"), "unknown profile"),
        (("--v", "liver"), "write region=value"),
        (("--v", "spleen=20"), "there is no region of this name"),
        (("--geud-a", "NAME=0"), "0 has no gEUD"),
        (("--alpha-beta", "NAME=-1"), "above 0"),
        (("--activity", "nowhere"), "is not a folder"),
        (("--regions", "nowhere.dcm"), "is not a file"),
        (("--method", "monte-carlo"), "Invalid value"),
    ],
)
def test_refused_with_exit_2_and_nothing_written(study, change, words):
    name = next(iter(mapped(study)[1]))
    option, value = change
    result = run("map", "--activity", study / "pet", "--regions", study / "seg.dcm", "--out", study / "new",
                 option, value.replace("NAME", name))  # fmt: skip
    assert result.exit_code == 2
    assert words in result.output.strip().splitlines()[-1]
    assert not (study / "new").exists()
    assert result.stdout == ""


def test_an_out_that_is_a_file_is_refused(study):
    (study / "out").write_text("not a folder")
    result = run("map", "--activity", study / "pet", "--regions", study / "seg.dcm", "--out", study / "out")
    assert result.exit_code == 2
    assert "name another folder" in result.output


def test_plan_and_fit_on_the_command_line(tmp_path):
    plan = tmp_path / "plan.json"
    plan.write_text('{"method": "mird", "device": "glass", "prescribed_dose_gy": 120, "perfused_mass_kg": 1.236,'
                    ' "lung_shunt_fraction": 0.05, "residual_fraction": 0.01}')  # fmt: skip
    answer = json.loads(run("plan", plan).stdout)
    assert answer["prescription_gbq"] == pytest.approx(3.154066985645933, rel=1e-12)
    fit = tmp_path / "fit.jsonl"
    limit = (
        '{"nuclide": "I-131", "limit": "retention_48h", "retained_fraction_48h": 0.25, "diffuse_lung_metastases": true}'
    )
    fit.write_text(f'{limit}\n{{"nuclide": "I-131", "limit": "marrow"}}\n{limit}\n')
    first, second, third = (json.loads(line) for line in run("fit", "--lines", fit).stdout.splitlines())
    assert first["maximum_activity_gbq"] == third["maximum_activity_gbq"] == 11.84
    assert second["error"]["field"] == "limit"
