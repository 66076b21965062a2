"""Which treatment fits: cited rules, one file for each source or guideline edition, listed in `registry.py`."""

from connector.core.selection.comparing import compare
from connector.core.selection.engine import select

__all__ = ["compare", "select"]
