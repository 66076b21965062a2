"""Who may ask for cards: EHRs that sign every call (CDS Hooks 2.0, "Trusting CDS Clients") and are on our list."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import jwt

from connector.core.errors import BadCase, TryLater
from connector.fhir.used_tokens import UsedTokens
from connector.logs import get_logger

log = get_logger("cds-clients")

# RECOMMENDED by the specification; symmetric algorithms and `none` SHALL NOT be used.
ALGORITHMS = ("ES384", "RS384")
CLOCK_DIFFERENCE_SECONDS = 30
LONGEST_LIFE_SECONDS = 3600
_KEPT_SECONDS = 600.0
_STALE_SECONDS = 3600.0  # a key that the issuer took back is believed no longer than this, however quiet it was
_REFRESH_SECONDS = 30.0  # an unknown `kid` makes us fetch again, but no stranger makes us fetch all the time
_LONGEST_FETCH_SECONDS = 15.0  # of a set that comes bit by bit: no other fetch begins meanwhile
_FAR = 1e12  # seconds since the epoch, beyond every calendar
_LARGEST_SET_BYTES = 256 * 1024
_LONGEST_TOKEN = 8192


class NotTrusted(Exception):
    """The caller is not let in; the text says why and holds nothing of the token but its issuer's fault."""


class KeysAwaited(Exception):
    """The issuer's keys are being fetched: ask again when `fetch` is done, which never fails."""

    def __init__(self, fetch: Future[None]) -> None:
        super().__init__("the issuer's keys are being fetched")
        self.fetch = fetch


class IssuerKeys:
    """
    The public keys of one issuer, from its URL or from a file that was pinned.

    They are fetched in a thread of their own, at most one at a time: whoever answers callers never waits for an issuer.
    """

    def __init__(self, place: str, *, http: httpx.Client, clock: Callable[[], float] = time.time) -> None:
        self._place = place
        self._http = http
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched_at: float | None = None  # or tried to, when there were keys already
        self._failed_at: float | None = None  # without keys
        self._fetch: Future[None] | None = None

    def find(self, kid: str) -> jwt.PyJWK | None:
        """
        The key of that name, None when the issuer has none.

        Raises KeysAwaited when they must be fetched first, TryLater for half a minute after they could not be.
        """
        with self._lock:
            now = self._clock()
            if self._failed_at is not None and now - self._failed_at <= _REFRESH_SECONDS:
                raise TryLater("the issuer's keys cannot be read now")
            age = None if self._fetched_at is None else now - self._fetched_at
            unknown = kid not in self._keys
            if age is None or age > _STALE_SECONDS or (unknown and age > _REFRESH_SECONDS):
                raise KeysAwaited(self._fetching())
            if age > _KEPT_SECONDS:
                self._fetching()  # the key is known: nobody waits for the issuer to say so again
            return self._keys.get(kid)

    def _fetching(self) -> Future[None]:
        """The fetch that is under way, or a new one; the lock is held."""
        if self._fetch is None:
            fetch: Future[None] = Future()
            threading.Thread(target=self._refresh, args=(fetch,), name="issuer-keys", daemon=True).start()
            self._fetch = fetch  # it cannot have ended: that too takes the lock
        return self._fetch

    def _refresh(self, fetch: Future[None]) -> None:
        keys: Mapping[str, jwt.PyJWK] | None = None
        try:
            keys = _usable(json.loads(self._content()))
        except Exception as fault:  # noqa: BLE001 - whatever an issuer serves, callers are answered
            log.warning("issuer_keys_away", exception_type=type(fault).__name__)
        with self._lock:
            now = self._clock()
            if keys is None and not self._keys:
                self._failed_at = now
            else:
                # Without an answer those we have stay good; asked again later.
                self._keys, self._fetched_at, self._failed_at = self._keys if keys is None else keys, now, None
            self._fetch = None
        fetch.set_result(None)

    def _content(self) -> bytes:
        if "://" not in self._place:
            return Path(self._place).read_bytes()
        held, began = bytearray(), time.monotonic()
        with self._http.stream("GET", self._place, headers={"Accept": "application/json"}) as response:
            response.raise_for_status()
            for part in response.iter_bytes():
                held += part
                if len(held) > _LARGEST_SET_BYTES:
                    raise ValueError("the JWK Set is too large")
                if time.monotonic() - began > _LONGEST_FETCH_SECONDS:
                    raise ValueError("the JWK Set does not come to its end")
        return bytes(held)


