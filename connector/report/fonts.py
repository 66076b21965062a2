"""The one typeface of the report, the same on every machine and in the pictures, and which signs it can show."""

from functools import cache
from pathlib import Path

import matplotlib as mpl
import typst
from matplotlib.ft2font import FT2Font

# Matplotlib ships DejaVu Sans (Latin, Greek, Cyrillic, Arabic, Hebrew and more) under a licence that allows embedding.
_FOLDER = Path(mpl.get_data_path()) / "fonts" / "ttf"


@cache
def fonts() -> typst.Fonts:
    """The faces to set the report in; fonts of the machine are left out, since they would change the bytes."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(_FOLDER)])


def is_shown(text: str) -> bool:
    """Whether every sign of a text has a glyph; a sign without one is drawn as an empty box."""
    return _signs().issuperset(map(ord, text))


@cache
def _signs() -> frozenset[int]:
    return frozenset(FT2Font(str(_FOLDER / "DejaVuSans.ttf")).get_charmap())
