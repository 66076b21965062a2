"""A trunk made of ellipsoids and spheres, so that every diameter, volume, activity and absorbed dose is known truth."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import pi

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

# x towards the patient's left, y towards the back, z towards the head, in mm; voxel centres.
SHAPE = (44, 176, 176)  # slices, rows, columns
PIXEL_MM, SLICE_MM = 2.0, 5.0
ORIGIN_MM = (-175.0, -175.0, 0.0)
VOXEL_ML = PIXEL_MM * PIXEL_MM * SLICE_MM / 1000

AIR_HU, FAT_HU, TISSUE_HU, LUNG_HU, LIVER_HU, BONE_HU = -1000, -90, 35, -760, 62, 380
LESION_HU = {"liver": 18, "lung": 45, "bone": 120}


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """An organ: centre and semi-axes in mm (x, y, z)."""

    centre_mm: tuple[float, float, float]
    semi_axes_mm: tuple[float, float, float]

    @property
    def volume_ml(self) -> float:
        """The closed form 4/3 pi a b c."""
        a, b, c = self.semi_axes_mm
        return 4 / 3 * pi * a * b * c / 1000


BODY = Ellipsoid((0, 0, 110), (165, 115, 1e6))
LIVER = Ellipsoid((-62, -12, 60), (76, 66, 55))
RIGHT_LUNG = Ellipsoid((-72, 5, 215), (55, 78, 96))
LEFT_LUNG = Ellipsoid((74, 8, 205), (52, 76, 96))
SPINE = Ellipsoid((0, 78, 110), (22, 20, 1e6))
ORGANS: Mapping[str, tuple[Ellipsoid, ...]] = {
    "liver": (LIVER,), "lung": (RIGHT_LUNG, LEFT_LUNG), "bone": (SPINE,)
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sphere:
    """A lesion: its label for life, the organ it grows in, its centre (on a voxel's) and its diameter, all in mm."""

    label: str
    organ: str
    centre_mm: tuple[float, float, float]
    diameter_mm: float

    @property
    def volume_ml(self) -> float:
        """The closed form pi/6 d³."""
        return pi / 6 * self.diameter_mm**3 / 1000


@dataclass(frozen=True, slots=True)
class Uptake:
    """
    How an injected activity spreads: what is known of it exactly.

    `tumour_to_normal_ratio` is of concentrations; `lung_shunt_fraction` 0..1 is of activity, lungs over lungs and
    liver; the treated territory is the whole liver.
    """

    administered_mbq: Decimal
    tumour_to_normal_ratio: int
    lung_shunt_fraction: float


def _coordinates() -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]:
    x0, y0, z0 = ORIGIN_MM
    z = z0 + SLICE_MM * np.arange(SHAPE[0]).reshape(-1, 1, 1)
    y = y0 + PIXEL_MM * np.arange(SHAPE[1]).reshape(1, -1, 1)
    x = x0 + PIXEL_MM * np.arange(SHAPE[2]).reshape(1, 1, -1)
    return z, y, x


def _inside(body: Ellipsoid) -> Mask:
    z, y, x = _coordinates()
    (cx, cy, cz), (a, b, c) = body.centre_mm, body.semi_axes_mm
    found: Mask = ((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 + ((z - cz) / c) ** 2 <= 1
    return found


def sphere_mask(sphere: Sphere) -> Mask:
    """Voxels, [slice, row, column], whose centre lies in the sphere."""
    return _inside(Ellipsoid(sphere.centre_mm, (sphere.diameter_mm / 2,) * 3))


def organ_mask(organ: str) -> Mask:
    """Voxels of an organ, lesions included: liver, lung or bone. Lungs end where the liver begins."""
    found: Mask = np.logical_or.reduce([_inside(part) for part in ORGANS[organ]])
    return found & ~_inside(LIVER) if organ == "lung" else found


def hounsfield(spheres: Iterable[Sphere], *, noise_hu: float, seed: int) -> NDArray[np.int16]:
    """
    CT numbers in HU, [slice, row, column], with Gaussian noise of that standard deviation.

    The same seed gives the same image.
    """
    image = np.full(SHAPE, AIR_HU, np.float32)
    image[_inside(BODY)] = FAT_HU
    inner = Ellipsoid(BODY.centre_mm, (BODY.semi_axes_mm[0] - 14, BODY.semi_axes_mm[1] - 14, 1e6))
    image[_inside(inner)] = TISSUE_HU
    image[organ_mask("bone")] = BONE_HU
    image[organ_mask("lung")] = LUNG_HU
    image[organ_mask("liver")] = LIVER_HU
    for sphere in spheres:
        image[sphere_mask(sphere)] = LESION_HU[sphere.organ]
    image += np.random.RandomState(seed).normal(0.0, noise_hu, SHAPE).astype(np.float32)
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)


def relative_concentration(spheres: Iterable[Sphere], uptake: Uptake) -> NDArray[np.float64]:
    """
    Activity per volume where normal liver holds 1, [slice, row, column]: lesions, liver and lungs, nothing elsewhere.

    The lungs hold just as much as makes their share of all activity the shunt fraction.
    """
    liver, lungs = organ_mask("liver"), organ_mask("lung")
    tumour = np.zeros(SHAPE, bool)
    for sphere in spheres:
        if sphere.organ == "liver":
            tumour |= sphere_mask(sphere) & liver
    weight = np.where(liver, 1.0, 0.0)
    weight[tumour] = uptake.tumour_to_normal_ratio
    shunt = uptake.lung_shunt_fraction
    weight[lungs] = shunt / (1 - shunt) * float(weight.sum()) / int(np.count_nonzero(lungs))
    return weight


def concentration_bq_per_ml(spheres: Iterable[Sphere], uptake: Uptake) -> NDArray[np.float64]:
    """Concentration in Bq/mL at the administration; its sum over all voxels is the administered activity."""
    weight = relative_concentration(spheres, uptake)
    return weight * (float(uptake.administered_mbq) * 1e6 / (float(weight.sum()) * VOXEL_ML))
