"""Who may do what: the three roles, and a person at the door."""

from dataclasses import dataclass
from enum import StrEnum

OPERATOR, CLINICIAN, PHYSICIST = "operator", "clinician", "physicist"
ROLES = (OPERATOR, CLINICIAN, PHYSICIST)
CLINICAL = frozenset({CLINICIAN, PHYSICIST})
# A clinician compares identities and knows whose images they are; what concerns the machinery is the operator's.
_CLINICAL_ACTS = frozenset({"release", "reject", "restore"})


class Way(StrEnum):
    """How somebody came in."""

    SESSION = "session"  # signed in: by password or OpenID
    TOKEN = "token"  # noqa: S105 - a machine with the console token
    OPEN = "open"  # from this machine, while no sign-in is set up


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who came in; `name` stands in the logbook."""

    name: str
    roles: frozenset[str]
    way: Way

    @property
    def is_clinical(self) -> bool:
        """May read what an assessment says."""
        return bool(self.roles & CLINICAL)

    @property
    def sees_identity(self) -> bool:
        """May see whom a case is of, and open documents, which name the patient: only somebody known by name."""
        return self.way is Way.SESSION and self.is_clinical

    @property
    def is_operator(self) -> bool:
        """May see settings, the logbook and stopped steps."""
        return OPERATOR in self.roles

    def may(self, act: str) -> bool:
        """Whether this person may decide this; a machine never decides."""
        if self.way is Way.TOKEN:
            return False
        return self.is_operator or (self.is_clinical and act in _CLINICAL_ACTS)


LOCAL = Person("this machine (no sign-in)", frozenset(ROLES), Way.OPEN)
MACHINE = Person("console token", frozenset({OPERATOR}), Way.TOKEN)
