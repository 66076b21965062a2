"""The commands on tumour response: judge a case, and export it for a trial."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import click

from connector.cli.case_io import CaseError, case_argument, case_command, debug_option, run_cases, sentence
from connector.contract.reading import dumps, exact_line
from connector.contract.respond import judged_lesions, run
from connector.contract.respond_sdtm import export as sdtm_tables
from connector.contract.respond_sdtm_read import read_tables
from connector.core.errors import BadCase


@click.command()
@click.option(
    "--pictures",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the pictures of one case of lesions, as PNG and SVG: spider, waterfall, swimmer.",
)
@case_command
def respond(case: str, *, lines: bool, debug: bool, pictures: Path | None) -> None:
    """
    Judge tumour response from a JSON case: RECIST 1.1 or mRECIST.

    Example: echo '{"criteria": "recist-1.1", "table": {"target": "PR", "non_target": "NE", "new_lesion": "none"}}' |
    connector respond -
    """
    if pictures is None:
        run_cases(run, case, lines=lines, debug=debug, line_of=exact_line)
        return
    if lines:
        raise click.UsageError("--pictures draws one case: leave --lines out")
    run_cases(partial(_with_pictures, folder=pictures), case, lines=False, debug=debug)


def _with_pictures(parsed: object, *, folder: Path) -> dict[str, object]:
    """Answer a case and draw it; the answer names the files."""
    from connector.report.response_pictures import changes_of  # noqa: PLC0415 - drawing loads slowly
    from connector.report.response_sheet import response_files  # noqa: PLC0415 - as above

    answer = run(parsed)
    judged, report = judged_lesions(parsed)
    started = {"treatment": judged.treatment_start, "new therapy": judged.new_therapy_date}
    treatments = [(name, on) for name, on in started.items() if on is not None]
    files = response_files(report, changes=changes_of(judged), treatments=treatments)
    return {**answer, "pictures": _saved(files, folder)}


def _saved(files: Mapping[str, bytes], folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [str(folder / name) for name in files]


@click.group()
def response() -> None:
    """
    What else can be done with a response case.

    Example: connector response export --sdtm --study ST1 --subject S-001 --out sdtm case.json
    """


@response.command()
@click.option("--sdtm", is_flag=True, required=True, help="CDISC SDTM: tu.csv, tr.csv and rs.csv.")
@click.option("--study", required=True, help="STUDYID of the trial.")
@click.option("--subject", required=True, help="USUBJID of the patient; a pseudonym.")
@click.option("--out", "folder", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder.")
@debug_option
@case_argument
def export(case: str, *, sdtm: bool, study: str, subject: str, folder: Path, debug: bool) -> None:  # noqa: ARG001 - the flag names the format
    """
    Write a case of lesions, judged, as the tables of a trial.

    Example: connector response export --sdtm --study T1 --subject S1 --out sdtm/ CASE.json
    """

    def write(parsed: object) -> dict[str, object]:
        tables = sdtm_tables(parsed, study=study, subject=subject)
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for domain, text in tables.items():
            path = folder / f"{domain.lower()}.csv"
            path.write_text(text, encoding="utf-8", newline="")
            written.append(str(path))
        return {"written": written}

    run_cases(write, case, lines=False, debug=debug)


@response.command("import")
@click.option("--sdtm", "folder", required=True, type=click.Path(path_type=Path), help="Folder of tu, tr and rs.csv.")
@click.option("--subject", required=True, help="USUBJID of the patient.")
@click.option("--evaluator", default="", help="TREVALID whose rows are taken; default: rows without one.")
@click.option("--treatment-start", help="YYYY-MM-DD; default: the day of the first visit.")
def import_tables(folder: Path, subject: str, evaluator: str, treatment_start: str | None) -> None:
    """
    Read the tables of a trial as a case for `connector respond`, on stdout.

    Example: connector response import --sdtm sdtm/ --subject S1 | connector respond -
    """
    try:
        texts = _texts(folder)
        case = read_tables(texts, subject=subject, evaluator=evaluator, treatment_start=treatment_start)
    except BadCase as fault:
        raise CaseError(sentence(fault)) from None
    click.echo(dumps(case, indent=2))


def _texts(folder: Path) -> dict[str, str]:
    found = {}
    for domain in ("TU", "TR", "RS"):
        path = folder / f"{domain.lower()}.csv"
        if path.is_file():
            try:
                found[domain] = path.read_text(encoding="utf-8-sig")
            except ValueError as fault:
                raise BadCase(path.name, None, "is not UTF-8: export it again") from fault
    return found
