"""The demo's archive: a storage SCP that keeps files, and the FHIR server, each on a free loopback port."""

import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Self

import uvicorn

from connector.demo.record_server import make_record_server
from connector.demo.record_store import RecordStore
from connector.dicom.receive import Listener
from connector.ports import Receipt, ReceiptOutcome

ARCHIVE_AE_TITLE = "ARCHIVE"


class Shelf:
    """An inbox that remembers receipts in memory."""

    def __init__(self) -> None:
        self.receipts: dict[str, Receipt] = {}
        self._lock = threading.Lock()

    def receive(self, receipt: Receipt) -> ReceiptOutcome:
        """Keep the first of each SOP Instance UID."""
        with self._lock:
            if receipt.sop_instance_uid in self.receipts:
                return ReceiptOutcome.SAME
            self.receipts[receipt.sop_instance_uid] = receipt
            return ReceiptOutcome.STORED

    def held(self, sop_instance_uids: Sequence[str]) -> Mapping[str, str]:
        """Which of these instances are here, with their SOP classes."""
        found = (self.receipts.get(uid) for uid in sop_instance_uids)
        return {receipt.sop_instance_uid: receipt.sop_class_uid for receipt in found if receipt}

    def expecting(self, uids: Sequence[str]) -> AbstractContextManager[None]:  # noqa: ARG002 - of the port
        """An archive asks nobody for anything."""
        return nullcontext()

    def is_expected(self, uids: Sequence[str]) -> bool:  # noqa: ARG002 - of the port
        """An archive asks nobody for anything."""
        return False

    def association_opened(self, association_id: str) -> None:
        """Associations need no care here."""

    def association_alive(self, association_id: str) -> None:
        """Associations need no care here."""

    def association_closed(self, association_id: str) -> None:
        """Associations need no care here."""


class Archive:
    """A PACS and an EHR of one process, on loopback; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.shelf = Shelf()
        self.records = RecordStore()
        self._listener = Listener(inbox=self.shelf, folder=folder, ae_title=ARCHIVE_AE_TITLE, host="127.0.0.1", port=0)
        self._http = uvicorn.Server(
            uvicorn.Config(make_record_server(self.records), host="127.0.0.1", port=0, log_config=None)
        )
        self._thread = threading.Thread(target=self._http.run, name="archive-http", daemon=True)

    @property
    def dicom_port(self) -> int:
        """Port of the storage SCP."""
        return self._listener.port

    @property
    def fhir_url(self) -> str:
        """Base URL of the FHIR server."""
        return f"http://127.0.0.1:{self._http.servers[0].sockets[0].getsockname()[1]}/fhir"

    def __enter__(self) -> Self:
        """Start both."""
        self._listener.start()
        self._thread.start()
        while not self._http.started:
            self._thread.join(timeout=0.02)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop both."""
        self._http.should_exit = True
        self._thread.join(timeout=10)
        self._listener.stop()
