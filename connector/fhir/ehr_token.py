"""Signs in by SMART Backend Services: a fresh assertion for every token, one request at a time, renewed in time."""

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import jwt

from connector.core.errors import ConnectorError, Refused, TryLater
from connector.fhir.ehr_answers import raise_for_answer, send
from connector.fhir.signing_keys import SigningKey
from connector.logs import get_logger

log = get_logger("sign-in")

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# SMART App Launch 2.2, asymmetric client authentication: `exp` no more than five minutes ahead; one minute of clock
# difference is left to the server.
ASSERTION_SECONDS = 240
RENEW_AT_FRACTION = 0.8
_DEFAULT_LIFETIME_SECONDS = 300.0
_TURNED_DOWN = frozenset({400, 401, 403, 404})
_CLOCK_DIFFERENCE_SECONDS = 60.0  # an assertion is good for four minutes; a Date is in whole seconds and a while old
_OUR_KEY = "check CONNECTOR_EHR_CLIENT_ID, and there the public key (`connector keys public`) and its kid"
_AT_THE_ADDRESS = f"{_OUR_KEY}; check CONNECTOR_EHR_TOKEN_URL"
_TO_DO = {
    "invalid_client": _OUR_KEY,
    "invalid_grant": _OUR_KEY,
    "invalid_scope": "CONNECTOR_EHR_SCOPE asks for more than is registered there",
    "unauthorized_client": "have the client allowed to sign in by itself (client_credentials)",
    "unsupported_grant_type": "it knows no client_credentials: set CONNECTOR_EHR_TOKEN_URL to one that does",
    "invalid_request": _AT_THE_ADDRESS,
}
_LONGEST_LIFETIME_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class SmartCredentials:
    """
    A registered backend client; `token_url` None is asked from the server's smart-configuration.

    The first of the keys signs; the others are tried when the server does not take it, so that a registration may
    change from one to the next at any time.
    """

    client_id: str
    keys: tuple[SigningKey, ...]
    scope: str
    token_url: str | None = None


class _FellOver(TryLater):
    """
    The token endpoint failed by itself.

    Some do over a key of another kind than the registered one, as between the two halves of a change from RS384 to
    ES384: so the other key is tried.
    """


