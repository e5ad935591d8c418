"""Templates to answers: a whole page for a browser, or one block of it for htmx.

When a page asks again for one of its parts (``HX-Target: incidents``) and the template has a block of that name, only
that block is rendered: the id of a live element and the name of its block are the same, ``-`` written as ``_``.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from starlette.requests import Request
from starlette.responses import HTMLResponse

from controller.domain.words import label, words_for
from controller.web import assets, csrf, timing
from controller.web.deps import ports_of
from controller.web.face import Face, from_htmx, path_in_pages
from controller.web.flash import flash_of
from controller.web.navigation import sections_for

_TEMPLATES = Environment(
    loader=PackageLoader("controller.web"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters.update(moment=timing.moment, machine=timing.machine, span=timing.span, label=label, words=words_for)


def render(request: Request, template: str, *, status: int = 200, **facts: Any) -> HTMLResponse:
    """``template`` with these facts.

    Every template also has: ``ui`` (the macros), ``url(path)``, ``asset(name)``, ``me`` (who is signed in, or None),
    ``csrf``, ``embedded``, ``here`` (this page's own address), ``inside`` (the same without the
    face's prefix, to come back to), ``now`` (None unless given).
    """
    chosen = _TEMPLATES.get_template(template)
    context = _context(request, facts)
    block = _block_asked_for(request, chosen)
    if block is not None:
        answer = HTMLResponse("".join(block(chosen.new_context(context))), status_code=status)
    else:
        flash = flash_of(request)
        answer = HTMLResponse(chosen.render(context, flash=flash), status_code=status)
        if flash is not None:
            face: Face = request.state.face
            answer.headers.append("Set-Cookie", face.forget(face.flash_cookie))
    answer.headers["Vary"] = "HX-Request, HX-Target, Cookie"
    return answer


def _block_asked_for(request: Request, template: Template) -> Callable[..., Any] | None:
    if not from_htmx(request):
        return None
    return template.blocks.get(request.headers.get("hx-target", "").replace("-", "_"))


def _context(request: Request, facts: Mapping[str, Any]) -> dict[str, Any]:
    face: Face = request.state.face
    me = request.state.signed_in
    query = f"?{request.url.query}" if request.url.query else ""
    now: datetime | None = facts.get("now")
    context = {
        "section": "",
        **facts,
        "now": now,
        "me": me,
        "sections": sections_for(me.role) if me is not None else (),
        "url": face.url,
        "asset": lambda name: face.url(f"/static/{assets.VERSION}/{name}"),
        "embedded": face.embedded,
        "csrf": csrf.csrf_token(request.state.cookie) if me is not None else "",
        "here": request.url.path + query,
        "inside": quote(path_in_pages(request.scope)) + query,
        "version": ports_of(request).version,
    }
    context["ui"] = _TEMPLATES.get_template("macros.html").make_module(context)
    return context
