import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.domain import notices
from controller.domain.certificates import Ending
from controller.domain.digest import digest
from controller.domain.incident import Acknowledgement
from controller.domain.model import DeviceHealth, Effect, EffectKind, EffectStatus, Health, Notice, Severity
from controller.domain.notice_texts import EFFECT_FAILED, TEXTS, NoticeKind
from controller.domain.policy import Action
from controller.domain.power import PowerCode
from controller.domain.reasons import Reason
from tests.fakes.clock import START
from tests.fixtures import builders as a
from tests.fixtures.notices import HOST, after_a_command, an_incident

INCIDENT, SENT = an_incident(), after_a_command()
ENROLLED = replace(HOST, agent_tls=True, agent_tls_until=START + timedelta(days=6))


ON_MAIL: dict[str, Any] = {"channel": "mail", "at": START}


def _effect(kind: EffectKind = EffectKind.QUARANTINE, status: EffectStatus = EffectStatus.INTENDED) -> Effect:
    return Effect(
        id="e-1",
        host_id=HOST.id,
        incident_id=INCIDENT.id,
        kind=kind,
        intended_at=START,
        next_try_at=START,
        give_up_at=START + timedelta(hours=1),
        status=status,
        said="the cloud answered 530.",
    )


def _held(*reasons: Reason, told: frozenset[Reason] = frozenset()) -> Notice:
    notice = notices.held(replace(INCIDENT, told=told), HOST, at=START, reasons=reasons)
    assert notice is not None
    return notice


EVERY: dict[NoticeKind, Callable[[], Notice]] = {
    NoticeKind.OPENED: lambda: notices.opened(INCIDENT, HOST, at=START),
    NoticeKind.HELD: lambda: _held(Reason.TOO_FEW_WITNESSES),
    NoticeKind.HOLD_CHANGED: lambda: _held(Reason.STORM, told=frozenset({Reason.PAUSED})),
    NoticeKind.REMINDER: lambda: notices.reminder(INCIDENT, HOST, at=START + timedelta(hours=1)),
    NoticeKind.CONTRADICTION: lambda: notices.contradiction(
        SENT, HOST, at=START, signs=[Reason.DISKS_MOVE, Reason.CONTRADICTION]
    ),
    NoticeKind.OTHER_HOST_VANISHED: lambda: _held(Reason.CONTRADICTION, Reason.OTHER_HOST_VANISHED),
    NoticeKind.WOULD_HAVE_FENCED: lambda: notices.would_have_fenced(
        INCIDENT, HOST, at=START, action=Action.OFF, reasons=[Reason.HOST_DEAD, Reason.OBSERVE_MODE]
    ),
    NoticeKind.ACTION_NONE: lambda: notices.action_none(INCIDENT, HOST, at=START),
    NoticeKind.BLINK: lambda: notices.blink(INCIDENT, HOST, at=START),
    NoticeKind.NOTHING_TO_RELEASE: lambda: notices.nothing_to_release(INCIDENT, HOST, at=START),
    NoticeKind.FENCING: lambda: notices.fencing(INCIDENT, HOST, at=START, action=Action.REBOOT),
    NoticeKind.OFF_PROVEN: lambda: notices.off_proven(SENT, HOST, at=START),
    NoticeKind.FENCED: lambda: notices.fenced(SENT, HOST, at=START, action=Action.OFF),
    NoticeKind.FENCED_IN_PART: lambda: notices.fenced(SENT, HOST, at=START, action=Action.REBOOT, not_started=["db-1"]),
    NoticeKind.STAYS_OFF: lambda: notices.stays_off(SENT, HOST, at=START, fences=3),
    NoticeKind.RECOVERED: lambda: notices.recovered(INCIDENT, HOST, at=START, reasons=[Reason.AGENT_ANSWERS]),
    NoticeKind.CANCELLED: lambda: notices.cancelled(INCIDENT, HOST, at=START, by="eva", said="planned work"),
    NoticeKind.ACKNOWLEDGED: lambda: notices.acknowledged(INCIDENT, HOST, at=START, by="eva", said="plug pulled"),
    NoticeKind.RETURNED: lambda: notices.returned(
        HOST, Health(host_id=HOST.id, fenced_by=INCIDENT.id, boot_id="b-2"), at=START
    ),
    NoticeKind.RETURN_WAITS: lambda: notices.returned(
        HOST, Health(host_id=HOST.id, fenced_by=INCIDENT.id, boot_id="b-3"), at=START, waits=True
    ),
    NoticeKind.CLOUD_TROUBLE: lambda: notices.cloud_trouble(
        "listHosts: no answer.", since=START, at=START + timedelta(minutes=10)
    ),
    NoticeKind.TEST: lambda: notices.channel_test("n-1", channel="on call", by="eva", at=START),
    NoticeKind.DIGEST: lambda: digest([_held(Reason.STORM), notices.opened(INCIDENT, HOST, at=START)], **ON_MAIL),
    NoticeKind.CLOUD_IS_BACK: lambda: notices.cloud_is_back(since=START, at=START + timedelta(minutes=15)),
    NoticeKind.PLACED_ELSEWHERE: lambda: notices.placed_elsewhere(
        INCIDENT, HOST, at=START, where={"web-1": "kvm-a4", "db-1": ""}
    ),
    NoticeKind.BMC_TEST_FAILED: lambda: notices.bmc_test_failed(
        HOST, DeviceHealth(code=PowerCode.BAD_CREDENTIALS), at=START
    ),
    NoticeKind.CERTIFICATE_ENDS: lambda: notices.certificate_ends(ENROLLED, Ending.WEEK, at=START),
    NoticeKind.CERTIFICATE_ENDED: lambda: notices.certificate_ends(ENROLLED, Ending.ENDED, at=START),
    NoticeKind.DATABASE_RESTORED: lambda: notices.database_restored(a.pause(), newest=START, held=[HOST]),
    **{
        kind: lambda effect=effect: notices.effect_failed(INCIDENT, HOST, _effect(effect), at=START)  # type: ignore[misc]
        for effect, kind in EFFECT_FAILED.items()
    },
}


