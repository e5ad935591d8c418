"""What people are told, as data: one small builder a decision; the words stand in ``notice_texts``. Pure.

A notice's ``key`` names the decision, so that the store drops a second telling of the same one; its id is derived from
the key, so that a step that is done again makes the very same notice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

from controller.domain.certificates import Ending
from controller.domain.holds import hold_next, hold_severity, hold_stop, hold_what, long_ago
from controller.domain.incident import Incident
from controller.domain.model import DeviceHealth, Effect, EffectStatus, Health, Host, Notice, Pause, Severity
from controller.domain.notice_texts import EFFECT_FAILED, TEXTS, NoticeKind
from controller.domain.policy import Action
from controller.domain.reasons import Reason
from controller.domain.words import label

_NAMESPACE = UUID("5b6f0d0e-7c1a-4f5e-9c60-1f2a6a3c9d11")
_NAMES_SHOWN = 20
_EVERY_HOST = "every host"

_WOULD_HAVE = {
    Action.NONE: "told you",
    Action.BLINK: "lit its LED",
    Action.OFF: "powered it off",
    Action.REBOOT: "powered it off and on again",
}
_STAYS_OFF = "The host stays off until a person switches it on."
_GIVEN_UP = "hostfence has given up trying."
_AFTER = {Action.REBOOT: "hostfence now switches the host on again."}
_HOLD_KINDS = {
    Reason.OTHER_HOST_VANISHED: NoticeKind.OTHER_HOST_VANISHED,
    Reason.CONTRADICTION: NoticeKind.CONTRADICTION,
}
"""Holds with words of their own, the most urgent first."""


def opened(incident: Incident, host: Host, *, at: datetime, why: Sequence[Reason] = ()) -> Notice:
    """A host went silent and is being looked at."""
    return _notice(NoticeKind.OPENED, incident, host, at=at, why=why)


def held(incident: Incident, host: Host, *, at: datetime, reasons: Sequence[Reason]) -> Notice | None:
    """A hold, told once a reason: None when people were told of all ``reasons`` (``incident.told``) before."""
    new = [r for r in reasons if r not in incident.told]
    if not new:
        return None
    ordinary = NoticeKind.HOLD_CHANGED if incident.told else NoticeKind.HELD
    kind = next((special for reason, special in _HOLD_KINDS.items() if reason in new), ordinary)
    part = f"held:{'+'.join(sorted(new))}"
    return _hold(kind, incident, host, at=at, why=reasons, part=part, new=", ".join(map(label, new)))


def reminder(incident: Incident, host: Host, *, at: datetime) -> Notice:
    """Still held. ``incident.reminders`` is the number of those told before this one."""
    since = incident.held_since or incident.entered_at
    part = f"reminder:{since.isoformat()}:{incident.reminders}"
    return _hold(NoticeKind.REMINDER, incident, host, at=at, why=incident.reasons, part=part, age=long_ago(at - since))


def contradiction(incident: Incident, host: Host, *, at: datetime, signs: Sequence[Reason] = ()) -> Notice:
    """Life, or a new boot, after the power command: outside a hold too."""
    why = (Reason.CONTRADICTION, *(s for s in signs if s is not Reason.CONTRADICTION))
    return _hold(NoticeKind.CONTRADICTION, incident, host, at=at, why=why, part="held:contradiction")


def would_have_fenced(
    incident: Incident, host: Host, *, at: datetime, action: Action, reasons: Sequence[Reason]
) -> Notice:
    """Dead, and observe mode. ``reasons``: the verdict and every refusal."""
    done = _WOULD_HAVE[action]
    return _notice(NoticeKind.WOULD_HAVE_FENCED, incident, host, at=at, why=reasons, done=done)


def action_none(incident: Incident, host: Host, *, at: datetime) -> Notice:
    """Dead, and the action is to tell only."""
    why = (Reason.HOST_DEAD, Reason.ACTION_NONE)
    return _notice(NoticeKind.ACTION_NONE, incident, host, at=at, why=why)


def blink(incident: Incident, host: Host, *, at: datetime) -> Notice:
    """Dead, and the action is to light the LED."""
    why = (Reason.HOST_DEAD, Reason.ACTION_BLINK)
    return _notice(NoticeKind.BLINK, incident, host, at=at, why=why)


def nothing_to_release(incident: Incident, host: Host, *, at: datetime) -> Notice:
    """Dead, and no machine runs there."""
    why = (Reason.HOST_DEAD, Reason.NOTHING_TO_RELEASE)
    return _notice(NoticeKind.NOTHING_TO_RELEASE, incident, host, at=at, why=why)


def fencing(
    incident: Incident, host: Host, *, at: datetime, action: Action, reasons: Sequence[Reason] = (Reason.HOST_DEAD,)
) -> Notice:
    """The power is about to be cut: stored with the intent, so before the BMC hears of it. Once an incident."""
    then = ", and then the host is switched on again" if action is Action.REBOOT else ""
    return _notice(NoticeKind.FENCING, incident, host, at=at, why=reasons, then=then)


def off_proven(incident: Incident, host: Host, *, at: datetime, reasons: Sequence[Reason] = ()) -> Notice:
    """The power is proven off. Told again only for another proof (one that was voided comes first)."""
    why = (Reason.PROVEN_OFF, *reasons)
    part = f"off_proven:{incident.proof.voided}"
    return _notice(NoticeKind.OFF_PROVEN, incident, host, at=at, why=why, part=part, reads=str(incident.proof.reads))


def fenced(incident: Incident, host: Host, *, at: datetime, action: Action, not_started: Sequence[str] = ()) -> Notice:
    """Off, proven (or vouched for) and released. ``not_started``: names of the machines that did not start."""
    kind = NoticeKind.FENCED_IN_PART if not_started else NoticeKind.FENCED
    why = [Reason.ACKNOWLEDGED] if incident.acknowledged else [Reason.HOST_DEAD, Reason.PROVEN_OFF]
    if Reason.PLACED_ELSEWHERE in incident.told:
        why.append(Reason.RELEASED_BY_CLOUD)
    after = _AFTER.get(action, _STAYS_OFF)
    return _notice(
        kind, incident, host, at=at, why=why, part="fenced", after=after, not_started=some_names(not_started)
    )


def stays_off(incident: Incident, host: Host, *, at: datetime, fences: int) -> Notice:
    """Fenced too often within a day to be switched on again."""
    return _notice(NoticeKind.STAYS_OFF, incident, host, at=at, fences=str(fences))


def recovered(incident: Incident, host: Host, *, at: datetime, reasons: Sequence[Reason]) -> Notice:
    """Back: before anything was sent, or for good after a hold that a sent command led to."""
    return _notice(NoticeKind.RECOVERED, incident, host, at=at, why=reasons)


def cancelled(incident: Incident, host: Host, *, at: datetime, by: str, said: str) -> Notice:
    """A person ended the incident."""
    return _notice(NoticeKind.CANCELLED, incident, host, at=at, why=(Reason.OPERATOR,), by=by, said=said)


def acknowledged(incident: Incident, host: Host, *, at: datetime, by: str, said: str) -> Notice:
    """A person vouched that the host is off. Each acknowledgement is told."""
    part = f"acknowledged:{at.isoformat()}"
    why = (Reason.ACKNOWLEDGED,)
    return _notice(NoticeKind.ACKNOWLEDGED, incident, host, at=at, why=why, part=part, by=by, said=said)


def placed_elsewhere(incident: Incident, host: Host, *, at: datetime, where: Mapping[str, str]) -> Notice:
    """The cloud places machines (name -> host, "" unknown) elsewhere without proof. Told once a set of machines."""
    part = f"placed_elsewhere:{uuid5(_NAMESPACE, '/'.join(sorted(where)))}"
    why = (Reason.PLACED_ELSEWHERE,)
    names = some_names([f"{vm} on {other}" if other else vm for vm, other in sorted(where.items())])
    return _notice(NoticeKind.PLACED_ELSEWHERE, incident, host, at=at, why=why, part=part, where=names)


def effect_failed(incident: Incident, host: Host, effect: Effect, *, at: datetime) -> Notice:
    """A quarantine (or its undoing, a release, an LED, a power-on) could not be had: told once a status."""
    kind = EFFECT_FAILED[effect.kind]
    part = f"{kind}:{effect.id}:{effect.status}"
    given_up = effect.status is EffectStatus.FAILED
    trying = _GIVEN_UP if given_up else f"hostfence keeps trying until {_moment(effect.give_up_at)}."
    return _notice(kind, incident, host, at=at, part=part, said=_clause(effect.said), trying=trying)


def returned(host: Host, health: Health, *, at: datetime, waits: bool = False) -> Notice:
    """A fenced host is up and stable again, under ``health.boot_id``; ``waits``: for a person to take it into use."""
    key = f"{health.fenced_by or host.id}:returned:{health.boot_id}"
    kind = NoticeKind.RETURN_WAITS if waits else NoticeKind.RETURNED
    return _build(kind, key, host, at=at, incident_id=health.fenced_by or None, fill={})


def bmc_test_failed(host: Host, device: DeviceHealth, *, at: datetime) -> Notice:
    """A device failed as ``device.code`` says: told once a kind of failure since it last worked (or was changed)."""
    worked = device.on_seen_at.isoformat() if device.on_seen_at else "never"
    key = f"{host.id}:bmc_test_failed:{device.identity}:{device.code}:{worked}"
    fill = {"code": device.code.replace("_", " "), "said": _clause(device.said)}
    return _build(NoticeKind.BMC_TEST_FAILED, key, host, at=at, why=(Reason.BMC_UNREACHABLE,), fill=fill)


def certificate_ends(host: Host, ending: Ending, *, at: datetime) -> Notice:
    """The agent's certificate ends, or has ended (``host.agent_tls_until``): told once a certificate and ``ending``."""
    kind = NoticeKind.CERTIFICATE_ENDED if ending is Ending.ENDED else NoticeKind.CERTIFICATE_ENDS
    until = _moment(host.agent_tls_until) if host.agent_tls_until else "a day that nobody wrote down"
    key = f"{host.id}:certificate:{until}:{ending}"
    return _build(kind, key, host, at=at, fill={"until": until})


