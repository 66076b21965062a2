"""Convolves a dose map with a voxel kernel: in single precision, only where it is asked for, with a kept spectrum."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, ifft, irfft, next_fast_len, rfft

from connector.core.dosimetry.dvh import Slices
from connector.core.dosimetry.kernel import Spacing, half_shape, voxel_kernel

# Blocks are independent, so the number of workers changes the time and never a bit of the result.
WORKERS = 2
# One block of the transform stays in a core's own cache through all of its passes.
BLOCK_BYTES = 2**19
# Round-off of a transform, in units of the largest value: below it a voxel is cold.
ROUND_OFF = 0.5
Real = NDArray[np.float32] | NDArray[np.float64]
Complex = NDArray[np.complexfloating]
Shape = tuple[int, int, int]


def convolved(dose: Real, *, spacing_mm: Spacing, density_kg_l: float) -> Real:
    """
    The dose map blurred by the kernel, same shape and precision; what leaves the grid is lost.

    The input is local deposition in one density and not below 0.
    """
    everywhere = slice(0, dose.shape[0]), slice(0, dose.shape[1]), slice(0, dose.shape[2])
    return _blurred(dose, everywhere, spacing_mm, density_kg_l)


def convolved_around(dose: Real, box: Slices, *, spacing_mm: Spacing, density_kg_l: float) -> tuple[Slices, Real]:
    """
    The blurred dose in a box and one range around it, equal to that of the whole volume.

    Sources reach in from one range further out. Returns the part of the volume that was answered, and its dose.
    """
    answered = grown(box, half_shape(spacing_mm, density_kg_l), _shape(dose))
    return answered, _blurred(dose, answered, spacing_mm, density_kg_l)


def grown(box: Slices, by: Shape, shape: Shape) -> Slices:
    """A box grown to all sides, within the volume."""
    sides = [
        slice(max(side.start - reach, 0), min(side.stop + reach, size))
        for side, reach, size in zip(box, by, shape, strict=True)
    ]
    return sides[0], sides[1], sides[2]


def _shape(array: NDArray[np.generic]) -> Shape:
    return array.shape[0], array.shape[1], array.shape[2]


def _blurred(dose: Real, answered: Slices, spacing_mm: Spacing, density_kg_l: float) -> Real:
    """Blurred dose of one part of the volume; only what holds a source or is in range of one is transformed."""
    half = half_shape(spacing_mm, density_kg_l)
    result: Real = np.zeros([side.stop - side.start for side in answered], dtype=dose.dtype)
    reaching = grown(answered, half, _shape(dose))
    sources = _sources(dose, reaching)
    if sources is None:
        return result
    lit = [
        slice(max(side.start, asked.start), min(side.stop, asked.stop))
        for side, asked in zip(grown(sources, half, _shape(dose)), answered, strict=True)
    ]
    into = tuple(slice(side.start - a.start, side.stop - a.start) for side, a in zip(lit, answered, strict=True))
    _transform(
        dose,
        result[into],
        sources=sources,
        lit=(lit[0], lit[1], lit[2]),
        spacing_mm=spacing_mm,
        density_kg_l=density_kg_l,
    )
    return result


def _sources(dose: Real, within: Slices) -> Slices | None:
    """Smallest box around all dose within a box; None when there is none."""
    highest = dose[within].max(axis=0)
    planes = np.flatnonzero([plane.any() for plane in dose[within]])
    if not planes.size:
        return None
    sides = []
    for lit, side in zip(
        (planes, np.flatnonzero(highest.any(axis=1)), np.flatnonzero(highest.any(axis=0))), within, strict=True
    ):
        sides.append(slice(side.start + int(lit[0]), side.start + int(lit[-1]) + 1))
    return sides[0], sides[1], sides[2]


def _transform(
    dose: Real, result: Real, *, sources: Slices, lit: Slices, spacing_mm: Spacing, density_kg_l: float
) -> None:
    """
    Write the blurred dose of the voxels `lit`, which are in range of `sources`, into `result`.

    Transforms are as long as keeps what wraps around out of every voxel that is kept. Passes run block by block
    over one spectrum: planes forward, then along the planes there and back, then planes backward.
    """
    half = half_shape(spacing_mm, density_kg_l)
    needed = [
        max(to.stop - of.start, of.stop - to.start) + reach for of, to, reach in zip(sources, lit, half, strict=True)
    ]
    shape = next_fast_len(needed[0]), next_fast_len(needed[1]), next_fast_len(needed[2], real=True)
    origin = [min(of.start, to.start) for of, to in zip(sources, lit, strict=True)]
    filled = _moved(sources, origin)
    wanted = _moved(lit, origin)
    kernel = _kernel_spectrum(spacing_mm, density_kg_l, shape, dose.dtype.char)
    spectrum: Complex = np.zeros(
        (shape[0], shape[1], shape[2] // 2 + 1), dtype=np.result_type(dose.dtype, np.complex64)
    )
    source = dose[sources]

    def forward(block: slice) -> None:
        planes = source[block]
        padded = np.zeros((*planes.shape[:2], shape[2]), dtype=dose.dtype)
        padded[:, :, filled[2]] = planes
        part = spectrum[filled[0]][block]
        part[:, filled[1]] = rfft(padded, axis=2)
        _keep(part, fft(part, axis=1, overwrite_x=True))

    def along(block: slice) -> None:
        lines = spectrum[:, block].copy()
        lines = fft(lines, axis=0, overwrite_x=True)
        _multiply(lines, kernel, block, shape)
        spectrum[:, block] = ifft(lines, axis=0, overwrite_x=True)

    def backward(block: slice) -> float:
        rows = ifft(spectrum[wanted[0]][block], axis=1, overwrite_x=True)[:, wanted[1]]
        planes = irfft(rows, n=shape[2], axis=2)[:, :, wanted[2]]
        result[block] = planes
        return float(planes.max())

    def cool(block: slice) -> None:
        part = result[block]
        part[part < floor] = 0

    plane_bytes = spectrum[0].nbytes
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(forward, _blocks(len(source), plane_bytes)))
        list(pool.map(along, _blocks(shape[1], spectrum[:, 0].nbytes)))
        floor = ROUND_OFF * np.finfo(dose.dtype).eps * max(pool.map(backward, _blocks(len(result), plane_bytes)))
        list(pool.map(cool, _blocks(len(result), plane_bytes)))


def _moved(box: Slices, origin: Sequence[int]) -> Slices:
    sides = [slice(side.start - first, side.stop - first) for side, first in zip(box, origin, strict=True)]
    return sides[0], sides[1], sides[2]


def _keep(part: Complex, done: Complex) -> None:
    """Put a transform into its place, where it mostly is already: that is allowed to happen and not promised."""
    if not np.may_share_memory(done, part):
        part[...] = done


def _blocks(count: int, bytes_each: int) -> list[slice]:
    size = max(1, BLOCK_BYTES // bytes_each)
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]


def _multiply(lines: Complex, kernel: Real, rows: slice, shape: Shape) -> None:
    """Multiply by the kernel's spectrum, of which one octant is kept: it is even along each axis."""
    number = np.arange(rows.start, rows.stop)
    part = kernel[:, np.minimum(number, shape[1] - number)]
    first = len(part)
    lines[:first] *= part
    lines[first:] *= part[shape[0] - first : 0 : -1]


@lru_cache(maxsize=4)
def _kernel_spectrum(spacing_mm: Spacing, density_kg_l: float, shape: Shape, kind: str) -> Real:
    """
    Octant of the transform of the centred kernel, which is real and even along each axis: an eighth of the memory.

    Summed in double precision, cosine by cosine, because the kernel is small and the transform is not. Offsets wrap, so
    a grid narrower than the kernel folds it upon itself; what folds falls into the part that is cut away.
    """
    kernel = voxel_kernel(spacing_mm, density_kg_l)
    waves = []
    for side, full in zip(kernel.shape, shape, strict=True):
        offsets = np.arange(-(side // 2), side // 2 + 1)
        waves.append(np.cos(2 * np.pi * (np.arange(full // 2 + 1)[:, None] * offsets % full) / full))
    in_plane = (waves[1] @ kernel @ waves[2].T).reshape(len(kernel), -1)
    spectrum: Real = np.empty([len(wave) for wave in waves], dtype=kind)
    for plane, wave in zip(spectrum, waves[0], strict=True):
        plane[...] = (wave @ in_plane).reshape(plane.shape)
    spectrum.setflags(write=False)
    return spectrum
