"""From a notice to words: subject, plain text and HTML, with links into the web UI."""

import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from controller.domain.digest import counted, groups
from controller.domain.headlines import heading, headline
from controller.domain.model import Notice, Severity
from controller.domain.notice_texts import NoticeKind
from controller.domain.words import label, words_for
from controller.notifications.base import Rendered

_WIDTH = 76
_GROUPS_IN_SUBJECT = 3


_COLOURS = {Severity.INFO: "#2b6cb0", Severity.WARNING: "#b7791f", Severity.CRITICAL: "#c53030"}
"""Beside the word, never instead of it."""

_NO_NAMES: Mapping[str, str] = MappingProxyType({})


def render(
    notice: Notice, *, link_base: str, clusters: Mapping[str, str] = _NO_NAMES, members: Sequence[Notice] = ()
) -> Rendered:
    """The message for ``notice``.

    Args:
        notice: what is told.
        link_base: the web UI's address ("" when unknown: then without links).
        clusters: names of clusters by id.
        members: of a digest, the notices that it tells.
    """
    cluster = clusters.get(notice.cluster_id or "", "")
    link = link_to(notice, link_base=link_base)
    facts = {
        "notice": notice,
        "heading": heading(notice),
        "why": [(label(reason), words_for(reason)) for reason in notice.why],
        "link": link,
        "cluster": cluster,
        "count": len(members),
        "groups": groups(members),
        "colours": _COLOURS,
        "link_to": partial(link_to, link_base=link_base),
    }
    kind = "digest" if members else "notice"
    return Rendered(
        notice=notice,
        subject=subject(notice, members=members),
        text=_TEMPLATES.get_template(f"{kind}.txt.j2").render(facts),
        html=_TEMPLATES.get_template(f"{kind}.html.j2").render(facts),
        link=link,
        cluster=cluster,
        members=tuple(_brief(one, link_base=link_base, clusters=clusters) for one in members),
    )


def _brief(notice: Notice, *, link_base: str, clusters: Mapping[str, str]) -> Rendered:
    """A member of a digest: its fields, not the text of a message that is never sent."""
    return Rendered(
        notice=notice,
        subject=subject(notice),
        text="",
        html="",
        link=link_to(notice, link_base=link_base),
        cluster=clusters.get(notice.cluster_id or "", ""),
    )


def subject(notice: Notice, *, members: Sequence[Notice] = ()) -> str:
    """One line that says enough on a locked telephone: ``[hostfence] CRITICAL kvm-a3: held, storm``."""
    if notice.kind == NoticeKind.TEST:
        return f"[hostfence] TEST: {headline(notice)}"
    said = _groups_in_short(members) if members else heading(notice)
    return " ".join(f"[hostfence] {notice.severity.upper()} {notice.host_name}: {said}".split())


def link_to(notice: Notice, *, link_base: str) -> str:
    """The page where a person sees the evidence and can act."""
    base = link_base.rstrip("/")
    if not base:
        return ""
    if notice.incident_id:
        return f"{base}/incidents/{quote(notice.incident_id, safe='')}"
    return f"{base}/hosts/{quote(notice.host_id, safe='')}" if notice.host_id else base


def _groups_in_short(members: Sequence[Notice]) -> str:
    found = groups(members)
    more = len(found) - _GROUPS_IN_SUBJECT
    return counted(found[:_GROUPS_IN_SUBJECT]) + (f" | {more} more" if more > 0 else "")


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
