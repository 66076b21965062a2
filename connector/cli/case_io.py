"""One way for every case command to read its case, write its result, and leave with the right exit code."""

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import click

from connector.contract.reading import dumps, error_line, load
from connector.core.errors import BadCase, ConnectorError

Run = Callable[[Any], dict[str, Any]]
LONGEST_VALUE_SHOWN = 200


class CaseError(click.ClickException):
    """The case or the usage is wrong: exit 2, and the last line of stderr says what to do."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Write the one sentence, with nothing before it."""
        click.echo(self.format_message(), file=file, err=True)


class RunFailed(CaseError):
    """Something failed that is not the caller's fault: exit 1."""

    exit_code = 1


def sentence(fault: BadCase) -> str:
    """One line for stderr, `field = value: what to do`; the value stands as JSON, cut when it is long."""
    value = dumps(fault.value)
    if len(value) > LONGEST_VALUE_SHOWN:
        value = value[:LONGEST_VALUE_SHOWN] + "…"
    return " ".join(f"{fault.field} = {value}: {fault.message}".split())


case_argument = click.argument("case", metavar="CASE.json")
debug_option = click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
_lines_option = click.option("--lines", is_flag=True, help="One JSON case a line in, one result a line out.")


def case_command(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument and the options that all case commands share."""
    return case_argument(_lines_option(debug_option(command)))


def _text_of(result: dict[str, Any], indent: int | None = None) -> bytes:
    """One result as JSON; a lone surrogate from the case leaves as the JSON escape it came as."""
    return dumps(result, indent=indent).encode("utf-8", "backslashreplace")


def run_cases(
    run: Run, case: str, *, lines: bool, debug: bool = False, line_of: Callable[[Any], bytes] = _text_of
) -> None:
    """
    Answer the case in the file `case` (`-` is stdin), or every line of it, as JSON on stdout.

    A bad case leaves with exit 2 and its sentence as the last line of stderr; with `lines` it becomes an error line and
    the run goes on. Anything else that fails leaves with exit 1. A traceback is shown only with `debug`. `line_of`
    writes the lines.
    """
    try:
        with _opened(case) as source:
            if lines:
                for text in source:
                    _write(line_of(_answer_line(run, text)))
            else:
                _write(_text_of(run(load(source.read())), indent=2))
    except BadCase as fault:
        _leave(CaseError(sentence(fault)), debug=debug)
    except BrokenPipeError:
        raise  # whoever read our output has left: click ends quietly
    except ConnectorError as fault:
        _leave(CaseError(str(fault)), debug=debug)
    except Exception as fault:  # noqa: BLE001 - the last door: a person sees a sentence, and --debug the rest
        _leave(RunFailed(f"{type(fault).__name__}: repeat with --debug and report what it prints"), debug=debug)


def _answer_line(run: Run, text: bytes) -> dict[str, Any]:
    """Every line has its answer, a blank one too: a caller counts the answers to know which case is whose."""
    if not text.strip():
        return error_line(BadCase("(case)", "", "the line is blank: give one case a line, or take the line out"))
    try:
        return run(load(text))
    except BadCase as fault:
        return error_line(fault)
    except ConnectorError as fault:
        return error_line(BadCase("(case)", None, str(fault)))


@contextmanager
def _opened(case: str) -> Iterator[BinaryIO]:
    if case == "-":
        yield sys.stdin.buffer
        return
    try:
        source = Path(case).open("rb")  # noqa: SIM115 - closed below; only opening may name the argument
    except OSError as fault:
        raise BadCase("CASE", case, f"cannot be read ({fault.strerror}): give a file, or - for stdin") from fault
    with source:
        yield source


def _write(result: bytes) -> None:
    """Write one result and let it go at once: a caller may wait for it before sending the next line."""
    sys.stdout.buffer.write(result + b"\n")
    sys.stdout.buffer.flush()


def _leave(leaving: CaseError, *, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc(file=sys.stderr)
    raise leaving from None
