"""Received bytes on disk: complete or absent, whatever fails; and when two files are the same data set."""

import copy
import errno
import os
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, Sequence, dcmread
from pydicom.uid import (
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)
from receive_case import as_file, files_in, make_image

from connector.core.errors import TryLater
from connector.dicom.receive_intake import file_meta
from connector.dicom.receive_same import same_dataset
from connector.dicom.store_file import FileStore, StoredFile

META = b"M" * 200
SMALL, LARGE = b"small" * 100, os.urandom(9 * 2**20)
UIDS = {"study_instance_uid": "1.2.3", "sop_instance_uid": "1.2.3.4"}


def put(store: FileStore, octets: bytes, *, step: int = 128 * 1024) -> StoredFile:
    incoming = store.begin(META)
    for at in range(0, len(octets), step):
        incoming.write(octets[at : at + step])
    return incoming.commit(**UIDS)


@pytest.mark.parametrize("octets", [SMALL, LARGE, b""], ids=["small", "large", "empty"])
def test_a_stored_file_is_meta_and_data_set_and_its_digest_is_the_data_sets(tmp_path: Path, octets: bytes) -> None:
    stored = put(FileStore(tmp_path), octets)
    assert stored.path.read_bytes() == META + octets
    assert stored.size_bytes == len(META) + len(octets)
    assert stored.digest == sha256(octets).hexdigest()
    assert files_in(tmp_path) == [stored.path]


def test_names_tell_nothing_and_are_never_shared(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    first, second = put(store, SMALL).path, put(store, SMALL).path
    assert first != second, "dropping a duplicate must not touch the copy in use"
    assert first.parent == second.parent, "a study stays together"
    assert "1.2.3" not in str(first.relative_to(tmp_path))


def test_a_large_object_waits_on_disk_and_not_in_memory(tmp_path: Path) -> None:
    incoming = FileStore(tmp_path).begin(META)
    for at in range(0, len(LARGE), 2**17):
        incoming.write(LARGE[at : at + 2**17])
        assert incoming.getbuffer().nbytes <= 4 * 2**20
    assert incoming.part is not None
    assert incoming.size_bytes == len(LARGE)
    incoming.close()
    assert not files_in(tmp_path)


def test_an_object_that_is_forgotten_leaves_no_file(tmp_path: Path) -> None:
    incoming = FileStore(tmp_path).begin(META)
    incoming.write(LARGE)
    del incoming
    assert not files_in(tmp_path)


@pytest.mark.parametrize("octets", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("call", ["write", "fsync", "open"])
def test_a_disk_that_fails_means_try_later_and_nothing_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, octets: bytes, call: str
) -> None:
    store = FileStore(tmp_path)

    def fails(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(f"connector.dicom.store_file.os.{call}", fails)
    with pytest.raises(TryLater):
        put(store, octets)
    monkeypatch.undo()
    assert not files_in(tmp_path)


def test_a_sync_that_cannot_be_begun_means_try_later_and_nothing_kept(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store._syncing.shutdown()  # as at the end of the process: no thread can be begun
    with pytest.raises(TryLater, match="RuntimeError"):
        put(store, SMALL)
    assert not files_in(tmp_path)


def test_nothing_is_called_stored_before_file_and_folder_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, order = FileStore(tmp_path), []
    sync, rename = os.fsync, Path.rename
    monkeypatch.setattr(
        "connector.dicom.store_file.os.fsync",
        lambda handle: (order.append("folder" if Path(f"/proc/self/fd/{handle}").is_dir() else "file"), sync(handle)),
    )
    monkeypatch.setattr(Path, "rename", lambda part, path: (order.append("rename"), rename(part, path))[1])
    put(store, SMALL)
    assert order[0] == "rename", "the folder's sync must find the name"
    assert sorted(order[1:]) == ["file", "folder"], "both at the same time, and both before it is called stored"


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


def rich_image() -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = "1.2.3", "1.2.3.4"
    image = make_image(ReferencedStudySequence=Sequence([item]), SliceThickness="2.50")
    image.add_new(0x00091001, "LO", "private")
    image.add_new(0x00090010, "LO", "LAB")
    image.SmallestImagePixelValue = 32
    return image


def saved(image: Dataset, path: Path, syntax: str) -> Path:
    if syntax == RLELossless:
        image.compress(syntax, generate_instance_uid=False)
        image.save_as(path, enforce_file_format=True)
        return path
    image.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        image.PixelData = np.frombuffer(image.PixelData, "<u2").astype(">u2").tobytes()
    image.save_as(
        path, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=syntax != ExplicitVRBigEndian,
        enforce_file_format=True,
    )  # fmt: skip
    return path


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, RLELossless])
def test_one_data_set_in_two_transfer_syntaxes_is_the_same(tmp_path: Path, syntax: str) -> None:
    uid = make_image().SOPInstanceUID
    image = rich_image()
    image.SOPInstanceUID = uid
    first = saved(image.copy(), tmp_path / "a", ExplicitVRLittleEndian)
    second = saved(copy.deepcopy(image), tmp_path / "b", syntax)
    assert first.read_bytes() != second.read_bytes()
    assert same_dataset(first, second)
    assert same_dataset(second, first)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda image: setattr(image, "PatientID", "ANOTHER"), "a value"),
        (lambda image: setattr(image, "SmallestImagePixelValue", 0), "a number that is padding as text"),
        (lambda image: image.__delattr__("Modality"), "an element less"),
        (lambda image: setattr(image, "StudyID", "1"), "an element more"),
        (lambda image: setattr(image.ReferencedStudySequence[0], "ReferencedSOPInstanceUID", "1.2.3.5"), "in an item"),
        (lambda image: image.ReferencedStudySequence.append(Dataset()), "an item more"),
        (lambda image: setattr(image, "PixelData", image.PixelData[:-2] + b"\x01\x02"), "one pixel"),
        (lambda image: image.__delattr__("PixelData"), "no pixels"),
    ],
)
def test_any_difference_in_content_is_one(tmp_path: Path, change: Any, why: str) -> None:
    image = rich_image()
    other = copy.deepcopy(image)
    change(other)
    first = saved(image, tmp_path / "a", ExplicitVRLittleEndian)
    for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian):
        second = saved(copy.deepcopy(other), tmp_path / "b", syntax)
        assert not same_dataset(first, second), why


def test_what_cannot_be_read_counts_as_different(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"not DICOM")
    assert not same_dataset(tmp_path / "a", tmp_path / "a")
    assert not same_dataset(tmp_path / "a", tmp_path / "absent")
