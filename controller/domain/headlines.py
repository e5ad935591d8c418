"""A notice in a few words, for subjects, lists and digests. Pure."""

from controller.domain.model import Notice, Severity
from controller.domain.notice_texts import TEXTS, NoticeKind
from controller.domain.reasons import NEEDS_A_PERSON
from controller.domain.words import label

LOUDNESS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}
"""How severities compare."""

_FEW_REASONS = 2
_WITH_REASONS = frozenset({NoticeKind.HELD, NoticeKind.HOLD_CHANGED, NoticeKind.REMINDER})


def headline(notice: Notice) -> str:
    """What was decided. A notice stored by a newer or older version may be of a kind this one does not know."""
    known = notice.kind in tuple(NoticeKind)
    return TEXTS[NoticeKind(notice.kind)].headline if known else notice.kind.replace("_", " ")


def heading(notice: Notice) -> str:
    """What was decided, and of a hold why: ``held, storm, 2 more``."""
    if notice.kind not in _WITH_REASONS:
        return headline(notice)
    gravest_first = sorted(notice.why, key=lambda reason: reason not in NEEDS_A_PERSON)
    shown = [headline(notice), *(label(reason) for reason in gravest_first[:_FEW_REASONS])]
    more = len(notice.why) - _FEW_REASONS
    return ", ".join([*shown, f"{more} more"] if more > 0 else shown)
