"""Received bytes on disk: complete or absent, whatever fails."""

import errno
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from io import BytesIO
from mmap import PAGESIZE
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import (
    ExplicitVRLittleEndian,
)
from receive_case import as_file, files_in, make_image
from state_peers import wait_until

from connector.core.errors import TryLater
from connector.dicom.receive_intake import file_meta
from connector.dicom.store_file import FileStore, StoredFile, _sync_folders

META = b"M" * 200
SMALL, IMAGE, LARGE = b"small" * 100, os.urandom(2**19 + 700), os.urandom(9 * 2**20)
UIDS = {"study_instance_uid": "1.2.3", "sop_instance_uid": "1.2.3.4"}


def put(store: FileStore, octets: bytes, *, step: int = 128 * 1024, has_own_thread: bool = False) -> StoredFile:
    incoming = store.begin(META, has_own_thread=has_own_thread)
    for at in range(0, len(octets), step):
        incoming.write(octets[at : at + step])
    return incoming.commit(**UIDS)


@pytest.mark.parametrize("octets", [SMALL, IMAGE, LARGE, b""], ids=["small", "image", "large", "empty"])
def test_a_stored_file_is_meta_and_data_set_and_its_digest_is_the_data_sets(tmp_path: Path, octets: bytes) -> None:
    stored = put(FileStore(tmp_path), octets)
    assert stored.path.read_bytes() == META + octets
    assert stored.size_bytes == len(META) + len(octets)
    assert stored.digest == sha256(octets).hexdigest()
    assert files_in(tmp_path) == [stored.path]


# Whole pages go past the page cache from 64 KiB on, and what is left of the last one through it; 4 MiB is the most that
# waits in memory. The file meta information, 200 octets here, stands in front and counts.
@pytest.mark.parametrize(
    "size", [2**16 - 1, 2**16, 2**16 + 1, 2**16 + 4096, 2**22 - 1, 2**22, 2**22 + 1, 2**22 + 2**20]
)
@pytest.mark.parametrize("step", [1000, 2**17, 2**23], ids=["small PDUs", "our PDUs", "in one piece"])
@pytest.mark.parametrize("has_own_thread", [False, True], ids=["shared thread", "own thread"])
def test_a_file_of_any_size_is_whole(tmp_path: Path, size: int, step: int, *, has_own_thread: bool) -> None:
    octets = LARGE[: size - len(META)]
    stored = put(FileStore(tmp_path), octets, step=step, has_own_thread=has_own_thread)
    assert stored.path.read_bytes() == META + octets
    assert (stored.size_bytes, stored.digest) == (size, sha256(octets).hexdigest())


def past_cache(monkeypatch: pytest.MonkeyPatch) -> list[tuple[bool, int]]:
    """Each write: whether past the page cache, and of how many octets."""
    written, write = [], os.write

    def note(handle: int, octets: memoryview) -> int:
        direct = bool(fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_DIRECT)
        written.append((direct, len(octets)))
        return write(handle, octets)

    monkeypatch.setattr("connector.dicom.store_file.os.write", note)
    return written


def test_the_whole_pages_of_an_image_go_past_the_page_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = past_cache(monkeypatch)
    put(FileStore(tmp_path), IMAGE)
    pages, left = divmod(len(META) + len(IMAGE), PAGESIZE)
    assert written == [(True, pages * PAGESIZE), (False, left)]
    written.clear()
    put(FileStore(tmp_path), SMALL)
    assert written == [(False, len(META) + len(SMALL))], "less is copied faster"


# Linux says EINVAL; file systems over a network or in user space have words of their own.
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EOPNOTSUPP, errno.EIO])
@pytest.mark.parametrize("says_no", ["to the flag", "to the write"])
def test_a_file_system_without_direct_writes_gets_the_file_as_others_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says_no: str, number: int
) -> None:
    control, write = fcntl.fcntl, os.write

    def refuse_flag(handle: int, command: int, flags: int = 0) -> int:
        if says_no == "to the flag" and command == fcntl.F_SETFL and flags & os.O_DIRECT:
            raise OSError(number, os.strerror(number))
        return control(handle, command, flags)

    def refuse_write(handle: int, octets: memoryview) -> int:
        if control(handle, fcntl.F_GETFL) & os.O_DIRECT:
            raise OSError(number, os.strerror(number))
        return write(handle, octets)

    monkeypatch.setattr("connector.dicom.store_file.fcntl.fcntl", refuse_flag)
    if says_no == "to the write":
        monkeypatch.setattr("connector.dicom.store_file.os.write", refuse_write)
    assert put(FileStore(tmp_path), IMAGE).path.read_bytes() == META + IMAGE