class TokenSource:
    """Keeps one access token for all threads; a token in hand is used until most of its life is over."""

    def __init__(
        self, http: httpx.Client, base_url: str, credentials: SmartCredentials, clock: Callable[[], float] = time.time
    ) -> None:
        self._http = http
        self._base_url = base_url
        self._credentials = credentials
        self._clock = clock
        self._lock = threading.Lock()
        self._keys = list(credentials.keys)
        self._flights = 0  # how often somebody asked, whatever came of it
        self._failed: ConnectorError | None = None
        self._token: str | None = None
        self._renew_at = 0.0
        self._good_until = 0.0
        self._token_url = credentials.token_url

    def token(self) -> str:
        """A token that is good for a while. Raises TryLater or Refused."""
        asked = self._flights
        with self._lock:
            if self._token is not None and self._clock() < self._renew_at:
                return self._token
            if self._failed is not None and self._flights > asked:
                # Somebody asked while we waited and was turned down: thirty threads would not be told otherwise.
                raise self._failed
            self._token, self._failed = None, None
            try:
                self._token = self._sign_in()
            except ConnectorError as fault:
                self._failed = fault
                raise
            finally:
                self._flights += 1
            return self._token

    def state(self) -> tuple[str, float | None]:
        """`held` and until when it is good, `refused` when the last sign-in failed, `none` before the first."""
        if isinstance(self._failed, Refused):
            return "refused", None
        return ("held", self._good_until) if self._token is not None else ("none", None)

    def invalidate(self, token: str) -> None:
        """Forget a token that the server no longer takes; one that another thread has renewed meanwhile stays."""
        with self._lock:
            if self._token == token:
                self._token = None

    def _sign_in(self) -> str:
        """A token by the key that was taken last, else by the next one that is."""
        fault: ConnectorError = Refused("there is no key to sign in with: set CONNECTOR_EHR_PRIVATE_KEY_FILE")
        for place, key in enumerate(self._keys):
            try:
                token = self._ask(key)
            except (Refused, _FellOver) as found:
                fault = fault if isinstance(fault, _FellOver) else found  # it may pass, so it outweighs a no
                continue
            if place:
                log.info("signs_with_next_key", reason="the EHR takes another key than before")
                self._keys = [key, *(one for one in self._keys if one is not key)]
            return token
        raise fault

    def _ask(self, key: SigningKey) -> str:
        started = self._clock()
        url = self._endpoint()
        response = send(
            self._http,
            httpx.Request(
                "POST",
                url,
                data={
                    "grant_type": "client_credentials",
                    "scope": self._credentials.scope,
                    "client_assertion_type": _ASSERTION_TYPE,
                    "client_assertion": self._assertion(url, key),
                },
                headers={"Accept": "application/json"},
            ),
            what="sign in",
            setting="CONNECTOR_EHR_TOKEN_URL",
        )
        if response.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
            raise _FellOver("the EHR's sign-in fell over (status 500): see its log and how our key is registered")
        if response.status_code in _TURNED_DOWN:
            raise Refused(_why_turned_down(response, self._clock()))
        raise_for_answer(response, what="sign in")
        answer = _json_object(response, "the token endpoint", "CONNECTOR_EHR_TOKEN_URL")
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise Refused("the token endpoint gave no access_token: check the client's registration")
        lifetime = answer.get("expires_in")
        # NaN and Infinity are numbers in Python's JSON; a token is asked for once a day whatever its server says.
        seconds = _DEFAULT_LIFETIME_SECONDS
        if isinstance(lifetime, (int, float)) and lifetime > 0:
            seconds = float(min(lifetime, _LONGEST_LIFETIME_SECONDS))
        self._good_until = started + seconds
        self._renew_at = started + seconds * RENEW_AT_FRACTION
        return token

    def _assertion(self, url: str, key: SigningKey) -> str:
        now = int(self._clock())
        claims = {
            "iss": self._credentials.client_id,
            "sub": self._credentials.client_id,
            "aud": url,
            "iat": now,
            "exp": now + ASSERTION_SECONDS,
            "jti": str(uuid.uuid4()),  # a used one is refused as a replay
        }
        headers = {"kid": key.key_id, "typ": "JWT"}
        return jwt.encode(claims, key.private_pem, algorithm=key.algorithm, headers=headers)

    def _endpoint(self) -> str:
        if self._token_url is None:
            request = httpx.Request("GET", f"{self._base_url}/.well-known/smart-configuration")
            response = send(self._http, request, what="read the SMART configuration")
            if response.status_code == httpx.codes.NOT_FOUND:
                raise Refused("the EHR publishes no SMART configuration (status 404): set CONNECTOR_EHR_TOKEN_URL")
            raise_for_answer(response, what="read the SMART configuration")
            found = _json_object(response, "the SMART configuration", "CONNECTOR_EHR_URL").get("token_endpoint")
            if not isinstance(found, str):
                raise Refused("the SMART configuration names no token_endpoint: set CONNECTOR_EHR_TOKEN_URL")
            self._token_url = found
        return self._token_url


def _why_turned_down(response: httpx.Response, now: float) -> str:
    """What the token endpoint's error (RFC 6749, section 5.2) asks for, and by how much our clocks differ."""
    try:
        error = response.json().get("error")
    except (ValueError, AttributeError):
        error = None
    code, advice = (error, _TO_DO[error]) if error in _TO_DO else ("no reason told", _AT_THE_ADDRESS)
    text = f"the EHR refused (sign in: status {response.status_code}, {code}): {advice}"
    try:
        ahead = now - parsedate_to_datetime(response.headers.get("Date", "")).timestamp()
    except ValueError:
        return text
    if abs(ahead) <= _CLOCK_DIFFERENCE_SECONDS:
        return text
    return f"{text}; our clock is {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} the EHR's: set it right"


def _json_object(response: httpx.Response, what: str, setting: str) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise Refused(f"{what} did not answer with a JSON object: check {setting}")
    return answer
