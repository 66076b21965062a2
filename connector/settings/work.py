"""Settings of the work itself: where state is kept, and how work is claimed, tried and given up."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings


class WorkSettings(BaseSettings):
    """Folder, ledger, broker and the pace of the workers."""

    data_dir: Path = Field(
        default=Path("connector-data"),
        description="Folder for received instances, documents waiting, and the SQLite ledger.",
    )
    database_url: str = Field(default="", description="SQLAlchemy URL of the ledger; empty: SQLite in the data folder.")
    broker_url: str = Field(
        default="memory://", description="Celery broker; `memory://` is for `serve` only, else redis://."
    )

    sweep_seconds: float = Field(
        default=1.0, gt=0, description="Seconds between two sweeps of the ledger for due work."
    )
    lease_seconds: float = Field(default=900.0, gt=0, description="Seconds a worker may hold one piece of work.")
    maximum_attempts: int = Field(
        default=12, ge=1, description="Tries of one delivery before it is parked for a person."
    )

    retain_instances_days: float = Field(
        default=0, ge=0, description="Days after the last work on a case until its received files go; 0: never."
    )
    retain_documents_days: float = Field(
        default=0, ge=0, description="The same for the files of documents that were delivered; 0: never."
    )
    retain_rows_days: float = Field(
        default=0, ge=0, description="The same for the ledger's rows of a case without files; 0: never."
    )
    retain_events_days: float = Field(
        default=0, ge=0, description="Days until events of the logbook, the audit trail, go; 0: never."
    )

    @property
    def ledger_url(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'ledger.sqlite').absolute()}"
