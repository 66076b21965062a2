"""A backup is taken while the service runs and put back whole, or not at all."""

import json
import shutil
from pathlib import Path

import pytest
from backup_case import filled, paths
from ledger_case import receipt

from connector.core.errors import BadCase, TryLater
from connector.store.backup import Place, back_up, restore
from connector.store.engine import migrate


def test_a_backup_put_back_elsewhere_names_the_files_where_they_are_now(tmp_path: Path) -> None:
    place, bench = filled(tmp_path, "")
    told = back_up(place, tmp_path / "copy")
    assert told["files"] == 4, "the ledger, the key, one instance, one document"
    assert not list((tmp_path / "copy").rglob("*.part")), "what was still arriving was answered to nobody"
    there = Place(tmp_path / "new", f"sqlite:///{tmp_path / 'new' / 'ledger.sqlite'}")
    assert restore(there, tmp_path / "copy")["moved"] == 2
    assert (there.data_dir / "case.key").read_bytes() == b"k" * 64
    for path in paths(there.ledger_url):
        assert path.is_relative_to(there.data_dir)
        assert path.read_bytes() in {b"pixels", b"2.25.7"}
    bench.inbox.close()


def _key(folder: Path) -> None:
    (folder / "case.key").write_bytes(b"x")


def _gone(folder: Path) -> None:
    next((folder / "outbox").iterdir()).unlink()


def _unfinished(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "sentence"), [(_key, "is damaged"), (_gone, "is damaged"), (_unfinished, "no finished backup")]
)
def test_a_damaged_backup_is_not_put_back(tmp_path: Path, spoil, sentence) -> None:
    place, bench = filled(tmp_path, "")
    back_up(place, tmp_path / "copy")
    bench.inbox.close()
    spoil(tmp_path / "copy")
    there = Place(tmp_path / "new", f"sqlite:///{tmp_path / 'new' / 'ledger.sqlite'}")
    with pytest.raises(BadCase, match=sentence):
        restore(there, tmp_path / "copy")
    assert not there.data_dir.exists(), "nothing is half put back"


def test_a_place_in_use_and_a_full_folder_are_left_alone(tmp_path: Path) -> None:
    place, bench = filled(tmp_path, "")
    back_up(place, tmp_path / "copy")
    with pytest.raises(BadCase, match="move it away"):
        restore(place, tmp_path / "copy")
    with pytest.raises(BadCase, match="holds other files"):
        back_up(place, tmp_path / "copy")
    with pytest.raises(BadCase, match="holds no ledger"):
        back_up(Place(tmp_path / "none", f"sqlite:///{tmp_path / 'none' / 'l.sqlite'}"), tmp_path / "copy2")
    bench.inbox.close()


def test_a_row_whose_file_is_elsewhere_fails_the_backup(tmp_path: Path) -> None:
    place, bench = filled(tmp_path, "")
    stray = tmp_path / "stray" / "2.dcm"
    stray.parent.mkdir()
    stray.write_bytes(b"pixels")
    bench.inbox.receive(receipt("1.2.3.2", path=stray))
    with pytest.raises(TryLater, match="1 files"):
        back_up(place, tmp_path / "copy")
    assert not (tmp_path / "copy" / "manifest.json").exists()
    bench.inbox.close()


def test_a_file_that_goes_while_it_is_copied_does_not_stop_the_backup(tmp_path: Path, monkeypatch) -> None:
    # An instance that was sent twice is on disk for a moment under a second name, then taken back.
    place, bench = filled(tmp_path, "")
    twice = place.data_dir / "inbox" / "ab" / "1-again.dcm"
    twice.write_bytes(b"pixels")
    copy = shutil.copyfile

    def slow(source: Path, target: Path) -> None:
        twice.unlink(missing_ok=True)
        copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", slow)
    assert back_up(place, tmp_path / "copy")["files"] == 4
    there = Place(tmp_path / "new", f"sqlite:///{tmp_path / 'new' / 'ledger.sqlite'}")
    restore(there, tmp_path / "copy")
    bench.inbox.close()


def test_the_manifest_says_what_it_is_of(tmp_path: Path) -> None:
    place, bench = filled(tmp_path, "")
    back_up(place, tmp_path / "copy")
    manifest = json.loads((tmp_path / "copy" / "manifest.json").read_bytes())
    assert manifest["database"] == "ledger.sqlite"
    assert manifest["revision"] == migrate(place.ledger_url)
    assert set(manifest["sha256"]) >= {"case.key", "ledger.sqlite", "inbox/ab/1.dcm"}
    bench.inbox.close()
