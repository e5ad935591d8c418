"""The pages' two faces: ``/ui`` with its own navigation, ``/embed`` without, for a frame in another origin's page.

They are one application, mounted twice; every link is made from the prefix it was asked under, so a page stays what it
is. Each has its own cookie: a frame's must be sent across sites and is kept apart by the browser for each page around
it (``Partitioned``); the other one never is.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope

from controller.domain.sign_in import LASTS
from controller.web.deps import WebOptions

OWN = "/ui"
EMBEDDED = "/embed"
_INSIDE = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]{0,511}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """One request's. ``prefix``: what every link begins with."""

    prefix: str
    embedded: bool
    secure: bool

    @property
    def session_cookie(self) -> str:
        """Its name. ``__Host-``: no other machine of the domain can set it."""
        return self._named("hostfence-embedded" if self.embedded else "hostfence")

    @property
    def flash_cookie(self) -> str:
        """The name of the one that carries a message to the next page."""
        return self._named("hostfence-embedded-said" if self.embedded else "hostfence-said")

    def cookie(self, name: str, value: str, *, lasts: timedelta = LASTS) -> str:
        """A Set-Cookie header's value; no script can read it. The standard library knows no ``Partitioned`` yet."""
        parts = [f"{name}={value}", "Path=/", f"Max-Age={int(lasts.total_seconds())}", "HttpOnly"]
        if self.secure:
            parts.append("Secure")
        parts += ["SameSite=None", "Partitioned"] if self.embedded else ["SameSite=Lax"]
        return "; ".join(parts)

    def forget(self, name: str) -> str:
        """The Set-Cookie header's value that ends a cookie."""
        return self.cookie(name, "", lasts=timedelta(0))

    def url(self, path: str) -> str:
        """The address of a path inside the pages, like ``/hosts/ID``."""
        return f"{self.prefix}{path}"

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self.secure else name


def face_of(scope: Scope, options: WebOptions) -> Face:
    """The face that a request came to. A browser takes a cookie for other sites' frames only if it is secure."""
    prefix = str(scope.get("root_path", ""))
    embedded = prefix.endswith(EMBEDDED)
    https = scope.get("scheme") == "https" or options.public_url.startswith("https://")
    return Face(prefix=prefix, embedded=embedded, secure=embedded or https)


def path_in_pages(scope: Scope) -> str:
    """The path below the face's prefix."""
    return str(scope["path"]).removeprefix(str(scope.get("root_path", ""))) or "/"


def path_inside(text: str) -> str:
    """A path inside the pages, and nothing that a browser could take for another site's address: else the first page.

    For what comes with an address or a form and says where to go next.
    """
    return text if _INSIDE.fullmatch(text) else "/"


def same_origin(scope: Scope, options: WebOptions) -> bool:
    """Whether a browser says that a page of ours sent this. What says nothing is no browser of today: refused.

    Behind a proxy only the public address is known to be ours; the scheme is not compared, as a proxy may end TLS.
    """
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin", "")
    ours = {headers.get("host", ""), options.public_url.partition("://")[2].partition("/")[0]} - {""}
    return origin.partition("://")[2] in ours


def from_htmx(connection: HTTPConnection) -> bool:
    """Asked for by a page that is there already, not by the browser itself."""
    return connection.headers.get("hx-request") == "true"


def in_background(connection: HTTPConnection) -> bool:
    """Asked for by the page itself, without anybody's doing."""
    return "x-background" in connection.headers
