"""What a conflict between sources is, so that a draft can name every one that touched its ranking."""

from dataclasses import dataclass

from connector.core.rules import Condition


@dataclass(frozen=True, slots=True)
class Conflict:
    """
    A disagreement or gap of the sources, with the reading that is built in.

    It touches a case when one of `rules` fired or `when` holds; with neither it is a note for the manual.
    """

    id: str
    disagreement: str
    resolution: str
    rules: tuple[str, ...] = ()
    when: Condition | None = None
    to_confirm: bool = False
