"""dicompyler-core reads our RT Dose with the structure set it was made from, and comes to the same numbers."""

import json
import subprocess
from pathlib import Path

import image_case as case
import numpy as np
import pytest
from click.testing import CliRunner

from connector.cli.dose import dose

ROOT = Path(__file__).parents[2]
SHAPE = (20, 48, 40)


def block(x, y, planes):
    """Rectangles between (low, high) borders in mm, which run between voxels; planes are 4 mm apart."""
    corners = ((x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1]))
    return [[(*corner, 4 * plane) for corner in corners] for plane in range(*planes)]


STRUCTURES = {
    "corner": block((-5, 31), (-15, 25), (2, 12)),
    "middle": block((11, 41), (7, 51), (6, 15)),
    "far end": block((41, 67), (33, 73), (9, 19)),
}


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dicompyler")
    subprocess.run([ROOT / "tests/peers/setup_dicompyler"], check=True, capture_output=True)
    # A gradient along each axis, so that a shift of half a voxel or a swapped axis is another D95.
    plane, row, column = np.indices(SHAPE)
    case.pet(folder / "pet", (200 + 120 * plane + 60 * row + 90 * column).astype(np.uint16), RescaleSlope=300)
    structures = case.structures(folder, STRUCTURES)
    ours = CliRunner().invoke(
        dose, ["map", "--activity", str(folder / "pet"), "--regions", str(structures), "--out", str(folder / "out")]
    )
    assert ours.exit_code == 0, ours.output
    answer = json.loads(ours.stdout)
    python = ROOT / ".peers/dicompyler/bin/python"
    script = Path(__file__).with_name("dicompyler_statistics.py")
    done = subprocess.run([python, script, structures, answer["rtdose"]], check=True, capture_output=True, text=True)
    return {region["name"]: region for region in answer["regions"]}, json.loads(done.stdout)


@pytest.mark.parametrize("name", STRUCTURES)
def test_mean_d95_and_volume_agree(both, name):
    ours, theirs = (each[name] for each in both)
    assert theirs["mean"] == pytest.approx(ours["mean_gy"], rel=1e-3), "its histogram has bins of 0.01 Gy"
    assert theirs["d95"] == pytest.approx(ours["d95_gy"], rel=5e-3), "it interpolates in the histogram"
    assert theirs["volume"] == pytest.approx(ours["volume_ml"], rel=1e-3)
