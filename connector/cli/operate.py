"""What an operator does: look at the state, release, replay, force a study complete, migrate, check the settings."""

import getpass
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Column, Table

from connector.cli.case_io import CaseError, sentence
from connector.contract.reading import dumps
from connector.core.errors import BadCase

if TYPE_CHECKING:
    from connector.operation import Operation


def who() -> str:
    """Login name of the person at the command, for the logbook; a container's user may have none, and has a number."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError: from Python 3.13 on
        return f"user {os.getuid()}"


@contextmanager
def opened() -> Iterator["Operation"]:
    """The ledger for one command; wrong input leaves as one sentence."""
    from connector.operation import open_operation  # noqa: PLC0415 - keeps --help fast
    from connector.settings.reading import read_settings  # noqa: PLC0415

    try:
        with open_operation(read_settings()) as operation:
            yield operation
    except BadCase as fault:
        raise CaseError(sentence(fault)) from None


@click.command()
@click.option("--table", is_flag=True, help="Tables for a person, on stderr, beside the JSON.")
def status(*, table: bool) -> None:
    """
    Tell what came in, what is due, what waits for a person and why, and what happened last.

    Example: connector status | jq .waiting
    """
    with opened() as operation:
        answer = operation.desk.status()
        answer["documents"] = operation.desk.documents()
    if table:
        _show(answer)
    click.echo(dumps(answer, indent=2))


def _show(answer: dict[str, Any]) -> None:
    # However narrow the terminal: an id is there to be copied.
    longest = max((len(row["id"]) for row in answer["waiting"]), default=0)
    shown = Table("What", "State", "Reason", Column("Id", no_wrap=True, min_width=longest), title="Waiting")
    for row in answer["waiting"]:
        shown.add_row(row["kind"], row["state"], row["reason"] or "", row["id"])
    Console(stderr=True).print(shown)
    if answer["unanswered"]["count"]:
        click.echo(f"{answer['unanswered']['count']} documents: {answer['unanswered']['what_to_do']}", err=True)


@click.command()
@click.argument("ref", metavar="ID")
def replay(ref: str) -> None:
    """
    Make a parked or set-aside step due again, by the id that `status` shows; `all` for every one.

    A document that the PACS never said it keeps is stored and asked for again by its id; `unanswered` for every one.

    Example: connector replay all
    """
    with opened() as operation:
        click.echo(dumps({"replayed": operation.desk.replay(ref, by=who())}))


@click.command()
@click.argument("ref", metavar="ID")
@click.option("--because", required=True, help="What was done, and where; no patient data. It stays in the logbook.")
def settle(ref: str, *, because: str) -> None:
    """
    End a parked delivery, withdrawal or report that a person did elsewhere instead, by the id that `status` shows.

    Nothing is sent. It is recorded with your login name and the reason. Of a document that the PACS never said it
    keeps, or of all with `unanswered`, it says that you found it there.

    Example: connector settle 1.2.840.113619.2.1 --because "withdrawn in the PACS, ticket 4711"
    """
    with opened() as operation:
        click.echo(dumps({"settled": operation.desk.done_by_hand(ref, by=who(), because=because)}))


@click.command()
@click.argument("study_instance_uid", metavar="ID")
def release(study_instance_uid: str) -> None:
    """
    Confirm that a study set aside for its identity belongs to the patient of the record, and assess it.

    Compare name, birth date and sex in PACS and EHR first. The release is recorded with your login name.

    Example: connector release 1.2.840.113619.2.1
    """
    with opened() as operation:
        operation.desk.release(study_instance_uid, by=who())
        click.echo(dumps({"released": study_instance_uid}))


@click.group()
def study() -> None:
    """
    Act on one study.

    Example: connector study complete 1.2.840.113619.2.55
    """


@study.command()
@click.argument("study_instance_uid", metavar="UID")
def complete(study_instance_uid: str) -> None:
    """
    Say that a study is complete now, without waiting for its quiet time.

    Example: connector study complete 1.2.840.113619.2.1
    """
    with opened() as operation:
        if not operation.ledger.complete_study(study_instance_uid, "operator", by=who()):
            raise CaseError(
                sentence(BadCase("UID", study_instance_uid, "no instance of this study was received: check the UID"))
            )
        click.echo(dumps({"complete": study_instance_uid}))


@study.command("wrong-patient")
@click.argument("study_instance_uid", metavar="UID")
@click.option("--reason", required=True, help="Why; it stands in the logbook. No patient data.")
def wrong_patient(study_instance_uid: str, reason: str) -> None:
    """
    Keep a study out: nothing more of it is assessed or sent. Prints what was delivered before.

    That is taken back: entered in error in the EHR, rejected in the PACS.

    Example: connector study wrong-patient 1.2.840.113619.2.1 --reason "scanned under another ID"
    """
    from connector.store.acts import REJECT, Act, Acts  # noqa: PLC0415 - keeps --help fast

    with opened() as operation:
        asked = Act(REJECT, study_instance_uid, who(), reason, secrets.token_urlsafe(18))
        done = Acts(operation.ledger).act(asked)
        if not done.done:
            raise CaseError(sentence(BadCase("UID", study_instance_uid, done.text)))
        delivered = [
            row
            for row in operation.desk.documents(limit=10_000)
            if row["study_instance_uid"] == study_instance_uid and row["delivered_at"] is not None
        ]
        click.echo(dumps({"wrong_patient": study_instance_uid, "delivered_before": delivered}, indent=2))


@study.command()
@click.argument("study_instance_uid", metavar="UID")
def route(study_instance_uid: str) -> None:
    """
    Have the routing rules judge a kept-out or incomplete study again, after the rules changed; `all` for every one.

    Example: connector study route all
    """
    with opened() as operation:
        click.echo(dumps({"routed": operation.desk.route_again(study_instance_uid, by=who())}))


@click.command()
@click.option("--to", "revision", default="head", show_default=True, help="Revision; an older one takes changes back.")
def migrate(revision: str) -> None:
    """
    Bring the ledger's tables to a revision, forwards or back.

    Example: connector migrate
    """
    from connector.operation import migrate_ledger  # noqa: PLC0415 - keeps --help fast
    from connector.settings.reading import read_settings  # noqa: PLC0415

    click.echo(dumps({"revision": migrate_ledger(read_settings(), revision)}))


@click.command()
@click.option("--explain", is_flag=True, help="List every setting with its default, unit and meaning; try nothing.")
def check(*, explain: bool) -> None:
    """
    Read the settings back and try PACS, EHR, broker, database and disk.

    Exit 1 when one of them is not well, 2 when a setting cannot be meant.

    Example: CONNECTOR_PACS_HOST=pacs CONNECTOR_PACS_PORT=104 connector check
    """
    from connector.settings import explain as every_setting  # noqa: PLC0415 - keeps --help fast
    from connector.settings.reading import read_settings, unknown_names  # noqa: PLC0415

    if explain:
        rows = [{"setting": name, "default": default, "meaning": meaning} for name, default, meaning in every_setting()]
        click.echo(dumps(rows, indent=2))
        return
    from connector.app import check_all  # noqa: PLC0415 - keeps --help fast

    settings, unknown = read_settings(), unknown_names()
    results = {"settings": "; ".join(unknown) or None, **check_all(settings)}
    click.echo(dumps({name: reason or "ok" for name, reason in results.items()}, indent=2))
    failed = {name: reason for name, reason in results.items() if reason and not reason.startswith("not set")}
    for name, reason in failed.items():
        click.echo(f"{name}: {reason}", err=True)
    if failed:
        raise SystemExit(1)
