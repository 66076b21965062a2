"""Convolves a dose map with a voxel kernel: in single precision, only where it is asked for, with a kept spectrum."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.fft import fft, ifft, irfft, next_fast_len, rfft, rfftn

from connector.core.dosimetry.dvh import Slices
from connector.core.dosimetry.kernel import Spacing, half_shape, voxel_kernel

# Transforms are split by rows, so the number of workers changes the time and never a bit of the result.
WORKERS = 2
# Round-off of a transform, in units of the largest value: below it a voxel is cold.
ROUND_OFF = 0.5
Real = NDArray[np.float32] | NDArray[np.float64]


def convolved(dose: Real, *, spacing_mm: Spacing, density_kg_l: float) -> Real:
    """
    The dose map blurred by the kernel, same shape and precision; what leaves the grid is lost.

    The input is local deposition in one density. Only half of the kernel's width is padded: more would wrap into
    voxels that are cut away.
    """
    half = half_shape(spacing_mm, density_kg_l)
    planes, rows, columns = (size + reach for size, reach in zip(dose.shape, half, strict=True))
    shape = (next_fast_len(planes), next_fast_len(rows), next_fast_len(columns, real=True))
    # Axis by axis, so that rows of padding are neither transformed on the way in nor on the way back.
    spectrum = rfft(dose, n=shape[2], axis=2, workers=WORKERS)
    spectrum = fft(spectrum, n=shape[1], axis=1, workers=WORKERS, overwrite_x=True)
    spectrum = fft(spectrum, n=shape[0], axis=0, workers=WORKERS, overwrite_x=True)
    spectrum *= _kernel_spectrum(spacing_mm, density_kg_l, shape, dose.dtype.char)
    spectrum = ifft(spectrum, axis=0, workers=WORKERS, overwrite_x=True)[: dose.shape[0]]
    spectrum = ifft(spectrum, axis=1, workers=WORKERS, overwrite_x=True)[:, : dose.shape[1]]
    blurred = irfft(spectrum, n=shape[2], axis=2, workers=WORKERS, overwrite_x=True)
    result: Real = blurred[:, :, : dose.shape[2]]
    floor = ROUND_OFF * np.finfo(result.dtype).eps * float(result.max(initial=0))
    result[result < floor] = 0
    return result


@lru_cache(maxsize=4)
def _kernel_spectrum(spacing_mm: Spacing, density_kg_l: float, shape: tuple[int, int, int], kind: str) -> Real:
    """Transform of the centred kernel; an even kernel has a real one, half the memory and half the product."""
    kernel = voxel_kernel(spacing_mm, density_kg_l)
    wrapped = np.zeros(shape, dtype=kind)
    places = np.ix_(
        *[np.arange(-(side // 2), side // 2 + 1) % full for side, full in zip(kernel.shape, shape, strict=True)]
    )
    # A grid narrower than the kernel folds it upon itself; what folds falls into the part that is cut away.
    np.add.at(wrapped, places, kernel.astype(kind))
    spectrum = np.ascontiguousarray(rfftn(wrapped, workers=WORKERS).real)
    spectrum.setflags(write=False)
    return spectrum


def grown(box: Slices, by: tuple[int, int, int], shape: tuple[int, int, int]) -> Slices:
    """A box grown to all sides, within the volume."""
    sides = [
        slice(max(side.start - reach, 0), min(side.stop + reach, size))
        for side, reach, size in zip(box, by, shape, strict=True)
    ]
    return sides[0], sides[1], sides[2]


def convolved_around(dose: Real, box: Slices, *, spacing_mm: Spacing, density_kg_l: float) -> tuple[Slices, Real]:
    """
    The blurred dose in a box and one range around it, equal to that of the whole volume.

    Sources reach in from one range further out, so two ranges around the box are transformed. Returns the part of the
    volume that was answered, and its dose.
    """
    half = half_shape(spacing_mm, density_kg_l)
    shape = (dose.shape[0], dose.shape[1], dose.shape[2])
    answered = grown(box, half, shape)
    sources = grown(answered, half, shape)
    blurred = convolved(dose[sources], spacing_mm=spacing_mm, density_kg_l=density_kg_l)
    inner = tuple(
        slice(side.start - source.start, side.stop - source.start)
        for side, source in zip(answered, sources, strict=True)
    )
    return answered, blurred[inner]