class CdsClients:
    """Checks the token of every call against the issuers that are allowed."""

    def __init__(
        self,
        issuers: Mapping[str, str],
        *,
        used: UsedTokens,
        clock: Callable[[], float] = time.time,
        transport: httpx.BaseTransport | None = None,
        tls: ssl.SSLContext | bool = True,
    ) -> None:
        """`issuers` maps each allowed `iss` to the URL of its JWK Set or to a file that holds it."""
        http = httpx.Client(timeout=5.0, transport=transport, verify=tls)
        self._keys = {issuer: IssuerKeys(place, http=http, clock=clock) for issuer, place in issuers.items()}
        self._used = used
        self._clock = clock

    def check(self, token: str, audience: Collection[str]) -> str:
        """
        The issuer of a token that is good for this endpoint.

        Raises NotTrusted; KeysAwaited or TryLater without the issuer's keys, and the token then still counts as unused.
        The token's own `jku` is never fetched: where an issuer's keys are is ours to say.
        """
        if len(token) > _LONGEST_TOKEN:
            raise NotTrusted("the token is too long")
        try:
            read = jwt.decode_complete(token, options={"verify_signature": False})
        except jwt.PyJWTError:
            raise NotTrusted("the bearer token is no JWT") from None
        header, said = read["header"], read["payload"]
        algorithm, kid, issuer = header.get("alg"), header.get("kid"), said.get("iss")
        if algorithm not in ALGORITHMS:
            raise NotTrusted(f"the token must be signed by {' or '.join(ALGORITHMS)}")
        if not isinstance(issuer, str) or issuer not in self._keys:
            raise NotTrusted("the issuer is not in CONNECTOR_CDS_ISSUERS")
        if not isinstance(kid, str) or not kid:
            raise NotTrusted("the token's header names no kid")
        key = self._keys[issuer].find(kid)
        if key is None:
            raise NotTrusted("the issuer has no key with that kid")
        claims = self._claims(token, key, algorithm, issuer, audience)
        if not self._used.first_use(sha256(f"{issuer}\n{claims['jti']}".encode()).hexdigest(), self._until(claims)):
            raise NotTrusted("the token was used before: each call needs a fresh jti")
        return issuer

    def _claims(
        self, token: str, key: jwt.PyJWK, algorithm: str, issuer: str, audience: Collection[str]
    ) -> dict[str, Any]:
        # A key that states its algorithm signs by no other.
        if key.algorithm_name != algorithm:
            raise NotTrusted("the key is of another algorithm than the token says")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=list(audience),
                issuer=issuer,
                leeway=CLOCK_DIFFERENCE_SECONDS,
                options={"require": ["iss", "aud", "exp", "iat", "jti"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.InvalidAudienceError:
            raise NotTrusted("the token is for another address: aud must be the URL of this endpoint") from None
        except jwt.MissingRequiredClaimError as fault:
            raise NotTrusted(f"the token states no {fault.claim}") from None
        except jwt.InvalidSignatureError:
            raise NotTrusted("the signature is wrong") from None
        except jwt.PyJWTError:
            raise NotTrusted("the token is not a good one") from None
        self._check_times(claims)
        if not isinstance(claims["jti"], str) or not claims["jti"]:
            raise NotTrusted("jti must be a text")
        return claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._clock()
        for name in ("exp", "iat"):
            value = claims[name]
            # Python reads NaN and Infinity from JSON, and every comparison with NaN is false.
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not -_FAR < value < _FAR:
                raise NotTrusted(f"{name} must be a number of seconds")
        if claims["exp"] + CLOCK_DIFFERENCE_SECONDS <= now:
            raise NotTrusted("the token has ended")
        if claims["iat"] - CLOCK_DIFFERENCE_SECONDS > now:
            raise NotTrusted("the token was issued in the future: compare the clocks")
        if claims["exp"] - now > LONGEST_LIFE_SECONDS:
            raise NotTrusted(f"the token lives longer than {LONGEST_LIFE_SECONDS} s")

    @staticmethod
    def _until(claims: Mapping[str, Any]) -> float:
        return float(claims["exp"]) + CLOCK_DIFFERENCE_SECONDS


def _usable(held: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """Signing keys by `kid`; keys of kinds that nobody may sign with are passed over."""
    found: dict[str, jwt.PyJWK] = {}
    for one in held["keys"]:
        kind = {"EC": "ES384", "RSA": "RS384"}.get(one.get("kty"))
        kid = one.get("kid")
        if kind is None or not isinstance(kid, str) or one.get("use", "sig") != "sig" or one.get("alg", kind) != kind:
            continue
        if kind == "ES384" and one.get("crv") != "P-384":
            continue
        found[kid] = jwt.PyJWK(one, algorithm=kind)
    return found


def require_pinned(place: str) -> None:
    """Raise BadCase when an issuer's keys are pinned by a file that cannot be read; it may change while we run."""
    if "://" in place:
        return
    try:
        _usable(json.loads(Path(place).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, jwt.PyJWTError) as fault:
        raise BadCase(
            "CONNECTOR_CDS_ISSUERS", place, f"is no JWK Set that can be read ({type(fault).__name__}): name its file"
        ) from None


def parse_issuers(text: str) -> dict[str, str]:
    """`ISSUER=place` pairs, several with commas; a place is an https URL (http on this machine) or a file."""
    found = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        issuer, equals, place = (part.strip() for part in pair.partition("="))
        url = httpx.URL(place) if "://" in place else None
        if not (issuer and equals and place):
            raise BadCase("CONNECTOR_CDS_ISSUERS", pair, "is not ISSUER=place: name the JWK Set's URL or a file")
        if url is not None and url.scheme != "https" and url.host not in ("127.0.0.1", "localhost", "::1"):
            raise BadCase("CONNECTOR_CDS_ISSUERS", pair, "must be fetched by https: keys over http can be exchanged")
        found[issuer] = place
    return found
