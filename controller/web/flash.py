"""A message for the next page, carried by a cookie: what was just done. It is shown once, as text."""

import base64
import json
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from controller.web.face import Face, from_htmx

_LASTS = timedelta(minutes=1)
_LONGEST = 500
TONES = ("ok", "info", "warn", "bad")


@dataclass(frozen=True, slots=True)
class Flash:
    """``tone``: one of :data:`TONES`."""

    text: str
    tone: str = "ok"


def done(request: Request, to: str, said: str = "", *, tone: str = "ok") -> Response:
    """What a form answers once it did its work: go to a page (a path inside the pages) and say there what was done."""
    face: Face = request.state.face
    if from_htmx(request):
        answer = Response(headers={"HX-Redirect": face.url(to)})
    else:
        answer = RedirectResponse(face.url(to), status_code=303)
    if said:
        raw = json.dumps([said[:_LONGEST], tone]).encode()
        value = base64.urlsafe_b64encode(raw).decode().rstrip("=")
        answer.headers.append("Set-Cookie", face.cookie(face.flash_cookie, value, lasts=_LASTS))
    return answer


def flash_of(request: Request) -> Flash | None:
    """The message that came along; whatever else stands in the cookie is none."""
    value = request.cookies.get(request.state.face.flash_cookie, "")
    try:
        text, tone = json.loads(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    except (ValueError, TypeError):
        return None
    return Flash(text, tone) if isinstance(text, str) and tone in TONES else None
