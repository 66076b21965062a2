"""What this disk allows a durable receiver at most: the same octets written, synced and committed, and nothing else."""

import os
import queue
import sqlite3
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

_ROW_OCTETS = 600  # about what a receipt takes in the ledger

Waiting = tuple[int, Future[None]]


def floor(files: Sequence[Path], folder: Path, *, associations: int) -> float:
    """
    Instances a second that are durable: file and folder synced at the same time, then a row committed.

    As a receiver that answers each sender after its own instance: so many at once as there are associations, and those
    that wait for a commit share one. Nothing is received, read or hashed, and the octets are in memory before.
    """
    contents = [path.read_bytes() for path in files]
    place = folder / "place"
    place.mkdir()
    waiting: queue.SimpleQueue[Waiting | None] = queue.SimpleQueue()
    writer = threading.Thread(target=_commit, args=(folder / "ledger.sqlite", waiting))
    writer.start()
    with ThreadPoolExecutor(associations) as senders, ThreadPoolExecutor(associations) as syncing:

        def store(number: int) -> None:
            part, handle = folder / str(number), os.open(folder / str(number), os.O_WRONLY | os.O_CREAT, 0o600)
            os.write(handle, contents[number])
            part.rename(place / part.name)
            synced = syncing.submit(_sync, place)
            os.fsync(handle)
            synced.result()
            os.close(handle)
            committed: Future[None] = Future()
            waiting.put((number, committed))
            committed.result()

        start = time.monotonic()
        list(senders.map(store, range(len(contents))))
        seconds = time.monotonic() - start
    waiting.put(None)
    writer.join()
    return len(contents) / seconds


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def _commit(ledger: Path, waiting: "queue.SimpleQueue[Waiting | None]") -> None:
    """Commit what waits, in one transaction, until there is a None."""
    connection = sqlite3.connect(ledger, isolation_level=None)
    for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE r (k PRIMARY KEY, v)"):
        connection.execute(statement)
    while (first := waiting.get()) is not None:
        batch = [first]
        while not waiting.empty() and (following := waiting.get()) is not None:  # None comes when nobody waits
            batch.append(following)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO r VALUES (?, ?)", [(number, "x" * _ROW_OCTETS) for number, _ in batch])
        connection.execute("COMMIT")
        for _, committed in batch:
            committed.set_result(None)
    connection.close()
