"""What a route can name: every kind of notice, and groups of them that stay right when kinds are added."""

from enum import StrEnum

from controller.domain.notice_texts import NoticeKind


class EventGroup(StrEnum):
    """What a notice is about."""

    INCIDENT = "incident"
    READINESS = "readiness"
    CLOUD = "cloud"
    CONTROLLER = "controller"


_APART: dict[NoticeKind, EventGroup] = {
    NoticeKind.BMC_TEST_FAILED: EventGroup.READINESS,
    NoticeKind.CERTIFICATE_ENDS: EventGroup.READINESS,
    NoticeKind.CERTIFICATE_ENDED: EventGroup.READINESS,
    NoticeKind.CLOUD_TROUBLE: EventGroup.CLOUD,
    NoticeKind.CLOUD_IS_BACK: EventGroup.CLOUD,
    NoticeKind.DATABASE_RESTORED: EventGroup.CONTROLLER,
    NoticeKind.TEST: EventGroup.CONTROLLER,
}
"""Everything else is about an incident."""


def group_of(kind: str) -> EventGroup:
    """The group of a notice's kind; one that another version wrote counts as an incident's: better told than lost."""
    return next((group for known, group in _APART.items() if known == kind), EventGroup.INCIDENT)


ASKED_FOR = frozenset({NoticeKind.DIGEST, NoticeKind.TEST})
"""Messages that tell of no decision of their own: a digest goes where its notices go, a test where it is asked for."""

EVENTS: tuple[str, ...] = (*EventGroup, *(kind for kind in NoticeKind if kind not in ASKED_FOR))
"""Every word that ``events`` of a channel may hold."""
