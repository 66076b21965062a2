"""What operation watches, as one look at the ledger: figures without anything of a patient."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Seconds from the last instance to a delivery; the quiet time of 30 s is in it.
TOOK_BOUNDS_SECONDS = (15.0, 30.0, 45.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)


@dataclass(frozen=True, slots=True)
class Figures:
    """One look at the ledger; times are seconds since the epoch, ages seconds."""

    at: float
    instances: int
    last_instance_at: float | None
    studies: Mapping[str, int]
    associations: int
    jobs: Mapping[tuple[str, str], int]  # kind and state
    queue_age_seconds: Mapping[str, float]  # of the oldest step that could run now, by kind
    failing: Mapping[tuple[str, str], int]  # kind and reason class, of steps that wait with a reason
    oldest_waiting_seconds: float
    documents: Mapping[tuple[str, str, bool], int]  # kind, destination, delivered
    unanswered: int  # documents of which the PACS did not say for seven days whether it keeps them
    took: Mapping[tuple[str, str], tuple[Sequence[int], float]]  # by kind and destination: up to each bound, all; sum
    events: Mapping[str, int]
    audit_waiting: Mapping[str, tuple[int, float]]  # by repository: number, age of the oldest
    parts: Mapping[str, tuple[int, float]]  # living processes of a part, and when the newest was seen
    sign_in_until: float | None  # the soonest end of a held token; None: no worker holds one
    sign_in_refused: int
