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
    TRAINING = "training"  # the same where every patient is made up


_NAMED = (Way.SESSION, Way.TRAINING)  # where there is nobody real to be protected, anybody counts as known


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
        return self.way in _NAMED and self.is_clinical

    @property
    def compares_identity(self) -> bool:
        """May see whom images and record name where that is to be decided; an operator too, there and only there."""
        return self.way in _NAMED and (self.is_clinical or self.is_operator)

    @property
    def is_operator(self) -> bool:
        """May see settings, the logbook and stopped steps."""
        return OPERATOR in self.roles

    def may(self, act: str) -> bool:
        """Whether this person may decide it; a machine never does, nor who cannot compare whose images they are."""
        if self.way is Way.TOKEN or (act in _CLINICAL_ACTS and not self.compares_identity):
            return False
        return self.is_operator or (self.is_clinical and act in _CLINICAL_ACTS)


LOCAL = Person("this machine (no sign-in)", frozenset(ROLES), Way.OPEN)
TRAINEE = Person("this machine (made-up patients)", frozenset(ROLES), Way.TRAINING)
MACHINE = Person("console token", frozenset({OPERATOR}), Way.TOKEN)
