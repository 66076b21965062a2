"""The keys that sign in at the EHR: made, read, told apart by `kid`, and their public halves published as a JWKS."""

import json
import os
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.core.errors import BadCase
from connector.durable import sync_folder

# SMART App Launch 2.2, asymmetric client authentication: RS384 and ES384 are what every server takes.
ALGORITHMS = ("RS384", "ES384")
JWKS_PATH = "/.well-known/jwks.json"
_RSA_BITS = 3072  # as strong as P-256, good beyond 2030 (NIST SP 800-57 part 1, table 2)
_FEWEST_RSA_BITS = 2048  # RFC 7518, section 3.3
# How long a server may keep our set: a key is published for longer than this before it signs.
JWKS_SECONDS = 300
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

Jwk = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key; its algorithm follows from its kind: RSA signs RS384, P-384 signs ES384."""

    private_pem: str = field(repr=False)
    key_id: str
    algorithm: str
    public_jwk: Mapping[str, Any] = field(repr=False)


def read_key(path: Path, *, setting: str, key_id: str = "") -> SigningKey:
    """
    Read a private key from a PEM file; without `key_id` its `kid` is the RFC 7638 thumbprint.

    Raises BadCase, which names the setting, when the file is not there or holds no key that SMART signs with.
    """
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as fault:
        raise BadCase(setting, str(path), f"cannot be read ({type(fault).__name__}): name a PEM file") from None
    try:
        return signing_key(text, key_id)
    except ValueError as fault:
        raise BadCase(setting, str(path), str(fault)) from None


def signing_key(private_pem: str, key_id: str = "") -> SigningKey:
    """A key from PEM text. Raises ValueError, without the text, when it is no key that SMART signs with."""
    try:
        private = serialization.load_pem_private_key(private_pem.encode("ascii"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("holds no unencrypted private key in PEM: make one with `connector keys make`") from None
    if isinstance(private, rsa.RSAPrivateKey) and private.key_size >= _FEWEST_RSA_BITS:
        algorithm, public = "RS384", RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    elif isinstance(private, ec.EllipticCurvePrivateKey) and isinstance(private.curve, ec.SECP384R1):
        algorithm, public = "ES384", ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    else:
        raise ValueError("is neither RSA of 2048 bits or more nor P-384: make one with `connector keys make`")
    named = key_id or _thumbprint(public)
    stated = {**public, "kid": named, "alg": algorithm, "use": "sig", "key_ops": ["verify"]}
    return SigningKey(private_pem, named, algorithm, stated)


def _thumbprint(public: Jwk) -> str:
    """RFC 7638: SHA-256 over the required members in order, without blanks."""
    needed = {name: public[name] for name in ("crv", "e", "kty", "n", "x", "y") if name in public}
    digest = sha256(json.dumps(needed, sort_keys=True, separators=(",", ":")).encode("ascii")).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def make_key(path: Path, algorithm: str) -> SigningKey:
    """
    Make a key pair and write its private half to a new file that only its owner reads (0600).

    Raises BadCase when the file is there already: a key in use is never written over.
    """
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
    if algorithm == "ES384":
        private = ec.generate_private_key(ec.SECP384R1())
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadCase(
            "--out", str(path), "is there already: name a new file, and keep the old key until it is replaced"
        ) from None
    except OSError as fault:
        raise BadCase(
            "--out", str(path), f"cannot be written ({fault.strerror}): name a file in a folder of yours"
        ) from None
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)  # whatever the umask
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)
    return signing_key(pem.decode("ascii"))


def jwks(keys: Sequence[SigningKey]) -> Jwk:
    """The public halves as a JWK Set (RFC 7517); nothing private is in it."""
    return {"keys": [dict(key.public_jwk) for key in keys]}


def read_jwks(path: Path, *, setting: str) -> Jwk:
    """Read a JWK Set of public keys from a file. Raises BadCase, also when a private member stands in it."""
    try:
        held = json.loads(path.read_bytes())
        keys = held["keys"]
        found = [one for one in keys if isinstance(one, dict) and isinstance(one.get("kid"), str)]
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise BadCase(
            setting, str(path), f"is no JWK Set ({type(fault).__name__}): `connector keys public` prints one"
        ) from None
    if not found or len(found) != len(keys):
        raise BadCase(setting, str(path), "holds no keys with `kid`: `connector keys public` prints a right one")
    if any(_PRIVATE_MEMBERS & set(one) for one in found):
        raise BadCase(setting, str(path), "holds a private key: replace it by what `connector keys public` prints")
    return {"keys": found}


def jwks_route(published: Mapping[str, Any]) -> Route:
    """Make the route `GET /.well-known/jwks.json`: what the EHR checks our assertions with."""

    async def answer(_: Request) -> Response:
        return JSONResponse(published, headers={"Cache-Control": f"public, max-age={JWKS_SECONDS}"})

    return Route(JWKS_PATH, answer, methods=["GET"])
