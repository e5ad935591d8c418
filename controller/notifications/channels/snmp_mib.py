"""The text of HOSTFENCE-MIB, from the numbers; ``scripts/generate-docs`` writes it to ``deploy/snmp``."""

import textwrap
from collections.abc import Iterator, Sequence

from controller.domain.channels.snmp import BASE_OID
from controller.domain.notice_texts import TEXTS
from controller.notifications.channels.snmp_numbers import (
    NOTIFICATIONS,
    OBJECTS,
    OTHER,
    TEXTS_CARRIED,
    notification_name,
)


def mib_text() -> str:
    """The MIB module."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    for one in OBJECTS:
        yield f"hostfence{one.name} OBJECT-TYPE"
        yield f"    SYNTAX      {one.syntax}"
        yield "    MAX-ACCESS  accessible-for-notify"
        yield "    STATUS      current"
        yield f'    DESCRIPTION "{one.help}"'
        yield f"    ::= {{ hostfenceObjects {one.number} }}\n"
    carried = [f"hostfence{one.name}" for one in OBJECTS]
    for kind, number in NOTIFICATIONS.items():
        said = f"{TEXTS[kind].headline} ({TEXTS[kind].severity})."
        yield from _notification(notification_name(kind), number, said, carried)
    yield from _notification("hostfenceOther", OTHER, "A kind of notice that is newer than this module.", carried)
    names = [*(notification_name(kind) for kind in NOTIFICATIONS), "hostfenceOther"]
    yield _CONFORMANCE.format(objects=_listed(carried), notifications=_listed(names))


def _notification(name: str, number: int, said: str, objects: Sequence[str]) -> Iterator[str]:
    yield f"{name} NOTIFICATION-TYPE"
    yield f"    OBJECTS {{ {_listed(objects)} }}"
    yield "    STATUS  current"
    yield f'    DESCRIPTION "{said[0].upper()}{said[1:]}"'
    yield f"    ::= {{ hostfenceNotifications {number} }}\n"


def _listed(names: Sequence[str]) -> str:
    """Broken into lines of a readable length."""
    return "\n        ".join(textwrap.wrap(", ".join(names), 80))


_ENTERPRISE, _PLACE = BASE_OID.split(".")[-2:]

_HEAD = f"""\
-- Made by scripts/generate-docs from the code; edit nothing but the one line that says where the module begins.
--
-- That place is under {_ENTERPRISE}, the number for examples (RFC 5612), because hostfence has none of its own. If
-- you have a private enterprise number, write it into the line that is marked, and 1.3.6.1.4.1.NUMBER.{_PLACE}
-- into base_oid of each channel of the kind snmp.

HOSTFENCE-MIB DEFINITIONS ::= BEGIN

IMPORTS
    MODULE-IDENTITY, OBJECT-TYPE, NOTIFICATION-TYPE, Unsigned32, enterprises
        FROM SNMPv2-SMI
    TEXTUAL-CONVENTION, DateAndTime
        FROM SNMPv2-TC
    MODULE-COMPLIANCE, OBJECT-GROUP, NOTIFICATION-GROUP
        FROM SNMPv2-CONF;

hostfence MODULE-IDENTITY
    LAST-UPDATED "202611300000Z"
    ORGANIZATION "hostfence"
    CONTACT-INFO "See the documentation that comes with hostfence: docs/notifications.md."
    DESCRIPTION
        "What hostfence tells about KVM hosts that fell silent: each notification is one decision.
        hostfence sends notifications only; it answers no requests."
    REVISION     "202611300000Z"
    DESCRIPTION  "First version."
    ::= {{ hostfencePlace {_PLACE} }}

hostfencePlace OBJECT IDENTIFIER ::= {{ enterprises {_ENTERPRISE} }} -- the line to edit

HostfenceText ::= TEXTUAL-CONVENTION
    DISPLAY-HINT "255t"
    STATUS       current
    DESCRIPTION  "Text in UTF-8, cut to the length that its object has; what is cut ends with three dots in one sign."
    SYNTAX       OCTET STRING (SIZE (0..{max(one.longest for one in TEXTS_CARRIED)}))

hostfenceNotifications OBJECT IDENTIFIER ::= {{ hostfence 0 }}
hostfenceObjects       OBJECT IDENTIFIER ::= {{ hostfence 1 }}
hostfenceConformance   OBJECT IDENTIFIER ::= {{ hostfence 2 }}
hostfenceGroups        OBJECT IDENTIFIER ::= {{ hostfenceConformance 1 }}
hostfenceCompliances   OBJECT IDENTIFIER ::= {{ hostfenceConformance 2 }}
"""

_CONFORMANCE = """\
hostfenceObjectGroup OBJECT-GROUP
    OBJECTS {{ {objects} }}
    STATUS      current
    DESCRIPTION "What every notification carries."
    ::= {{ hostfenceGroups 1 }}

hostfenceNotificationGroup NOTIFICATION-GROUP
    NOTIFICATIONS {{ {notifications} }}
    STATUS      current
    DESCRIPTION "Every notification."
    ::= {{ hostfenceGroups 2 }}

hostfenceCompliance MODULE-COMPLIANCE
    STATUS      current
    DESCRIPTION "What hostfence sends."
    MODULE
        MANDATORY-GROUPS {{ hostfenceObjectGroup, hostfenceNotificationGroup }}
    ::= {{ hostfenceCompliances 1 }}

END
"""