ABOUT = {
    NoticeKind.DATABASE_RESTORED: (None, None, "every host"),
    NoticeKind.CLOUD_TROUBLE: (None, None, "every host"),
    NoticeKind.CLOUD_IS_BACK: (None, None, "every host"),
    NoticeKind.DIGEST: (None, "c-1", "1 host"),
    NoticeKind.TEST: (None, None, "TEST"),
}
"""What is not about the one host."""


def test_every_kind_has_texts_and_a_builder() -> None:
    assert set(EVERY) == set(TEXTS) == set(NoticeKind)
    assert set(EFFECT_FAILED) == set(EffectKind)


@pytest.mark.parametrize("kind", NoticeKind)
def test_each_says_which_host_what_next_and_how_to_stop_it(kind: NoticeKind) -> None:
    notice = EVERY[kind]()
    assert notice.kind == kind
    about = ABOUT.get(kind, (HOST.id, HOST.cluster_id, HOST.name))
    named = about[0] is not None or kind in (NoticeKind.DATABASE_RESTORED, NoticeKind.DIGEST)
    assert ("kvm-a3" in notice.what) is named
    assert (notice.host_id, notice.cluster_id, notice.host_name) == about
    for text in (notice.what, notice.next, notice.how_to_stop):
        assert text.endswith((".", "?"))
        assert not re.search(r"[{}]|  |\.\.|None|[a-z]_[a-z]", text), text


@pytest.mark.parametrize("kind", NoticeKind)
def test_the_same_decision_makes_the_same_notice(kind: NoticeKind) -> None:
    assert EVERY[kind]() == EVERY[kind]()


def test_different_decisions_have_different_keys() -> None:
    keys = [make().key for make in EVERY.values()]
    ids = [make().id for make in EVERY.values()]
    # both ends of a fencing, complete or in part, are the same decision
    assert len(keys) - 1 == len(set(keys)) == len(set(ids))


def test_a_hold_is_told_once_a_reason() -> None:
    held = replace(INCIDENT, told=frozenset({Reason.PAUSED}))
    assert notices.held(held, HOST, at=START, reasons=[Reason.PAUSED]) is None
    more = notices.held(held, HOST, at=START, reasons=[Reason.PAUSED, Reason.CLOUD_UNREACHABLE])
    assert more is not None
    assert (more.key, more.why) == ("i-1:held:cloud_unreachable", (Reason.PAUSED, Reason.CLOUD_UNREACHABLE))
    assert "a new reason: cloud unreachable." in more.what


def test_a_contradiction_is_one_decision_inside_and_outside_a_hold() -> None:
    assert _held(Reason.CONTRADICTION).key == notices.contradiction(INCIDENT, HOST, at=START).key