def test_a_write_that_takes_less_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr("connector.dicom.store_file.os.write", lambda handle, octets: write(handle, octets[: 2**16]))
    assert put(FileStore(tmp_path), IMAGE).path.read_bytes() == META + IMAGE


def test_memory_is_used_again_and_what_was_in_it_is_in_no_other_object(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    first = put(store, IMAGE)
    at_once = [store.begin(META) for _ in range(12)]
    for number, incoming in enumerate(at_once):
        incoming.write(bytes([number]) * (1000 + number))
    with at_once[3].in_memory() as octets:
        assert bytes(octets) == bytes([3]) * 1003
    paths = [
        one.commit(study_instance_uid="1.2.3", sop_instance_uid=f"1.2.3.{n}").path for n, one in enumerate(at_once)
    ]
    assert [path.read_bytes() for path in paths] == [META + bytes([n]) * (1000 + n) for n in range(12)]
    assert first.path.read_bytes() == META + IMAGE
    assert len(store.buffers._waiting) == 8, "as many as a busy minute needs, and no more"
    with pytest.raises(ValueError, match="closed"):
        at_once[0].write(b"late")


def test_names_tell_nothing_and_are_never_shared(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    first, second = put(store, SMALL).path, put(store, SMALL).path
    assert first != second, "dropping a duplicate must not touch the copy in use"
    assert first.parent == second.parent, "a study stays together"
    assert "1.2.3" not in str(first.relative_to(tmp_path))


@pytest.mark.parametrize("has_own_thread", [False, True], ids=["shared thread", "own thread"])
def test_a_large_object_waits_on_disk_and_not_in_memory(tmp_path: Path, *, has_own_thread: bool) -> None:
    incoming = FileStore(tmp_path).begin(META, has_own_thread=has_own_thread)
    for at in range(0, len(LARGE), 2**17):
        incoming.write(LARGE[at : at + 2**17])
        with incoming.in_memory() as octets:
            assert len(octets) <= 4 * 2**20
    assert incoming.part is not None
    assert incoming.size_bytes == len(LARGE)
    incoming.close()
    assert not files_in(tmp_path)


@pytest.mark.parametrize("octets", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
@pytest.mark.parametrize("has_own_thread", [False, True], ids=["shared thread", "own thread"])
def test_an_object_that_is_forgotten_leaves_no_file(tmp_path: Path, octets: bytes, *, has_own_thread: bool) -> None:
    incoming = FileStore(tmp_path).begin(META, has_own_thread=has_own_thread)
    incoming.write(octets)
    del incoming
    assert not files_in(tmp_path)


@pytest.mark.parametrize("octets", [SMALL, IMAGE, LARGE], ids=["small", "image", "large"])
@pytest.mark.parametrize("call", ["write", "fsync", "open"])
@pytest.mark.parametrize("has_own_thread", [False, True], ids=["shared thread", "own thread"])
def test_a_disk_that_fails_means_try_later_and_nothing_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, octets: bytes, call: str, *, has_own_thread: bool
) -> None:
    store = FileStore(tmp_path)

    def fails(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(f"connector.dicom.store_file.os.{call}", fails)
    with pytest.raises(TryLater):
        put(store, octets, has_own_thread=has_own_thread)
    monkeypatch.undo()
    assert not files_in(tmp_path)


def test_a_sync_that_cannot_be_begun_means_try_later_and_nothing_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_thread(_: Thread) -> None:
        raise RuntimeError("can't start new thread")  # as at the end of the process

    monkeypatch.setattr(Thread, "start", no_thread)
    with pytest.raises(TryLater, match="RuntimeError"):
        put(FileStore(tmp_path), SMALL)
    assert not files_in(tmp_path)


def test_objects_of_one_study_share_the_sync_of_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, folders, go_on = FileStore(tmp_path), [], Event()

    def slow(folder: Path) -> None:
        folders.append(folder)
        assert go_on.wait(30)

    monkeypatch.setattr("connector.dicom.store_file.sync_folder", slow)
    with ThreadPoolExecutor(9) as senders:
        first = senders.submit(put, store, SMALL)
        wait_until(lambda: len(folders) == 1, seconds=30, what="the first sync")
        others = [senders.submit(put, store, SMALL) for _ in range(8)]
        wait_until(lambda: store._folder_syncs._queue.qsize() == 8, seconds=30, what="eight that wait")
        assert not any(one.done() for one in (first, *others)), "none is called stored before its folder is synced"
        go_on.set()
        assert len({one.result().path for one in (first, *others)}) == 9
    assert len(folders) == 2, "what came while the first sync ran is not covered by it, and shares the next"


def test_a_folder_that_cannot_be_synced_fails_those_alone_who_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def picky(folder: Path) -> None:
        if folder.name == "bad":
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("connector.dicom.store_file.sync_folder", picky)
    good, bad = tmp_path / "good", tmp_path / "bad"
    told = _sync_folders([good, bad, good, bad])
    assert [type(one) for one in told] == [type(None), OSError, type(None), OSError]


@pytest.mark.parametrize("has_own_thread", [False, True], ids=["shared thread", "own thread"])
def test_nothing_is_called_stored_before_file_and_folder_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_own_thread: bool
) -> None:
    store, order = FileStore(tmp_path), []
    sync, rename, write = os.fsync, Path.rename, os.write
    monkeypatch.setattr(
        "connector.dicom.store_file.os.fsync",
        lambda handle: (order.append("folder" if Path(f"/proc/self/fd/{handle}").is_dir() else "file"), sync(handle)),
    )
    monkeypatch.setattr(
        "connector.dicom.store_file.os.write", lambda handle, octets: (order.append("write"), write(handle, octets))[1]
    )
    monkeypatch.setattr(Path, "rename", lambda part, path: (order.append("rename"), rename(part, path))[1])
    put(store, SMALL, has_own_thread=has_own_thread)
    assert order[0] == "rename", "the folder's sync must find the name"
    assert sorted(order[1:]) == ["file", "folder", "write"], "both syncs, before it is called stored"
    assert order.index("write") < order.index("file"), "the file's sync must find all of its content"


@pytest.mark.parametrize("octets", [SMALL, LARGE], ids=["small", "large"])
def test_the_reserve_of_the_disk_is_kept(tmp_path: Path, octets: bytes) -> None:
    with pytest.raises(TryLater, match="reserve"):
        put(FileStore(tmp_path, disk_reserve_bytes=2**62), octets)
    assert not files_in(tmp_path)


def test_a_start_removes_what_a_dead_process_left_and_nothing_else(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    living = store.begin(META)
    living.write(LARGE)
    (tmp_path / ".incoming" / "dead.part").write_bytes(b"half")
    FileStore(tmp_path)
    assert [path.suffix for path in files_in(tmp_path)] == [".part"], "the other process is still writing"
    assert living.commit(**UIDS).path.stat().st_size == len(META) + len(LARGE)


def test_our_file_meta_is_read_by_pydicom(tmp_path: Path) -> None:
    image = make_image()
    meta = file_meta(
        sop_class_uid=image.SOPClassUID,
        sop_instance_uid=image.SOPInstanceUID,
        transfer_syntax_uid=ExplicitVRLittleEndian,
        source_ae_title="MODALITY1",
    )
    whole = as_file(image)
    offset = 144 + dcmread_length(image)
    (tmp_path / "a.dcm").write_bytes(meta + whole[offset:])
    read = dcmread(tmp_path / "a.dcm")
    assert read == image
    assert read.file_meta.SourceApplicationEntityTitle == "MODALITY1"
    assert read.file_meta.FileMetaInformationGroupLength == len(meta) - 144


def dcmread_length(image: Dataset) -> int:
    return dcmread(BytesIO(as_file(image))).file_meta.FileMetaInformationGroupLength
