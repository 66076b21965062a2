"""Puts received bytes on disk so that they survive a crash before the sender is told that they are safe."""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from mmap import PAGESIZE, mmap
from pathlib import Path

from connector.batches import Batches
from connector.core.errors import TryLater
from connector.dicom.store_buffers import Buffers
from connector.durable import sync_folder

_SPILL_BYTES = 4 * 2**20  # larger objects go to disk while they arrive, so that memory stays bounded
_WRITE_BYTES = 2**20
_ROOM_CHECK_BYTES = 64 * 2**20
_WORTH_IT_BYTES = 64 * 1024  # less is copied faster than the kernel looks up the pages it is in
_O_DIRECT: int | None = getattr(os, "O_DIRECT", None)  # not on macOS


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that is on disk and synced; `digest` is SHA-256 over the data set without preamble and file meta."""

    path: Path
    size_bytes: int
    digest: str


class FileStore:
    """
    A folder of received instances: `<two hex digits>/<hash>-<random>.dcm`, nothing of the patient in any name.

    Every reception gets a path of its own, so that dropping a duplicate can never touch the copy that is in use.
    """

    def __init__(self, folder: Path, *, disk_reserve_bytes: int = 0) -> None:
        self._folder = folder.absolute()
        self._incoming = self._folder / ".incoming"
        self._disk_reserve_bytes = disk_reserve_bytes
        self.buffers = Buffers(_SPILL_BYTES)
        self._folder_syncs: Batches[Path, None] = Batches(_sync_folders, name="folder-sync")
        self._incoming.mkdir(parents=True, exist_ok=True, mode=0o700)
        for shard in range(256):
            (self._folder / f"{shard:02x}").mkdir(exist_ok=True, mode=0o700)
        sync_folder(self._folder)
        self._remove_abandoned()

    def begin(self, file_meta: bytes, *, has_own_thread: bool = False) -> "Incoming":
        """
        Start an object; `file_meta` (with the preamble) stands in front of its data set in the file.

        Where a thread receives nothing else, it makes the file and takes the digest while the sender still sends.
        """
        return Incoming(self, file_meta, has_own_thread=has_own_thread)

    def require_room(self, size_bytes: int) -> None:
        """Raise TryLater unless an object of a size fits above the reserve."""
        free = os.statvfs(self._folder)
        if free.f_bavail * free.f_frsize - size_bytes < self._disk_reserve_bytes:
            raise TryLater("the disk is down to its reserve: free space on the data folder, or add a disk")

    def open_part(self) -> tuple[int, Path]:
        """Open a new temporary file; its lock tells a later start that it is not abandoned."""
        path = self._incoming / f"{secrets.token_hex(16)}.part"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        return handle, path

    def place(
        self, part: Path, handle: int, *, study_instance_uid: str, sop_instance_uid: str, write: Callable[[], None]
    ) -> Path:
        """
        Move a temporary file to its place and `write` what is not in it; then its content and its name are on disk.

        The name is synced while the content is written and synced, which takes the disk once where one after the other
        takes it twice; objects of one study share the sync of their folder. Until then no row of the ledger names the
        file.
        """
        shard = self._folder / sha256(study_instance_uid.encode()).hexdigest()[:2]
        name = f"{sha256(sop_instance_uid.encode()).hexdigest()[:32]}-{secrets.token_hex(8)}.dcm"
        path = shard / name
        part.rename(path)
        try:
            synced = self._folder_syncs.begin(shard)
            try:
                write()
                os.fsync(handle)
            finally:
                synced.result()
        except BaseException:  # a thread that cannot be begun, too: no row will ever name the file
            path.unlink(missing_ok=True)
            raise
        return path

    def _remove_abandoned(self) -> None:
        """Delete temporary files of a process that died; nobody was told that they were stored."""
        for part in self._incoming.glob("*.part"):
            with suppress(OSError), part.open("rb") as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                part.unlink()


def _sync_folders(folders: Sequence[Path]) -> list[Exception | None]:
    """Make the renames in folders durable, each once."""
    faults: dict[Path, Exception] = {}
    for folder in set(folders):
        try:
            sync_folder(folder)
        except OSError as fault:
            faults[folder] = fault
    return [faults.get(folder) for folder in folders]


class Incoming:
    """
    One object on its way in: in memory while small, in a temporary file once it is large.

    Close it when it is not committed.
    """

    def __init__(self, store: FileStore, file_meta: bytes, *, has_own_thread: bool = False) -> None:
        self._store = store
        self._handle: int | None = None
        self._part: Path | None = None
        self._buffer: mmap | None = None  # first what `close` looks at, should there be no memory
        self._buffer = store.buffers.take()
        self._digest = sha256()
        self._has_own_thread = has_own_thread
        self._has_spilled = False
        self._written = 0
        self._fault: TryLater | None = None
        self._meta_bytes = len(file_meta)
        self._buffer[: self._meta_bytes] = file_meta
        self._end = self._meta_bytes
        if has_own_thread:
            self._try(self._make_file)

    def __del__(self) -> None:
        """Leave no file, and give the memory back."""
        self.close()

    @property
    def size_bytes(self) -> int:
        """Bytes of the data set so far."""
        return max(self._written + self._end - self._meta_bytes, 0)

    @property
    def part(self) -> tuple[Path, int] | None:
        """The temporary file and the offset of its data set, once the object outgrew memory."""
        return (self._part, self._meta_bytes) if self._part is not None and self._has_spilled else None

    @contextmanager
    def in_memory(self) -> Iterator[memoryview]:
        """What is in memory: all of the data set while there is no `part`."""
        with memoryview(self._open()) as whole, whole[self._unwritten_meta : self._end] as octets:
            yield octets

    def write(self, octets: bytes | memoryview) -> None:
        """Append bytes; a full disk is told by `settle`, as the sender can only be answered at the end."""
        buffer = self._open()
        with memoryview(octets) as rest:
            while rest:
                limit = _WRITE_BYTES if self._has_spilled else _SPILL_BYTES
                count = min(len(rest), limit - self._end)
                buffer[self._end : self._end + count] = rest[:count]
                if self._has_own_thread:
                    self._digest.update(rest[:count])
                self._end += count
                rest = rest[count:]  # noqa: PLW2901 - what is left of it
                if self._end == limit:
                    self._spill()

    def settle(self) -> None:
        """Have all of the object in memory or all of it in its file. Raises TryLater when the disk did not take it."""
        if self._has_spilled:
            self._spill()
        if self._fault is not None:
            raise self._fault

    def commit(self, *, study_instance_uid: str, sop_instance_uid: str) -> StoredFile:
        """Make the object durable under its final name. Raises TryLater when the disk refuses."""
        try:
            self.settle()
            if not self._has_spilled:
                self._store.require_room(self._end)
            if self._part is None or self._handle is None:
                self._part, self._handle = self._make_file()
            path = self._store.place(
                self._part, self._handle, study_instance_uid=study_instance_uid, sop_instance_uid=sop_instance_uid,
                write=lambda: self._flush(past_cache=not self._has_spilled),
            )  # fmt: skip
        except (OSError, RuntimeError) as fault:  # RuntimeError: no thread for the sync, as the process is ending
            self.close()
            raise TryLater(
                f"the disk did not take the object ({type(fault).__name__}): check the data folder"
            ) from fault
        except TryLater:
            self.close()
            raise
        self._part = None
        self.close()
        return StoredFile(path, self._written, self._digest.hexdigest())

    def close(self) -> None:
        """Forget the object, and its temporary file if there is one; the end of an object that was not committed."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        if self._part is not None:
            self._part.unlink(missing_ok=True)
            self._part = None
        if self._buffer is not None:
            self._store.buffers.give_back(self._buffer)
            self._buffer = None

    @property
    def _unwritten_meta(self) -> int:
        """How many octets of the file meta information stand at the buffer's beginning."""
        return 0 if self._has_spilled else self._meta_bytes

    def _open(self) -> mmap:
        if self._buffer is None:
            raise ValueError("the object is closed")
        return self._buffer

    def _spill(self) -> None:
        if self._fault is None:
            self._try(self._make_room)
        self._has_spilled = True
        self._end = 0

    def _try(self, step: Callable[[], object]) -> None:
        """Keep what goes wrong with the disk until the sender can be told."""
        try:
            step()
        except OSError as fault:
            self._fault = TryLater(f"the disk did not take the object ({type(fault).__name__})")
            self._fault.__cause__ = fault
        except TryLater as fault:
            self._fault = fault

    def _make_room(self) -> None:
        if self._written % _ROOM_CHECK_BYTES < _WRITE_BYTES:
            self._store.require_room(self._end)
        self._flush()

    def _make_file(self) -> tuple[Path, int]:
        self._handle, self._part = self._store.open_part()
        return self._part, self._handle

    def _flush(self, *, past_cache: bool = False) -> None:
        """Write what is in memory to the temporary file."""
        if self._handle is None:
            self._make_file()
        assert self._handle is not None  # noqa: S101 - made above
        with memoryview(self._open()) as whole, whole[: self._end] as octets:
            if not self._has_own_thread:
                with octets[self._unwritten_meta :] as data_set:
                    self._digest.update(data_set)
            done = _write_past_cache(self._handle, octets) if past_cache else 0
            _write_all(self._handle, octets[done:])
        self._written += self._end
        self._end = 0


def _write_past_cache(handle: int, octets: memoryview) -> int:
    """
    Write the whole pages that a new file begins with straight from memory to the disk; returns how many octets.

    That saves to copy an image that nobody reads now into the page cache, which costs more than to receive it, and
    leaves the cache to the ledger. What a file system cannot do so, or not at this block size, it says in many ways: it
    gets nothing here, and the ordinary write that follows tells of a disk that fails.
    """
    pages = len(octets) // PAGESIZE * PAGESIZE
    if pages < _WORTH_IT_BYTES or _O_DIRECT is None:
        return 0
    flags = fcntl.fcntl(handle, fcntl.F_GETFL)
    try:
        fcntl.fcntl(handle, fcntl.F_SETFL, flags | _O_DIRECT)
        with octets[:pages] as whole_pages:
            return os.write(handle, whole_pages)
    except OSError:
        return 0
    finally:
        fcntl.fcntl(handle, fcntl.F_SETFL, flags)


def _write_all(handle: int, octets: memoryview) -> None:
    done = 0
    while done < len(octets):
        done += os.write(handle, octets[done:])
