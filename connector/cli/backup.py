"""`connector backup` and `connector restore`: all state in one folder, taken while the service runs, checked."""

from pathlib import Path

import click

from connector.contract.reading import dumps


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def backup(folder: Path) -> None:
    """
    Copy the ledger, received instances, documents and the key of case references into an empty folder.

    The service may run. PostgreSQL is dumped by pg_dump, which must be installed. Keep the copy as safe as the
    original: it holds patients' images.

    Example: connector backup /backup/connector-2026-01-31
    """
    from connector.operation import place_of  # noqa: PLC0415 - keeps --help fast
    from connector.settings.reading import read_settings  # noqa: PLC0415
    from connector.store.backup import back_up  # noqa: PLC0415

    click.echo(dumps(back_up(place_of(read_settings()), folder), indent=2))


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
def restore(folder: Path) -> None:
    """
    Check a backup and put it back into an empty data folder and an empty database; the service must not run.

    Afterwards `connector migrate`, `connector check`, start. What came in after the backup is sent again by the PACS;
    what is sent twice is known.

    Example: CONNECTOR_DATA_DIR=/var/lib/connector connector restore /backup/connector-2026-01-31
    """
    from connector.operation import place_of  # noqa: PLC0415 - keeps --help fast
    from connector.settings.reading import read_settings  # noqa: PLC0415
    from connector.store.backup import restore as put_back  # noqa: PLC0415

    click.echo(dumps(put_back(place_of(read_settings()), folder), indent=2))
