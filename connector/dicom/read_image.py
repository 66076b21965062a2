"""A series becomes one array and one grid, filled in place; whatever is not one straight volume is refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from connector.core.case import VolumeGeometry
from connector.core.errors import ImpossibleInput
from connector.dicom.headers import Header
from connector.dicom.read_geometry import Frame, assemble, frames_of
from connector.dicom.read_pixels import stored_frames


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """Values [plane, row, column] on a regular grid, and the frame that each plane came from."""

    values: NDArray[np.float32]
    geometry: VolumeGeometry
    frames: tuple[Frame, ...]


def rescale(frame: Frame) -> tuple[float, float]:
    """Slope and intercept of a frame (Modality LUT); 1 and 0 when there are none. They may differ between slices."""
    slope = frame.first("PixelValueTransformationSequence", "RescaleSlope")
    intercept = frame.first("PixelValueTransformationSequence", "RescaleIntercept")
    return (1.0 if slope is None else float(slope)), (0.0 if intercept is None else float(intercept))


def read_volume(headers: Sequence[Header], scale: Callable[[Frame], tuple[float, float]] = rescale) -> Volume:
    """
    Read single slices or a multi-frame object of one series (CT, PET, NM, enhanced) into one float32 array.

    `scale` gives slope and intercept of a frame. Raises ImpossibleInput for several series, uneven, tilted or mixed
    planes, and pixels that do not decode.
    """
    if len({header.series_instance_uid for header in headers}) != 1:
        raise ImpossibleInput("a volume is read from exactly one series: choose one")
    geometry, ordered = assemble([frame for header in headers for frame in frames_of(header)])
    plane_of = {(frame.header.path, frame.number): plane for plane, frame in enumerate(ordered)}
    values = np.empty(geometry.shape, dtype=np.float32)
    for header in headers:
        for number, stored in enumerate(stored_frames(header)):
            plane = plane_of[header.path, number]
            slope, intercept = scale(ordered[plane])
            np.multiply(stored, slope, out=values[plane], casting="unsafe")
            if intercept:
                values[plane] += intercept
    return Volume(values, geometry, tuple(ordered))
