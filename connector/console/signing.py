"""Cookies and form tokens, signed with a key that all processes of the service share."""

import secrets
from dataclasses import dataclass
from hashlib import sha256

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

_FORM_COOKIE = "connector_form"
_SESSION_COOKIE = "connector_session"


@dataclass(frozen=True, slots=True)
class Cookies:
    """
    Two cookies: the session's token, and a random mark of the browser that forms are bound to.

    Both are HttpOnly and SameSite=Lax (the way back from an OpenID provider is a link from elsewhere). Over HTTPS they
    carry the `__Host-` prefix, so that no neighbour under the same domain can set them.
    """

    key: bytes
    behind_https: bool = False  # a proxy before us speaks HTTPS to browsers

    def is_secure(self, request: Request) -> bool:
        """Whether the browser speaks HTTPS to us or to the proxy before us."""
        return self.behind_https or request.url.scheme == "https"

    def session_token(self, request: Request) -> str | None:
        """The session's token as the browser sent it; None without a cookie of ours."""
        return self._read(request, _SESSION_COOKIE)

    def set_session(self, request: Request, response: Response, token: str) -> None:
        """Give the browser a session; it ends with the browser, and before on the server's side."""
        self._write(request, response, _SESSION_COOKIE, token)

    def end_session(self, request: Request, response: Response) -> None:
        """Take the session from the browser."""
        response.delete_cookie(
            self._named(request, _SESSION_COOKIE), secure=self.is_secure(request), httponly=True, samesite="lax"
        )

    def form_mark(self, request: Request) -> str:
        """The browser's mark; a new one when it has none yet (see `keep_form_mark`)."""
        mark = getattr(request.state, "form_mark", None)
        if mark is None:
            mark = request.state.form_mark = self._read(request, _FORM_COOKIE) or secrets.token_urlsafe(18)
        return str(mark)

    def keep_form_mark(self, request: Request, response: Response) -> None:
        """Give the browser its mark when it did not send it."""
        if self._read(request, _FORM_COOKIE) is None:
            self._write(request, response, _FORM_COOKIE, self.form_mark(request))

    def form_token(self, request: Request) -> str:
        """What a form must carry: only a page that we sent to this browser in this session can know it."""
        return self._serializer("form").dumps(self._binding(request))

    def is_form_token(self, request: Request, token: str) -> bool:
        """Whether a form was ours, and sent by the browser it was made for."""
        try:
            bound = self._serializer("form").loads(token)
        except BadSignature:
            return False
        return secrets.compare_digest(str(bound), self._binding(request))

    def _binding(self, request: Request) -> str:
        token = self.session_token(request) or ""
        return sha256(f"{self.form_mark(request)}|{token}".encode()).hexdigest()

    def _serializer(self, salt: str) -> URLSafeSerializer:
        return URLSafeSerializer(self.key, salt=f"connector.{salt}", signer_kwargs={"digest_method": sha256})

    def _read(self, request: Request, name: str) -> str | None:
        sent = request.cookies.get(self._named(request, name))
        if not sent:
            return None
        try:
            return str(self._serializer(name).loads(sent))
        except BadSignature:
            return None

    def _write(self, request: Request, response: Response, name: str, value: str) -> None:
        response.set_cookie(
            self._named(request, name), self._serializer(name).dumps(value), path="/", secure=self.is_secure(request),
            httponly=True, samesite="lax",
        )  # fmt: skip

    def _named(self, request: Request, name: str) -> str:
        return f"__Host-{name}" if self.is_secure(request) else name
