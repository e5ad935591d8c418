"""From a notice to words: subject, plain text and HTML, with links into the web UI."""

import textwrap
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from controller.domain.model import Notice
from controller.domain.notice_texts import TEXTS, NoticeKind
from controller.domain.reasons import NEEDS_A_PERSON
from controller.domain.words import label, words_for
from controller.notifications.base import Rendered

_WIDTH = 76
_REASONS_IN_SUBJECT = 2
_WITH_REASONS = frozenset({NoticeKind.HELD, NoticeKind.HOLD_CHANGED, NoticeKind.REMINDER})


def render(notice: Notice, *, link_base: str, cluster: str = "") -> Rendered:
    """The message for ``notice``. ``link_base``: the web UI's address ("" when unknown: then without links)."""
    link = link_to(notice, link_base=link_base)
    facts = {
        "notice": notice,
        "headline": _headline(notice),
        "why": [(label(reason), words_for(reason)) for reason in notice.why],
        "link": link,
    }
    return Rendered(
        notice=notice,
        subject=subject(notice),
        text=_TEMPLATES.get_template("notice.txt.j2").render(facts),
        html=_TEMPLATES.get_template("notice.html.j2").render(facts),
        link=link,
        cluster=cluster,
    )


def subject(notice: Notice) -> str:
    """One line that says enough on a locked telephone: ``[hostfence] CRITICAL kvm-a3: held, storm``."""
    line = f"[hostfence] {notice.severity.upper()} {notice.host_name}: {_headline(notice)}"
    if notice.kind in _WITH_REASONS:
        line = ", ".join([line, *_few_reasons(notice)])
    return " ".join(line.split())


def link_to(notice: Notice, *, link_base: str) -> str:
    """The page where a person sees the evidence and can act."""
    base = link_base.rstrip("/")
    if not base:
        return ""
    if notice.incident_id:
        return f"{base}/incidents/{quote(notice.incident_id, safe='')}"
    return f"{base}/hosts/{quote(notice.host_id, safe='')}" if notice.host_id else base


def _few_reasons(notice: Notice) -> list[str]:
    worst_first = sorted(notice.why, key=lambda reason: reason not in NEEDS_A_PERSON)
    shown = [label(reason) for reason in worst_first[:_REASONS_IN_SUBJECT]]
    more = len(notice.why) - len(shown)
    return [*shown, f"{more} more"] if more > 0 else shown


def _headline(notice: Notice) -> str:
    """A notice stored by a newer or older version may be of a kind this one does not know."""
    known = notice.kind in tuple(NoticeKind)
    return TEXTS[NoticeKind(notice.kind)].headline if known else notice.kind.replace("_", " ")


def _wrap(text: str, first: str = "", rest: str = "") -> str:
    return textwrap.fill(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


_TEMPLATES = Environment(
    loader=PackageLoader("controller.notifications"),
    autoescape=select_autoescape(["html.j2"]),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_TEMPLATES.filters["wrap"] = _wrap
