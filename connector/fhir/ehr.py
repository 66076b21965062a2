"""Speaks FHIR R4 to one EHR: search, read, write; every failure leaves as TryLater, Changed or Refused."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import httpx

from connector.core.errors import Refused, TryLater
from connector.fhir.capabilities import Capabilities, fhir_version, read_capabilities
from connector.fhir.ehr_answers import STATEMENT, Changed, NotOffered, TimedOut, again, raise_for_answer, send
from connector.fhir.ehr_token import SmartCredentials, TokenSource
from connector.fhir.identity import canonical_json
from connector.fhir.resource import items, members, reference_of
from connector.fhir.vendors import Vendor, vendor_for

__all__ = ["EhrClient", "SmartCredentials"]

_FHIR_JSON = "application/fhir+json"
_PLAIN_JSON = "application/json"
_MOST_PAGES = 500  # a page link that never ends is a fault of the server
_UNAUTHORISED = 401
_GONE = (404, 410)
_NOT_ACCEPTABLE = 406
STATEMENT_SECONDS = 3600.0  # after so long the server's statement is read again

Json = dict[str, Any]
Search = tuple[str, tuple[tuple[str, str], ...]]  # resource type and parameters


class EhrClient:
    """A client for one server; safe to share between threads."""

    def __init__(
        self,
        base_url: str,
        *,
        credentials: SmartCredentials | None = None,
        vendor: str = "auto",
        timeout_seconds: float = 30.0,
        tls: ssl.SSLContext | bool = True,
        proxy: str | None = None,
        transport: httpx.BaseTransport | None = None,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base = httpx.URL(base_url.rstrip("/"))
        # No proxy that a shell happens to name: patients' data go where the settings say.
        self._http = httpx.Client(
            timeout=timeout_seconds, transport=transport, verify=tls, proxy=proxy, trust_env=False
        )
        self._tokens = TokenSource(self._http, str(self._base), credentials, clock) if credentials else None
        self._vendor = vendor
        self._clock = clock
        self._pause = pause
        self._statement: Json = {}
        self._offered: Capabilities | None = None
        self._stated_at = 0.0
        self._accepted = _FHIR_JSON
        self._batches = True  # until one is refused or times out; tried again with the next statement
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def check(self) -> str:
        """Read the server's statement and sign in; returns what it is. Raises TryLater or Refused."""
        self.capabilities()
        if self._tokens is not None:
            self._tokens.token()
        return fhir_version(self._statement)

    def sign_in(self) -> tuple[str, float | None]:
        """How the sign-in stands: `none`, `held` and until when, or `refused`."""
        return self._tokens.state() if self._tokens is not None else ("none", None)

    def capabilities(self) -> Capabilities:
        """What the server offers, asked again after an hour. Raises TryLater or Refused."""
        with self._lock:
            if self._offered is None or self._clock() >= self._stated_at + STATEMENT_SECONDS:
                self._statement = self._json(self._send("GET", "metadata", what=STATEMENT))
                self._offered = read_capabilities(self._statement)
                self._stated_at = self._clock()
                self._batches = True
            return self._offered

    def ask_again(self) -> None:
        """Have the server's statement read anew before it is next used: it did not do what it says."""
        with self._lock:
            self._offered = None

    def vendor(self) -> Vendor:
        """The product that the server is, as set or as it says. Raises TryLater or Refused."""
        return vendor_for(self.capabilities().software, self._vendor)

    def first_pages(self, searches: Sequence[Search]) -> dict[Search, Json]:
        """
        The first pages of several searches by one request, where the server offers a batch.

        What it did not answer, for whatever reason, is left out: asked by itself it says why. Raises TryLater when the
        server says for how long it wants to be left alone, or its statement cannot be read, then also Refused.
        """
        if not (len(searches) > 1 and self.capabilities().batch and self._batches):
            return {}
        urls = [f"{kind}?{httpx.QueryParams(parameters)}" for kind, parameters in searches]
        entries = [{"request": {"method": "GET", "url": url}} for url in urls]
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries}
        try:
            answers = members(self._json(self._send("POST", "", body=bundle, what="batch of searches")), "entry")
        except TryLater as fault:
            if isinstance(fault, TimedOut):
                self._batches = False  # each would cost the whole of our patience
            if fault.retry_after_seconds:
                raise
            return {}
        except Refused:
            self._batches = False  # it declares a batch and takes none
            return {}
        pages = [items(answer, "resource") for answer in answers]
        answered = len(answers) == len(searches)
        return {
            search: dict(page)
            for search, answer, page in zip(searches, answers, pages, strict=False)
            if answered
            and str(items(answer, "response").get("status", "")).startswith("200")
            and page.get("resourceType") == "Bundle"
        }

    def search(
        self, resource_type: str, parameters: Sequence[tuple[str, str]], *, first: Json | None = None
    ) -> list[Json]:
        """
        Every match over all pages, the `first` may be known; what stands on two counts once, in its latest version.

        Raises TryLater or Refused; Refused too when a page link leads to another server, since the token goes with it.
        """
        found: dict[str, Json] = {}
        what = f"search {resource_type}"
        page = first or self._json(self._send("GET", resource_type, parameters=parameters, what=what))
        for _ in range(_MOST_PAGES):
            for entry in members(page, "entry"):
                resource = items(entry, "resource")
                if resource.get("resourceType") == resource_type and items(entry, "search").get("mode") != "outcome":
                    _keep_latest(found, dict(resource))
            following = [link.get("url") for link in members(page, "link") if link.get("relation") == "next"]
            if not following:
                return list(found.values())
            page = self._json(self._send("GET", self._same_server(str(following[0])), what=f"{what}, next page"))
        raise Refused(f"the EHR's pages do not end ({what}): tell its administrator")

    def read(self, reference: str) -> Json:
        """One resource by `Type/id`. Raises TryLater or Refused."""
        return self._json(self._send("GET", reference, what=f"read {reference.split('/', maxsplit=1)[0]}"))

    def transaction(self, bundle: Mapping[str, Any]) -> Json:
        """Do a transaction; its answer. Raises TryLater (it may have been done: look first), Changed or Refused."""
        return self._json(self._send("POST", "", body=bundle, what="transaction"))

    def create(self, resource: Mapping[str, Any], *, if_none_exist: str | None = None) -> Json:
        """
        Create a resource unless one meets the condition; what then stands, as the server holds it.

        Raises TryLater, Changed or Refused; NotOffered when the server does not take the type.
        """
        headers = {"Prefer": "return=representation"}
        if if_none_exist:
            headers["If-None-Exist"] = if_none_exist
        kind = str(resource["resourceType"])
        response = self._send("POST", kind, body=resource, headers=headers, what=f"create {kind}")
        stored = self._stored(response, resource)
        return stored if response.content else self.read(reference_of(stored))

    def update(self, resource: Mapping[str, Any], *, if_match: str) -> Json:
        """Replace a resource that still has the version. Raises TryLater, Changed or Refused."""
        kind = str(resource["resourceType"])
        headers = {"If-Match": f'W/"{if_match}"', "Prefer": "return=representation"}
        try:
            response = self._send("PUT", reference_of(resource), body=resource, headers=headers, what=f"update {kind}")
        except NotOffered as fault:
            if fault.status in _GONE:
                raise Changed(f"the EHR no longer has the {kind} that was read") from None
            raise
        return self._stored(response, resource)

    def _send(
        self,
        method: str,
        path: str | httpx.URL,
        *,
        what: str,
        parameters: Sequence[tuple[str, str]] = (),
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        url = path if isinstance(path, httpx.URL) else httpx.URL(f"{self._base}/{path}".rstrip("/"))
        if parameters:
            url = url.copy_merge_params(httpx.QueryParams(list(parameters)))
        content = canonical_json(body) if body is not None else None

        def once() -> httpx.Response:
            return self._answered(method, url, content, headers or {}, what)

        return again(once, pause=self._pause) if method == "GET" else once()

    def _answered(
        self, method: str, url: httpx.URL, content: bytes | None, headers: Mapping[str, str], what: str
    ) -> httpx.Response:
        response = self._ask(method, url, content, headers, what)
        if response.status_code == _NOT_ACCEPTABLE and self._accepted == _FHIR_JSON:
            self._accepted = _PLAIN_JSON  # older servers know JSON by its plain name only
            response = self._ask(method, url, content, headers, what)
        offered = self._offered
        raise_for_answer(response, what=what, later=vendor_for(offered.software, self._vendor).later if offered else {})
        return response

    def _ask(
        self, method: str, url: httpx.URL, content: bytes | None, headers: Mapping[str, str], what: str
    ) -> httpx.Response:
        kinds = {"Accept": self._accepted, **({"Content-Type": self._accepted} if content else {})}

        def ask(token: str | None) -> httpx.Response:
            signed = {"Authorization": f"Bearer {token}"} if token else {}
            request = httpx.Request(method, url, content=content, headers={**kinds, **headers, **signed})
            return send(self._http, request, what=what)

        token = self._tokens.token() if self._tokens else None
        response = ask(token)
        if response.status_code == _UNAUTHORISED and self._tokens and token:
            self._tokens.invalidate(token)  # once: a second 401 is not about the token's age
            response = ask(self._tokens.token())
        return response

    def _same_server(self, link: str) -> httpx.URL:
        url = self._base.join(link) if "://" in link else httpx.URL(f"{self._base}/{link.lstrip('/')}")
        if (url.scheme, url.host, url.port) != (self._base.scheme, self._base.host, self._base.port):
            raise Refused("the EHR's page link leads to another server: have its public base URL set")
        return url

    def _stored(self, response: httpx.Response, sent: Mapping[str, Any]) -> Json:
        """What stands after a write: the body, or what was sent with the id from Location."""
        if response.content:
            stored = self._json(response)
            if stored.get("resourceType") == sent["resourceType"]:
                return stored
        parts = response.headers.get("Location", "").split("/_history/")[0].rstrip("/").split("/")
        resource_id = sent.get("id") or (parts[-1] if len(parts) > 1 else None)
        if not resource_id:
            raise Refused(f"the EHR does not say where it put the {sent['resourceType']}: neither body nor Location")
        return {**sent, "id": resource_id}

    @staticmethod
    def _json(response: httpx.Response) -> Json:
        try:
            answer = json.loads(response.content, parse_float=Decimal)
        except (json.JSONDecodeError, UnicodeDecodeError):
            answer = None
        if not isinstance(answer, dict):
            raise Refused("the EHR did not answer with a FHIR resource in JSON: check CONNECTOR_EHR_URL")
        return answer


def _keep_latest(found: dict[str, Json], resource: Json) -> None:
    before = found.get(reference_of(resource))
    updated = str(items(resource, "meta").get("lastUpdated", ""))
    if before is None or updated >= str(items(before, "meta").get("lastUpdated", "")):
        found[reference_of(resource)] = resource
