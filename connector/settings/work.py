"""Settings of the work itself: where state is kept, and how work is claimed, tried and given up."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings

_DATABASES = ("sqlite", "postgresql", "postgresql+psycopg")
_BROKERS = ("memory", "redis", "rediss", "redis+socket", "sentinel")


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

    @field_validator("database_url")
    @classmethod
    def _database(cls, url: str) -> str:
        if not url:
            return url
        from sqlalchemy.engine import make_url  # noqa: PLC0415 - loads slowly, and most settings are read without
        from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - as above

        try:
            known = make_url(url).drivername in _DATABASES
        except (ArgumentError, ValueError):  # ValueError: of a port that is no number
            known = False
        if not known:
            raise ValueError(
                "is no address of a database: write postgresql+psycopg://USER:PASSWORD@HOST:5432/NAME (of a password,"
                " percent-encode what is neither letter nor digit), or leave it out for SQLite in the data folder"
            )
        return url

    @field_validator("broker_url")
    @classmethod
    def _broker(cls, url: str) -> str:
        # Several addresses, of Sentinels, are parted by semicolons.
        if not all(one.partition(":")[0] in _BROKERS and ":" in one and _is_readable(one) for one in url.split(";")):
            raise ValueError("is no address of a broker: write redis://:PASSWORD@HOST:6379/0, or memory:// for `serve`")
        return url

    @property
    def ledger_url(self) -> str:
        """The SQLAlchemy URL in force."""
        return self.database_url or f"sqlite:///{(self.data_dir / 'ledger.sqlite').absolute()}"


def _is_readable(url: str) -> bool:
    """Whether the address parts into host and port: one with a bare / or # in its password does not."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False
