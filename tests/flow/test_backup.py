"""A backup is taken while the service runs and put back whole, or not at all."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from backup_case import filled, paths
from ledger_case import make_bench, receipt

from connector.core.errors import BadCase, TryLater
from connector.ports import Heard
from connector.store.backup import Place, _postgres, back_up, restore
from connector.store.engine import migrate
from connector.store.messages import MessageBook


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


def test_what_waits_aside_for_a_person_is_in_the_backup_and_is_found_again(tmp_path: Path) -> None:
    place, bench = filled(tmp_path, "")
    message, twin = place.data_dir / "hl7" / "aside" / "d.hl7", place.data_dir / "inbox" / "ab" / "twin.dcm"
    message.parent.mkdir(parents=True)
    message.write_bytes(b"MSH|")
    twin.write_bytes(b"other")
    book = MessageBook(bench.ledger)
    book.set_aside(Heard("m", "d", "LIS", "ORU^R01"), reason="OBX-5 is no number", path=str(message))
    bench.inbox.receive(receipt(path=twin, digest="other"))
    back_up(place, tmp_path / "copy")
    there = Place(tmp_path / "new", f"sqlite:///{tmp_path / 'new' / 'ledger.sqlite'}")
    assert restore(there, tmp_path / "copy")["moved"] == 4
    again = make_bench(there.ledger_url, there.data_dir)
    (waiting,) = MessageBook(again.ledger).waiting()
    assert Path(waiting["path"]).read_bytes() == b"MSH|"
    (conflict,) = [one for one in again.desk.status()["events"] if one["kind"] == "instance_conflict"]
    assert f"kept aside at {there.data_dir / 'inbox' / 'ab' / 'twin.dcm'}: ask SENDER" in conflict["detail"]
    for one in (bench, again):
        one.inbox.close()
        one.engine.dispose()


def test_postgresqls_tools_get_the_whole_url_and_no_command_line_holds_the_password(tmp_path, monkeypatch) -> None:
    tool = tmp_path / "pg_dump"
    seen = ('echo "$@" >"$SEEN.args"', 'cat "$PGSERVICEFILE" >"$SEEN"', 'stat -c %a "$PGSERVICEFILE" >>"$SEEN"')
    tool.write_text("\n".join(("#!/bin/sh", *seen)))
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("SEEN", str(tmp_path / "seen"))
    url = "postgresql+psycopg://me:s3cret@db.test:5433/ledger?sslmode=verify-full&sslrootcert=/ca.pem&sslcert=/me.pem"
    _postgres(Place(tmp_path, url), "pg_dump", "--format=custom")
    assert set((tmp_path / "seen").read_text().split()) == {
        "[ledger]", "host=db.test", "port=5433", "user=me", "password=s3cret", "dbname=ledger", "sslmode=verify-full",
        "sslrootcert=/ca.pem", "sslcert=/me.pem", "600",
    }  # fmt: skip
    assert (tmp_path / "seen.args").read_text() == "--dbname=service=ledger --format=custom\n"


def _key(folder: Path) -> None:
    (folder / "case.key").write_bytes(b"x")


def _gone(folder: Path) -> None:
    next((folder / "outbox").iterdir()).unlink()


def _unfinished(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def _says(**changed: object) -> Callable[[Path], None]:
    """A manifest that says otherwise; all else is as it was written."""

    def spoil(copy: Path) -> None:
        manifest = json.loads((copy / "manifest.json").read_text())
        (copy / "manifest.json").write_text(json.dumps(manifest | changed))

    return spoil


def _foreign(text: str) -> Callable[[Path], object]:
    return lambda copy: (copy / "manifest.json").write_text(text)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_key, "is damaged"),
        (_gone, "is damaged"),
        (_unfinished, "no finished backup"),
        (_foreign('{"name": "of an extension"}'), "no finished backup"),  # other programs have manifests too
        (_foreign("[1]"), "no finished backup"),
        (_foreign('{"sha256": {"a'), "no finished backup"),  # cut off
        (_says(sha256={"../case.key": "0"}), "is no backup of ours"),
        (_says(sha256={"/etc/passwd": "0", "ledger.sqlite": "0"}), "names other files"),
        (_says(revision="9999"), r"is of a newer version \(revision 9999\): install that one"),
    ],
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
