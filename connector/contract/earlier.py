"""Reads an assessment back from the JSON that `assessment.render` made, as far as a later one is compared with it."""

from datetime import date

from pydantic import BaseModel, ConfigDict, ValidationError

from connector.core import assessment as core
from connector.core.evidence import Citation


class _Part(BaseModel):
    """A part of a summary; fields that are not compared are passed over, so that summaries may grow."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Source(_Part):
    source: str
    locus: str = ""
    quote: str = ""


class _Reason(_Part):
    rule: str
    text: str
    source: _Source
    facts: tuple[str, ...] = ()


class _Option(_Part):
    modality: str
    verdict: str
    rank: int | None
    because: tuple[_Reason, ...] = ()
    needs: tuple[str, ...] = ()


class _Selection(_Part):
    status: str
    options: tuple[_Option, ...]
    rules_fired: tuple[str, ...] = ()
    contradictions: tuple[str, ...] = ()


class _Visit(_Part):
    overall_response: str


class _Response(_Part):
    visits: tuple[_Visit, ...] = ()


class _Summary(_Part):
    assessed_on: date
    study_instance_uid: str
    selection: _Selection | None = None
    response: _Response | None = None


def read_earlier(summary: str) -> core.Earlier | None:
    """Read a summary; None for one that another version wrote in a shape that cannot be compared."""
    try:
        read = _Summary.model_validate_json(summary)
    except ValidationError:
        return None
    visits = read.response.visits if read.response else ()
    return core.Earlier(
        assessed_on=read.assessed_on,
        study_instance_uid=read.study_instance_uid,
        selection=_selection(read.selection) if read.selection else None,
        overall_response=visits[-1].overall_response if visits else None,
    )


def _selection(read: _Selection) -> core.Selection:
    return core.Selection(
        status=read.status,
        options=tuple(map(_option, read.options)),
        rules_fired=read.rules_fired,
        contradictions=read.contradictions,
    )


def _option(read: _Option) -> core.Option:
    reasons = tuple(
        core.Reason(one.rule, one.text, Citation(one.source.source, one.source.locus, one.source.quote), one.facts)
        for one in read.because
    )
    return core.Option(read.modality, read.verdict, read.rank, reasons, read.needs)
