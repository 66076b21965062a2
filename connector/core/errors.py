"""The three ways a step can fail, because there are three ways to react."""


class ConnectorError(Exception):
    """A failure with a sentence for a person; never holds patient data."""


class ImpossibleInput(ConnectorError):
    """The input can never be right: set it aside and tell a person."""


class TryLater(ConnectorError):
    """
    The other side is busy or away: back off, at least `retry_after_seconds` when it said so.

    `progressed` tells that a part was done and need not be done again: the next try counts as the first.
    """

    def __init__(self, message: str, retry_after_seconds: float | None = None, *, progressed: bool = False) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.progressed = progressed


class Refused(ConnectorError):
    """The other side said no for good: park the document, tell a person, replay by command."""


class BadCase(ImpossibleInput):
    """A field of a case that a person or a script wrote is wrong: exit code 2 on the command line."""

    def __init__(self, field: str, value: object, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.value = value
        self.message = message

    def __str__(self) -> str:
        return f"{self.field} = {self.value!r}: {self.message}"
