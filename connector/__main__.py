"""The command line: every command mounted, none of them here."""

import os
import sys
import traceback
from importlib import import_module

import click

from connector import __version__
from connector.cli.case_io import sentence
from connector.core.errors import BadCase, ConnectorError

# Each command and the file of `cli/` it lives in: only the one that runs is loaded.
COMMANDS = {
    "demo": "demo", "simulate": "simulate",
    "respond": "respond", "response": "respond", "dose": "dose", "select": "select",
    "process": "process", "rules": "select", "schema": "schema", "conformance": "conformance",
    "serve": "service", "listen": "service", "worker": "service", "beat": "service", "web": "service",
    "check": "operate", "status": "operate", "replay": "operate", "release": "operate", "study": "operate",
    "settle": "operate", "migrate": "operate", "tidy": "retention", "erase": "retention", "keys": "keys",
    "user": "user",
    "backup": "backup", "restore": "backup",
}  # fmt: skip


_REPORT = "repeat with --debug and report what it prints"


class Commands(click.Group):
    """Loads a command when it is asked for; `--help` loads them all."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """List them as they are told above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Load one."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"connector.cli.{COMMANDS[cmd_name]}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="connector")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of a failure.")
def main() -> None:
    """
    Between PACS and EHR, for thyroid cancer that has spread.

    Studies and Observations come in; response, absorbed dose and treatment options go out, always as unverified drafts
    for a tumour board. JSON goes to stdout; progress, logs and errors go to stderr. Exit 0: answered, also when the
    answer is "cannot decide"; 2: the input or the usage is wrong; 1: something else failed.

    \b
    Try it:          connector demo | simulate
    Cases on files:  connector respond | dose plan | dose fit | dose map | select | process
    The service:     connector serve, or listen + worker + beat + web
    Operation:       connector check | status | replay | settle | release | study complete | tidy | erase | user
    Keeping it:      connector backup | restore | migrate
    Before the EHR:  connector keys make | keys public
    """  # noqa: D301 - click reads the \b


def _last_words(fault: Exception) -> str:
    """One sentence on what no command foresaw."""
    # Known by its home: the package is not loaded for commands that have no ledger.
    if type(fault).__module__ == "sqlite3" or (type(fault).__module__ == "sqlalchemy.exc" and hasattr(fault, "orig")):
        from connector.store.away import why_away  # noqa: PLC0415 - as above

        return why_away(fault)
    if isinstance(fault, OSError) and fault.filename is not None and fault.strerror:
        return f"{fault.filename}: {fault.strerror}: see that this user may use it and that its disk has room"
    return f"{type(fault).__name__}: {_REPORT}"


def run() -> None:
    """Run a command; what nobody foresaw leaves with exit 1 and one sentence, and its traceback under --debug."""
    # numpy's threads would fight the worker processes for the same cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        main()
    except BadCase as fault:
        click.echo(sentence(fault), err=True)
        sys.exit(2)
    except ConnectorError as fault:
        click.echo(str(fault), err=True)
        sys.exit(1)
    except Exception as fault:  # noqa: BLE001 - the last door before a person
        if "--debug" in sys.argv:
            traceback.print_exc()
        click.echo(_last_words(fault), err=True)
        sys.exit(1)


if __name__ == "__main__":
    run()