def test_fencing_says_when_the_host_comes_back_on() -> None:
    reboot = notices.fencing(INCIDENT, HOST, at=START, action=Action.REBOOT)
    off = notices.fencing(INCIDENT, HOST, at=START, action=Action.OFF)
    assert "switched on again" in reboot.next
    assert "switched on" not in off.next


def test_fenced_says_what_becomes_of_the_host() -> None:
    off = notices.fenced(SENT, HOST, at=START, action=Action.OFF)
    reboot = notices.fenced(SENT, HOST, at=START, action=Action.REBOOT)
    assert off.next == "The host stays off until a person switches it on."
    assert reboot.next == "hostfence now switches the host on again."
    assert off.why == (Reason.HOST_DEAD, Reason.PROVEN_OFF)


def test_fenced_after_an_acknowledgement_claims_no_proof() -> None:
    vouched = replace(SENT, acknowledged=Acknowledgement(by="eva", at=START, reason="plug pulled"))
    assert notices.fenced(vouched, HOST, at=START, action=Action.OFF).why == (Reason.ACKNOWLEDGED,)


def test_the_end_names_what_the_cloud_did_before_the_proof() -> None:
    told = replace(SENT, told=frozenset({Reason.PLACED_ELSEWHERE}))
    assert notices.fenced(told, HOST, at=START, action=Action.OFF).why[-1] is Reason.RELEASED_BY_CLOUD


def test_an_effect_is_told_when_it_fails_and_when_it_is_given_up() -> None:
    first = notices.effect_failed(INCIDENT, HOST, _effect(), at=START)
    last = notices.effect_failed(INCIDENT, HOST, _effect(status=EffectStatus.FAILED), at=START)
    assert first.key != last.key
    assert "keeps trying until 2025-01-07 04:12:00 UTC" in first.next
    assert "has given up trying" in last.next


def test_a_broken_bmc_is_told_once_until_it_works_again() -> None:
    broken = DeviceHealth(identity="ipmi://b1", code=PowerCode.NO_ANSWER, on_seen_at=START)
    first = notices.bmc_test_failed(HOST, broken, at=START)
    again = notices.bmc_test_failed(HOST, broken, at=START + timedelta(hours=5))
    worked_between = replace(broken, on_seen_at=START + timedelta(hours=1))
    assert first.key == again.key
    assert notices.bmc_test_failed(HOST, worked_between, at=START).key != first.key


def test_a_host_that_returns_without_a_known_incident_is_told_too() -> None:
    notice = notices.returned(HOST, Health(host_id=HOST.id, boot_id="b-2"), at=START)
    assert (notice.incident_id, notice.key) == (None, "h-a3:returned:b-2")


def test_long_lists_are_cut() -> None:
    names = [f"vm-{number}" for number in range(25)]
    assert notices.some_names(names).endswith("vm-19 and 5 more")
    assert notices.some_names(names[:2]) == "vm-0, vm-1"


def test_a_hold_for_good_reads_well() -> None:
    notice = _held(Reason.STORM)
    assert notice.severity is Severity.CRITICAL
    assert notice.what == (
        "kvm-a3 has been silent since 2025-01-07 03:11:20 UTC. hostfence is holding: it leaves the host alone for now. "
        "Its virtual machines: web-1, db-1."
    )
    assert notice.next == (
        "This never ends in an action by itself: either the host comes back, or a person decides. "
        "You are reminded after 15 minutes, 1 hour, 4 hours and then daily."
    )


def test_the_end_of_a_certificate_is_told_once_a_stage_and_certificate() -> None:
    stages = [notices.certificate_ends(ENROLLED, ending, at=START) for ending in Ending]
    renewed = replace(ENROLLED, agent_tls_until=START + timedelta(days=29))
    again = notices.certificate_ends(renewed, Ending.MONTH, at=START)
    assert len({notice.key for notice in [*stages, again]}) == 4
    assert [notice.severity for notice in stages] == [Severity.WARNING, Severity.WARNING, Severity.CRITICAL]
    assert "2025-01-13 03:12:00 UTC" in stages[0].what
    later = notices.certificate_ends(ENROLLED, Ending.MONTH, at=START + timedelta(hours=1))
    assert later.key == stages[0].key
    assert "nobody wrote down" in notices.certificate_ends(HOST, Ending.ENDED, at=START).what
