"""The share of a voxel's energy that each neighbour absorbs, for any voxel size and density, from one radial table."""

from functools import lru_cache

import numpy as np
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray

from connector.core.dosimetry.graves_table import SHELL_ENERGY_MEV, SHELL_MM, WATER_DENSITY_KG_L
from connector.core.errors import ImpossibleInput

RANGE_IN_WATER_MM = SHELL_MM * len(SHELL_ENERGY_MEV)
# Points of the quadrature: radii within a shell, and directions in one octant. Doubling both moves no value by 4e-6.
RADII_PER_SHELL = 3
ANGLES = 32
# Voxels outside these are no image of a patient, and a kernel of millions of them would fill the memory.
SPACING_MM = (0.2, 50.0)
DENSITY_KG_L = (0.1, 3.0)

Spacing = tuple[float, float, float]


def range_mm(density_kg_l: float) -> float:
    """How far the energy goes in mm; ranges scale with one over density."""
    return RANGE_IN_WATER_MM * WATER_DENSITY_KG_L / density_kg_l


def half_shape(spacing_mm: Spacing, density_kg_l: float) -> tuple[int, int, int]:
    """
    Voxels of the kernel's array to each side of its middle, by the rule of published kernels: half a voxel and a range.

    The outermost may hold nothing; `reach_voxels` says how many do.
    """
    return _voxels(np.array(spacing_mm), range_mm(density_kg_l), spare=0.5)


def reach_voxels(spacing_mm: Spacing, density_kg_l: float) -> tuple[int, int, int]:
    """
    Voxels to each side into which energy goes, from anywhere in one voxel into any part of another.

    Between two voxels n apart lie n - 1, so the next one after the range is out of reach.
    """
    return _voxels(np.array(spacing_mm), range_mm(density_kg_l), spare=0.0)


def _voxels(spacing_mm: NDArray[np.float64], reach_mm: float, *, spare: float) -> tuple[int, int, int]:
    plane, row, column = (int(count) for count in np.ceil(reach_mm / spacing_mm + spare))
    return plane, row, column


@lru_cache(maxsize=16)
def voxel_kernel(spacing_mm: Spacing, density_kg_l: float) -> NDArray[np.float64]:
    """
    Fractions of the energy of one uniform voxel, on a grid with that voxel in the middle; they sum to 1.

    `spacing_mm` is (plane, row, column). The overlap of two equal boxes shifted by d is a product of triangles in d, so
    every point of the radial table is shared out among the eight voxels around it by linear weights. The table ends at
    11 mm of water and is brought to 1, so that kernel and local deposition give the same energy.
    Raises ImpossibleInput for voxels or densities that are no tissue's.
    """
    if not all(SPACING_MM[0] <= spacing <= SPACING_MM[1] for spacing in spacing_mm):
        raise ImpossibleInput(f"voxels of {spacing_mm} mm: a kernel is made for {SPACING_MM[0]} to {SPACING_MM[1]} mm")
    if not DENSITY_KG_L[0] <= density_kg_l <= DENSITY_KG_L[1]:
        raise ImpossibleInput(f"density {density_kg_l} kg/L: a kernel is made for {DENSITY_KG_L} kg/L; air has none")
    half = half_shape(spacing_mm, density_kg_l)
    octant = _octant(np.array(spacing_mm) * density_kg_l / WATER_DENSITY_KG_L, half)
    kernel = _mirrored(octant)
    kernel /= kernel.sum()
    kernel.setflags(write=False)
    return kernel


def _directions() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors of one octant with weights that sum to 1: Gauss in the cosine and in the azimuth."""
    nodes, weights = leggauss(ANGLES)
    cosine, share = (nodes + 1) / 2, weights / 2
    azimuth = cosine * np.pi / 2
    sine = np.sqrt(1 - cosine**2)
    vectors = np.stack(
        [
            np.outer(cosine, np.ones(ANGLES)),
            np.outer(sine, np.cos(azimuth)),
            np.outer(sine, np.sin(azimuth)),
        ],
        axis=-1,
    )
    return vectors.reshape(-1, 3), np.outer(share, share).ravel()


def _radii() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Radii in mm of water with their energy, which is spread evenly through the volume of its shell."""
    nodes, weights = leggauss(RADII_PER_SHELL)
    shells = np.arange(len(SHELL_ENERGY_MEV))[:, None]
    radii = (shells + (nodes + 1) / 2) * SHELL_MM
    by_volume = weights * radii**2
    energies = np.array(SHELL_ENERGY_MEV)[:, None] * by_volume / by_volume.sum(axis=1, keepdims=True)
    return radii.ravel(), energies.ravel()


def _octant(spacing_mm: NDArray[np.float64], half: tuple[int, int, int]) -> NDArray[np.float64]:
    """Energy per voxel of the octant with indices 0 and up, each point of it standing for its eight mirror images."""
    shape = (half[0] + 2, half[1] + 2, half[2] + 2)
    octant = np.zeros(int(np.prod(shape)))
    vectors, shares = _directions()
    for radius, energy in zip(*_radii(), strict=True):
        place = radius * vectors / spacing_mm
        low = place.astype(np.int64)
        upper = place - low
        for corner in np.ndindex(2, 2, 2):
            share = np.prod(np.where(np.array(corner), upper, 1 - upper), axis=1) * shares * energy
            octant += np.bincount(np.ravel_multi_index((low + corner).T, shape), share, minlength=octant.size)
    return octant.reshape(shape)[: half[0] + 1, : half[1] + 1, : half[2] + 1]


def _mirrored(octant: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unfold the octant; what lies off a plane of symmetry is shared by its two images."""
    full = octant
    for axis in range(3):
        body = np.take(full, np.arange(1, full.shape[axis]), axis=axis) / 2
        middle = np.take(full, [0], axis=axis)
        full = np.concatenate([np.flip(body, axis), middle, body], axis=axis)
    return full
