"""A data folder to back up, and where its rows say that the files are."""

from pathlib import Path

import sqlalchemy as sa
from ledger_case import Bench, assessment, document, make_bench, receipt

from connector.store import tables as t
from connector.store.backup import Place
from connector.store.engine import open_ledger


def filled(tmp_path: Path, url: str) -> tuple[Place, Bench]:
    """A data folder with an instance and a document that waits."""
    data = tmp_path / "data"
    place = Place(data, url or f"sqlite:///{data / 'ledger.sqlite'}")
    data.mkdir()
    (data / "case.key").write_bytes(b"k" * 64)
    (data / "inbox" / ".incoming").mkdir(parents=True)
    (data / "inbox" / ".incoming" / "x.part").write_bytes(b"half")
    image = data / "inbox" / "ab" / "1.dcm"
    image.parent.mkdir()
    image.write_bytes(b"pixels")
    bench = make_bench(place.ledger_url, data)
    bench.inbox.receive(receipt(path=image))
    with bench.ledger.transaction() as connection:
        bench.ledger.save(connection, assessment("c", "1.2.3", "d"), "{}", [document("2.25.7")])
    return place, bench


def paths(url: str) -> list[Path]:
    engine = open_ledger(url)
    with engine.connect() as connection:
        found = connection.execute(sa.union(sa.select(t.instance.c.path), sa.select(t.document.c.path))).scalars().all()
    engine.dispose()
    return [Path(one) for one in found]
