"""How an answer of the EHR, or none, becomes one of the three reactions; nothing of the request enters a text."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

import httpx

from connector.core.errors import Refused, TryLater
from connector.fhir.resource import items, members
from connector.unreached import why_unreached

# httpx logs every URL at INFO, and a URL may hold a patient's identifier.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class Changed(TryLater):
    """The resource has another version than the one that was read (409 or 412): read it again."""


class TimedOut(TryLater):
    """The server took what was asked and did not answer in its time, or a gateway before it says so (504)."""


class NotOffered(Refused):
    """The server does not do this at all, or no longer has it, whatever its statement says."""

    def __init__(self, text: str, status: int) -> None:
        super().__init__(text)
        self.status = status


class _Reaction(Enum):
    LATER = "later"
    CHANGED = "changed"
    REFUSED = "refused"


# RFC 9110 and FHIR R4 http.html 3.1.0. Not in the table: 5xx is the server's own trouble and may pass, 4xx is a no.
_REACTIONS: Mapping[int, _Reaction] = {
    408: _Reaction.LATER,  # the server waited too long for us
    409: _Reaction.CHANGED,  # version conflict in HAPI and Millennium
    412: _Reaction.CHANGED,  # version conflict in FHIR
    423: _Reaction.LATER,  # locked by another writer
    425: _Reaction.LATER,
    429: _Reaction.LATER,
    501: _Reaction.REFUSED,  # the server will never do it
    505: _Reaction.REFUSED,
}
_HINTS: Mapping[int, str] = {
    401: "check the client id, the key and its registration",
    403: "the client lacks the scope, or the record is restricted; ask the EHR's administrator",
    404: "the EHR does not have it, or does not offer this resource type",
    405: "the EHR does not offer this interaction",
    413: "the EHR takes less at once",
    422: "the EHR's own rules do not allow the resource",
}
_OK = range(200, 300)
_ELSEWHERE = range(300, 400)
STATEMENT = "read /metadata"  # what is asked first
_GATEWAY_TIMEOUT = 504
LONGEST_WAIT_SECONDS = 86400.0
_PAUSES_SECONDS = (0.2, 0.8)  # before a read is asked for the second and the third time
_SOON_SECONDS = 2.0  # what takes longer, or is asked to, is the ledger's to try again: it holds no worker meanwhile
_NOT_OFFERED = frozenset({404, 405, 410, 501})  # of a type; of one resource, 404 and 410 say that it is gone


def send(
    http: httpx.Client, request: httpx.Request, *, what: str, setting: str = "CONNECTOR_EHR_URL"
) -> httpx.Response:
    """
    Send one request; `setting` is where its address comes from.

    Raises TryLater when nothing came back: it may have been done all the same.
    """
    try:
        return http.send(request)
    except httpx.ReadTimeout:
        raise TimedOut(f"the EHR did not answer ({what}: ReadTimeout)") from None
    except (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError) as fault:
        why = why_unreached(fault, ca_setting="CONNECTOR_EHR_CA_FILE")
        text = f"the EHR did not answer ({what}: {type(fault).__name__})"
        raise TryLater(f"{text}: {why}; check {setting}" if why else text) from None
    except httpx.ProxyError:
        raise TryLater(f"the proxy does not let us through ({what}): check CONNECTOR_EHR_PROXY") from None
    except (httpx.HTTPError, httpx.InvalidURL) as fault:
        raise Refused(f"the EHR cannot be asked ({what}: {type(fault).__name__}): check {setting}") from None


def again(ask: Callable[[], httpx.Response], *, pause: Callable[[float], None] = time.sleep) -> httpx.Response:
    """
    Ask what changes nothing, up to three times when the server is busy or its answer is lost. Raises as `ask` does.

    A record is read in many pages, and a step that fails begins anew: if one answer in ten were lost, a record of fifty
    pages would never be read. A slow failure (a timeout), and a wait the server wants to be long, leave at once.
    """
    for seconds in _PAUSES_SECONDS:
        began = time.monotonic()
        try:
            return ask()
        except TryLater as fault:
            wait = max(seconds, fault.retry_after_seconds or 0.0)
            if wait > _SOON_SECONDS or time.monotonic() - began > _SOON_SECONDS:
                raise
        pause(wait)
    return ask()


def raise_for_answer(response: httpx.Response, *, what: str, later: Mapping[str, float] | None = None) -> None:
    """
    Raise for an answer that is no success: TryLater, Changed, NotOffered or Refused.

    `later` are codes of an OperationOutcome that will pass, with the seconds to wait (vendors/).
    """
    if response.status_code in _OK:
        return
    for code in _codes(response) if later else ():
        if later and code in later:
            raise TryLater(f"the EHR takes no more for now ({what}: code {code})", later[code])
    raise failure(response.status_code, what=what, retry_after=response.headers.get("Retry-After"))


def _codes(response: httpx.Response) -> Iterator[str]:
    """The codes in an OperationOutcome; its texts may speak of a patient and are never read."""
    try:
        outcome = json.loads(response.content)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return
    for issue in members(outcome, "issue") if isinstance(outcome, dict) else ():
        for coding in members(items(issue, "details"), "coding"):
            yield str(coding.get("code"))


def failure(status: int, *, what: str, retry_after: str | None = None) -> TryLater | Refused:
    """The failure that a status stands for; also for a status inside a batch or transaction answer."""
    reaction = _REACTIONS.get(status)
    if reaction is None:
        reaction = _Reaction.LATER if status >= 500 else _Reaction.REFUSED  # noqa: PLR2004 - the class of server faults
    if reaction is _Reaction.CHANGED:
        return Changed(f"the EHR has another version ({what}: status {status})")
    if reaction is _Reaction.LATER:
        kind = TimedOut if status == _GATEWAY_TIMEOUT else TryLater
        return kind(f"the EHR is busy ({what}: status {status})", seconds_of(retry_after))
    hint = _elsewhere(what) if status in _ELSEWHERE else _HINTS.get(status, "see the EHR's own log")
    if what == STATEMENT and status in _NOT_OFFERED:
        hint = "CONNECTOR_EHR_URL is not the base address of a FHIR server"
    text = f"the EHR refused ({what}: status {status}): {hint}"
    return NotOffered(text, status) if status in _NOT_OFFERED else Refused(text)


def _elsewhere(what: str) -> str:
    """A redirect is not followed: the token would go with it."""
    asked = "CONNECTOR_EHR_TOKEN_URL" if what == "sign in" else "CONNECTOR_EHR_URL"
    return f"it sends us to another address, as to a page for people: set {asked} to the one that answers itself"


def seconds_of(retry_after: str | None, now: datetime | None = None) -> float | None:
    """
    Retry-After in seconds, from a number or an HTTP date (RFC 9110, section 10.2.3); None when it says neither.

    At most a day: what waits for longer nobody would see waiting.
    """
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return min(float(retry_after), LONGEST_WAIT_SECONDS)
    try:
        until = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(0.0, (until - (now or datetime.now(UTC))).total_seconds()), LONGEST_WAIT_SECONDS)
