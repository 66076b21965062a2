"""One plane of an image as a PNG for a page: grey values in a window, nothing else."""

from io import BytesIO

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray


def grey_png(values: NDArray[np.float32], *, window: tuple[float, float], aspect: float) -> bytes:
    """Draw a plane [row, column]; `window` is centre and width, `aspect` the height of a pixel over its width."""
    centre, width = window
    figure = Figure(figsize=(6.4, 6.4), dpi=100, facecolor="black")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(
        values, cmap="gray", vmin=centre - width / 2, vmax=centre + width / 2, aspect=aspect, interpolation="nearest"
    )
    axes.axis("off")
    buffer = BytesIO()
    figure.savefig(buffer, format="png", facecolor="black", metadata={"Software": None})
    return buffer.getvalue()