def database_restored(pause: Pause, *, newest: datetime | None, held: Sequence[Host]) -> Notice:
    """The database lost what was committed: told once a ``pause`` made for it. ``held``: the open incidents' hosts."""
    kind = NoticeKind.DATABASE_RESTORED
    key = f"{kind}:{pause.id}"
    names = some_names(sorted(host.name for host in held))
    fill = {
        "newest": _moment(newest) if newest else "a time that nobody wrote down",
        "held": f"Held: the incidents of {names}." if held else "There is no open incident in it.",
    }
    return _of_everybody(kind, key, at=pause.created_at, why=(Reason.DATABASE_RESTORED,), fill=fill)


def cloud_trouble(trouble: str, *, since: datetime, at: datetime) -> Notice:
    """The cloud has not told of its hosts since then: told once."""
    fill = {"trouble": _clause(trouble), "minutes": _minutes(at - since)}
    key = f"{NoticeKind.CLOUD_TROUBLE}:{since.isoformat()}"
    return _of_everybody(NoticeKind.CLOUD_TROUBLE, key, at=at, why=(Reason.CLOUD_UNREACHABLE,), fill=fill)


def cloud_is_back(*, since: datetime, at: datetime) -> Notice:
    """It is over: told once, to those who were told that it began."""
    key = f"{NoticeKind.CLOUD_IS_BACK}:{since.isoformat()}"
    return _of_everybody(NoticeKind.CLOUD_IS_BACK, key, at=at, why=(), fill={"minutes": _minutes(at - since)})


