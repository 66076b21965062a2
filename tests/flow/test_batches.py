"""The one thread that many wait for goes on, whatever its work or its idle moments end with."""

from threading import Event, Thread

from connector.batches import Batches


def brought(batches: Batches[int, int], number: int) -> list[int]:
    """What is told for a number; nothing when nobody tells within ten seconds."""
    told: list[int] = []
    waiting = Thread(target=lambda: told.append(batches.begin(number).result()), daemon=True)
    waiting.start()
    waiting.join(10)
    return told


def test_an_idle_moment_that_fails_ends_nothing() -> None:
    rested = Event()

    def idle() -> None:
        rested.set()
        raise OSError("the connection was lost while it was given back")

    batches: Batches[int, int] = Batches(lambda batch: [2 * one for one in batch], name="test", idle=idle)
    assert brought(batches, 1) == [2]
    assert rested.wait(10)
    assert brought(batches, 2) == [4]
    batches.close()
