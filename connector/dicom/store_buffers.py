"""
Memory that objects arrive in: page-aligned, and used again.

Aligned, since only from there a file can be written past the page cache; again, since the pages of new memory, which
the kernel must find and clear, would cost more than to receive an object.
"""

import mmap

_KEPT_BUFFERS = 8
_KEPT_BYTES = 2**20  # of each; a rare large object does not hold its memory for ever


class Buffers:
    """Buffers of one size; as many as there are objects on their way in, and a few that wait for the next ones."""

    def __init__(self, size_bytes: int) -> None:
        self._size_bytes = size_bytes
        self._waiting: list[mmap.mmap] = []

    def take(self) -> mmap.mmap:
        """A buffer that nobody else has; what is in it is of no meaning."""
        try:
            return self._waiting.pop()
        except IndexError:
            return mmap.mmap(-1, self._size_bytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def give_back(self, buffer: mmap.mmap) -> None:
        """Have a buffer used again; whoever gives it back must not touch it any more, nor any view of it."""
        if len(self._waiting) < _KEPT_BUFFERS:
            buffer.madvise(mmap.MADV_DONTNEED, _KEPT_BYTES)
            self._waiting.append(buffer)