def channel_test(notice_id: str, *, channel: str, by: str, at: datetime) -> Notice:
    """A person wants to see a message arrive. Each test is one of its own."""
    key = f"{NoticeKind.TEST}:{notice_id}"
    made = _of_everybody(NoticeKind.TEST, key, at=at, why=(), fill={"channel": channel, "by": by})
    return replace(made, id=notice_id, host_name="TEST")


def _of_everybody(kind: NoticeKind, key: str, *, at: datetime, why: Sequence[Reason], fill: dict[str, str]) -> Notice:
    texts = TEXTS[kind]
    return Notice(
        id=str(uuid5(_NAMESPACE, key)),
        key=key,
        at=at,
        kind=kind,
        severity=texts.severity,
        host_name=_EVERY_HOST,
        what=texts.what.format_map(fill),
        why=tuple(why),
        next=texts.next,
        how_to_stop=texts.how_to_stop,
    )


def _minutes(span: timedelta) -> str:
    return str(round(span.total_seconds() / 60))


def some_names(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _hold(
    kind: NoticeKind, incident: Incident, host: Host, *, at: datetime, why: Sequence[Reason], part: str, **fill: str
) -> Notice:
    texts = {
        "holding": hold_what(incident),
        "hold_next": hold_next(incident, why),
        "hold_stop": hold_stop(incident),
    } | fill
    loud = hold_severity(incident, why)
    return _notice(kind, incident, host, at=at, why=why, part=part, severity=loud, **texts)


def _notice(
    kind: NoticeKind,
    incident: Incident,
    host: Host,
    *,
    at: datetime,
    why: Sequence[Reason] = (),
    part: str = "",
    severity: Severity | None = None,
    **fill: str,
) -> Notice:
    """A notice of an incident; ``part`` tells decisions of one kind apart where there can be several."""
    facts = {
        "since": _moment(incident.disconnect_at),
        "vms": f"Its virtual machines: {some_names(incident.vms)}." if incident.vms else "",
        "untouched": "" if incident.command.may_have_been_sent else ", and nothing was done to the host's power",
        "unquarantine": " Its quarantine is being undone." if incident.quarantined else "",
    }
    key = f"{incident.id}:{part or kind}"
    return _build(kind, key, host, at=at, incident_id=incident.id, why=why, severity=severity, fill=facts | fill)


def _build(
    kind: NoticeKind,
    key: str,
    host: Host,
    *,
    at: datetime,
    fill: Mapping[str, str],
    incident_id: str | None = None,
    why: Sequence[Reason] = (),
    severity: Severity | None = None,
) -> Notice:
    texts = TEXTS[kind]
    words = {"host": host.name, **fill}
    return Notice(
        id=str(uuid5(_NAMESPACE, key)),
        key=key,
        at=at,
        kind=kind,
        severity=severity or texts.severity,
        incident_id=incident_id,
        host_id=host.id,
        cluster_id=host.cluster_id,
        host_name=host.name,
        what=texts.what.format_map(words).strip(),
        why=tuple(dict.fromkeys(why)),
        next=texts.next.format_map(words).strip(),
        how_to_stop=texts.how_to_stop.format_map(words).strip(),
    )


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _clause(said: str) -> str:
    return said.strip().rstrip(".") or "it did not say why"
