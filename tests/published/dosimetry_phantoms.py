"""Small bodies with a known answer, and the published voxel tables, for the dosimetry tests."""

from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom import Dataset

from connector.core.case import ActivityMap, Region, VolumeGeometry
from connector.core.dosimetry.graves_table import SHELL_ENERGY_MEV, SHELL_MM

SHELLS = np.array(SHELL_ENERGY_MEV)
TOTAL_MEV = 0.9336
MEV_TO_J = 1.602176634e-13
TABLES = Path(__file__).parent / "dosimetry" / "lanconelli"


def grid(shape=(4, 4, 4), spacing_mm=(3.0, 4.0, 4.0), origin_mm=(0.0, 0.0, 0.0), frame="1.2.3"):
    return VolumeGeometry(shape, origin_mm, (0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0), spacing_mm, frame)


def activity_of(values, **more):
    values = np.asarray(values, np.float32)
    given = {
        "geometry": grid(values.shape), "nuclide": "Y-90", "study_instance_uid": "1.2", "series_instance_uid": "1.3",
        "decay_hours": 0.0, "decay_reference": "administration", "quantitative": True,
    }  # fmt: skip
    return ActivityMap(concentration_bq_per_ml=values, **{**given, **more})


def uniform_activity(*, bq_per_ml, shape=(4, 4, 4), **more):
    return activity_of(np.full(shape, bq_per_ml), **more)


def region(mask, geometry, *, name="T01", kind="lesion", number=1):
    return Region(name, kind, mask, geometry, "1.2.4", number)


def squared_radius(*, half, spacing_mm):
    """Squared distance in mm2 of every voxel centre from the middle of a cube of 2 half voxels, which is a corner."""
    steps = (np.arange(-half, half) + 0.5) * spacing_mm
    return steps[:, None, None] ** 2 + steps[None, :, None] ** 2 + steps[None, None, :] ** 2


def ball(*, radius_mm, spacing_mm, margin_mm=0.0):
    half = int(np.ceil((radius_mm + margin_mm) / spacing_mm))
    return squared_radius(half=half, spacing_mm=spacing_mm) <= radius_mm**2


def self_fraction_of_sphere(radius_mm):
    """Energy that stays in a uniform sphere of water: mean over the shells of 1 - 3r/4R + r3/16R3."""
    inner = np.arange(len(SHELL_ENERGY_MEV)) * SHELL_MM
    outer = inner + SHELL_MM
    radii = 0.75 * (outer**4 - inner**4) / (outer**3 - inner**3)
    stays = np.where(radii < 2 * radius_mm, 1 - 3 * radii / (4 * radius_mm) + radii**3 / (16 * radius_mm**3), 0)
    shells = np.array(SHELL_ENERGY_MEV)
    return float((shells * stays).sum() / shells.sum())


def lanconelli(nuclide, voxel_mm):
    """Voxel S values by (i, j, k) of the octant, in mGy/(MBq s)."""
    lines = (TABLES / f"{nuclide}{voxel_mm:g}mmsoft.txt").read_text(encoding="latin-1").splitlines()[2:]
    rows = (line.split() for line in lines if line.strip())
    return {(int(i), int(j), int(k)): float(s) for i, j, k, s in rows}


def lanconelli_energy_mev(nuclide, voxel_mm, density_kg_l):
    """Energy per decay of the whole table: every voxel off a plane of symmetry stands for its mirror images."""
    total = sum(s * 2 ** sum(index > 0 for index in place) for place, s in lanconelli(nuclide, voxel_mm).items())
    mass_kg = density_kg_l * voxel_mm**3 * 1e-6
    return total * 1e-3 / 1e6 * mass_kg / 1.602176634e-13


def pet_times(inputs):
    """Times of a PET image, all that the case tells."""
    names = ["Modality", "DecayCorrection", "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime"]
    names += ["AcquisitionDateTime"]
    dataset = Dataset()
    for name in names:
        if hasattr(inputs, name):
            setattr(dataset, name, getattr(inputs, name))
    return dataset


def moment(text):
    return datetime.fromisoformat(text)
