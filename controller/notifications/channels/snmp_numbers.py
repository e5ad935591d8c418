"""Which number each notification and object of HOSTFENCE-MIB has, and how long its texts may be.

Numbers are for ever: receivers know them. A new kind of notice gets the next one.
"""

from dataclasses import dataclass

from controller.domain.model import Severity
from controller.domain.notice_texts import NoticeKind

OTHER = 99
"""The notification for a kind of notice that this version does not know."""

NOTIFICATIONS: dict[NoticeKind, int] = {
    NoticeKind.TEST: 1,
    NoticeKind.DIGEST: 2,
    NoticeKind.OPENED: 10,
    NoticeKind.HELD: 11,
    NoticeKind.HOLD_CHANGED: 12,
    NoticeKind.REMINDER: 13,
    NoticeKind.CONTRADICTION: 14,
    NoticeKind.OTHER_HOST_VANISHED: 15,
    NoticeKind.WOULD_HAVE_FENCED: 16,
    NoticeKind.ACTION_NONE: 17,
    NoticeKind.BLINK: 18,
    NoticeKind.NOTHING_TO_RELEASE: 19,
    NoticeKind.FENCING: 20,
    NoticeKind.OFF_PROVEN: 21,
    NoticeKind.FENCED: 22,
    NoticeKind.FENCED_IN_PART: 23,
    NoticeKind.STAYS_OFF: 24,
    NoticeKind.RECOVERED: 25,
    NoticeKind.CANCELLED: 26,
    NoticeKind.ACKNOWLEDGED: 27,
    NoticeKind.RETURNED: 28,
    NoticeKind.RETURN_WAITS: 29,
    NoticeKind.PLACED_ELSEWHERE: 30,
    NoticeKind.QUARANTINE_FAILED: 31,
    NoticeKind.UNQUARANTINE_FAILED: 32,
    NoticeKind.RELEASE_FAILED: 33,
    NoticeKind.BLINK_FAILED: 34,
    NoticeKind.BLINK_OFF_FAILED: 35,
    NoticeKind.POWER_ON_FAILED: 36,
    NoticeKind.BMC_TEST_FAILED: 50,
    NoticeKind.CERTIFICATE_ENDS: 51,
    NoticeKind.CERTIFICATE_ENDED: 52,
    NoticeKind.CLOUD_TROUBLE: 60,
    NoticeKind.CLOUD_IS_BACK: 61,
    NoticeKind.DATABASE_RESTORED: 70,
}

SEVERITIES: dict[Severity, int] = {Severity.INFO: 1, Severity.WARNING: 2, Severity.CRITICAL: 3}


@dataclass(frozen=True, slots=True)
class Object:
    """One thing that a notification carries."""

    name: str
    number: int
    syntax: str
    help: str


@dataclass(frozen=True, slots=True)
class Text(Object):
    """A text, cut to ``longest`` bytes: all of them together fit into one packet."""

    longest: int


def _text(name: str, number: int, longest: int, said: str) -> Text:
    return Text(name, number, f"HostfenceText (SIZE (0..{longest}))", said, longest)


_WORDS = ", ".join(f"{severity}({value})" for severity, value in SEVERITIES.items())

NOTICE_ID = _text("NoticeId", 1, 36, "Stays the same when a notification is sent again: drop the copy.")
SEVERITY = Object("Severity", 2, f"INTEGER {{ {_WORDS} }}", "How loud it is.")
KIND = _text("Kind", 3, 40, "The kind of notice, as hostfence's REST interface and documentation name it.")
SUMMARY = _text("Summary", 4, 140, "One line that says enough.")
HOST = _text("Host", 5, 64, "The host's name, or how many hosts a digest is about.")
CLUSTER = _text("Cluster", 6, 64, "The name of the host's cluster; empty where it is about none.")
INCIDENT = _text("Incident", 7, 36, "The incident's id; empty where it is about none.")
WHAT = _text("What", 8, 280, "What is the case. Of a digest: every host it is about.")
WHY = _text("Why", 9, 110, "The reasons, as codes with commas between them; the runbook explains each.")
NEXT = _text("Next", 10, 120, "What happens next.")
HOW_TO_STOP = _text("HowToStop", 11, 100, "How to stop it, and what can be done.")
LINK = _text("Link", 12, 150, "The page where a person sees the evidence and can act.")
DECIDED_AT = Object("DecidedAt", 13, "DateAndTime", "When it was decided, in UTC.")
COUNT = Object("Count", 14, "Unsigned32", "How many decisions it tells: more than one in a digest.")

TEXTS_CARRIED = (NOTICE_ID, KIND, SUMMARY, HOST, CLUSTER, INCIDENT, WHAT, WHY, NEXT, HOW_TO_STOP, LINK)
OBJECTS = tuple(sorted((*TEXTS_CARRIED, SEVERITY, DECIDED_AT, COUNT), key=lambda one: one.number))


def trap_oid(kind: str, *, base: str) -> str:
    """The OID of the notification for this kind of notice."""
    number = next((number for known, number in NOTIFICATIONS.items() if known == kind), OTHER)
    return f"{base}.0.{number}"


def object_oid(one: Object, *, base: str) -> str:
    """The OID of the one instance of an object."""
    return f"{base}.1.{one.number}.0"


def notification_name(kind: str) -> str:
    """As the MIB calls it: ``hostfenceBmcTestFailed``."""
    return "hostfence" + "".join(word.capitalize() for word in kind.split("_"))
