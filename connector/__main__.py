"""The command line: every command mounted, none of them here."""

import os
import sys

import click

from connector import __version__
from connector.cli import operate, service
from connector.cli.demo import demo
from connector.cli.dose import dose
from connector.cli.process import process
from connector.cli.respond import respond, response
from connector.cli.schema import schema



@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="connector")
def main() -> None:
    """
    Between PACS and EHR, for thyroid cancer that has spread.

    Studies and Observations come in; response, absorbed dose and treatment options go out, always as unverified drafts
    for a tumour board. JSON goes to stdout; progress, logs and errors go to stderr. Exit 0: answered, also when the
    answer is "cannot decide"; 2: the input or the usage is wrong; 1: something else failed.

    \b
    Try it:          connector demo
    Cases on files:  connector respond | dose plan | dose fit | dose map | select | process
    The service:     connector serve, or listen + worker + beat + web
    Operation:       connector check | status | replay | release | study complete | migrate
    """  # noqa: D301 - click reads the \b


for command in (
    demo, respond, response, dose, process, schema,
    service.serve, service.listen, service.worker, service.beat, service.web,
    operate.check, operate.status, operate.replay, operate.release, operate.study, operate.migrate,
):  # fmt: skip
    main.add_command(command)

if __name__ == "__main__":
    # numpy's threads would fight the worker processes for the same cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
