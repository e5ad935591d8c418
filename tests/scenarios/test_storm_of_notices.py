"""A storm of 200 hosts makes a thousand notices: people get a few messages, programs an event each, all is told once.

The notices are those that the engine makes of a storm and of its end; two controllers share the store; the mail server
and the receiver of events are real ones.
"""

import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from controller.domain import notices
from controller.domain.channels.base import ChannelSettings
from controller.domain.channels.email import EmailChannel, Tls
from controller.domain.channels.kinds import channel_to_json
from controller.domain.channels.webhook import WebhookChannel
from controller.domain.incident import Incident, State
from controller.domain.model import Cluster, DeliveryStatus, Host, Level, Notice, SettingRow
from controller.domain.reasons import Reason
from controller.engine.notifier import Notifier
from controller.notifications.base import Channel
from controller.notifications.channels.email import Email
from controller.notifications.channels.webhook import Webhook
from controller.notifications.registry import Outlet
from controller.services.telling import tell
from tests.fakes.clock import START, FakeClock
from tests.fixtures.hook_server import hook_server
from tests.fixtures.mail_server import mail_server
from tests.fixtures.notices import an_incident
from tests.simulation.memory_store import MemoryStore

HOSTS = 200
LINK = "https://fencing.example.org"


def _host(number: int) -> Host:
    return Host(id=f"h-{number:03}", cluster_id="c-1", name=f"kvm-{number:03}", address="10.0.0.1")


def _story(number: int) -> list[tuple[float, Notice]]:
    """What is told of one host, and how many seconds after the storm began."""
    host = _host(number)
    rng = random.Random(number)  # noqa: S311 - a schedule
    held_after, back_after = 10 + rng.uniform(0, 25), 5 * 3600 + rng.uniform(0, 40)

    def at(seconds: float) -> Incident:
        return an_incident(
            id=f"i-{number:03}",
            host_id=host.id,
            state=State.HELD,
            held_since=START + timedelta(seconds=held_after),
            reasons=(Reason.STORM,),
            reminders=[900, 3600, 4 * 3600].index(round(seconds)) if seconds in (900, 3600, 4 * 3600) else 0,
        )

    def moment(seconds: float) -> dict[str, object]:
        return {"at": START + timedelta(seconds=seconds)}

    held = notices.held(at(0), host, reasons=[Reason.STORM], at=START + timedelta(seconds=held_after))
    assert held is not None
    told = [(held_after, held)]
    for later in (900, 3600, 4 * 3600):
        due = START + timedelta(seconds=held_after + later)
        told.append((held_after + later, notices.reminder(at(later), host, at=due)))
    back = START + timedelta(seconds=back_after)
    told.append((back_after, notices.recovered(at(0), host, at=back, reasons=[Reason.AGENT_ANSWERS])))
    return told


async def _settings(store: MemoryStore, channels: list[ChannelSettings]) -> None:
    async with store.transaction() as tx:
        await tx.save_cluster(Cluster(id="c-1", name="kvm"))
        for number in range(HOSTS):
            await tx.save_host(_host(number))
            await tx.open_incident(an_incident(id=f"i-{number:03}", host_id=f"h-{number:03}"))
        rows = [channel_to_json(one) for one in channels]
        await tx.put_setting(SettingRow(level=Level.GLOBAL, owner_id="", field="channels", value=rows), secret=True)


async def test_two_hundred_hosts_are_a_few_mails_and_every_decision_is_told_once() -> None:
    store, clock = MemoryStore(), FakeClock()
    script = sorted((seconds, notice.id, notice) for number in range(HOSTS) for seconds, notice in _story(number))
    async with mail_server() as mail, hook_server() as hooks:
        people = EmailChannel(
            name="on call", host="127.0.0.1", port=mail.port, tls=Tls.NONE, sender="a@x.org", recipients=("b@x.org",)
        )
        programs = WebhookChannel(name="pager", url=hooks.url, secret="0123456789abcdef")
        await _settings(store, [people, programs])
        made: dict[str, tuple[ChannelSettings, Channel]] = {
            "on call": (people, Email(people)),
            "pager": (programs, Webhook(programs, source=LINK)),
        }

        async def current() -> Mapping[str, Outlet]:
            return {name: Outlet(settings=one, channel=channel) for name, (one, channel) in made.items()}

        controllers = [Notifier(store, clock, current, link_base=LINK) for _ in range(2)]
        waiting = list(script)
        for second in _moments(waiting):
            clock.advance(START + timedelta(seconds=second) - await clock.now())
            async with store.transaction() as tx:
                while waiting and waiting[0][0] <= second:
                    assert await tell(tx, replace(waiting.pop(0)[2], at=await clock.now()))
            for one in controllers:
                await one.beat()
            for one in controllers:
                await one.rest()
    assert not waiting
    assert len(script) == 5 * HOSTS
    assert len(mail.mails) <= 5 * (6 + 2), "of each wave the first six on their own, then a digest or two"
    assert len(hooks.taken) == len(script), "programs get one event for each decision"
    assert len({event["id"] for event in hooks.events()}) == len(script)
    told = _told_by_mail([message.get_body(("plain",)).get_content() for _, message in mail.mails])  # type: ignore[union-attr]
    assert told == Counter(notice.incident_id for _, _, notice in script)
    async with store.transaction() as tx:
        standing = Counter(one.status for one, _ in await tx.deliveries(channel="on call", limit=9999))
    assert standing.keys() == {DeliveryStatus.SENT, DeliveryStatus.IN_DIGEST}
    assert standing[DeliveryStatus.SENT] == len(mail.mails)


def _moments(script: list[tuple[float, str, Notice]]) -> list[int]:
    """Every two seconds while something happens, and for as long as a digest may gather."""
    busy = {(int(seconds) + more) // 2 * 2 for seconds, _, _ in script for more in range(2, 100)}
    return sorted(busy)


def _told_by_mail(texts: list[str]) -> Counter[str | None]:
    """How often each incident is told of: by the link of its own mail, or its line in a digest."""
    return Counter(found for text in texts for found in re.findall(r"/incidents/(i-\d+)", text))
