"""A PACS on a free loopback port that does what a test tells it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pynetdicom import AE

from connector.dicom.pacs_association import Pacs

CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.34"
VERIFICATION, COMMITMENT = "1.2.840.10008.1.1", "1.2.840.10008.1.20.1"
FIND, MOVE, GET = (f"1.2.840.10008.5.1.4.1.2.2.{number}" for number in (1, 2, 3))


@contextmanager
def scripted(
    *handlers: Any, contexts: tuple[str, ...] = (VERIFICATION, CT), change: Callable[[AE], None] | None = None
) -> Iterator[Pacs]:
    """A PACS on a free loopback port that does what its handlers say."""
    entity = AE(ae_title="PACS")
    for uid in contexts:
        entity.add_supported_context(uid, scu_role=True, scp_role=True)
    if change is not None:
        change(entity)
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=list(handlers))
    try:
        yield Pacs(
            host="127.0.0.1", port=server.server_address[1], ae_title="PACS", calling_ae_title="CONNECTOR",
            answer_seconds=2.0,
        )  # fmt: skip
    finally:
        server.shutdown()
