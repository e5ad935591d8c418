"""SNMP to a real snmptrapd: what arrives is decoded by name, and what is confirmed is known."""

import asyncio
import json
import re
import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain import notices
from controller.domain.channels.snmp import BASE_OID, SnmpAuth, SnmpPrivacy, SnmpVersion
from controller.domain.digest import digest
from controller.domain.notice_texts import NoticeKind
from controller.notifications.base import ChannelError
from controller.notifications.channels.snmp import NOT_CONFIRMED
from controller.notifications.channels.snmp_engine import SnmpPost
from controller.notifications.channels.snmp_identity import EngineIdentity
from controller.notifications.channels.snmp_numbers import notification_name
from controller.notifications.render import render
from tests.fakes.clock import START
from tests.fixtures.counterparts import debian_program
from tests.fixtures.notices import a_notice
from tests.fixtures.trap_receiver import (
    AUTH_PASSWORD,
    COMMUNITY,
    ENGINE_ID,
    MIB,
    PRIVACY_PASSWORD,
    TrapReceiver,
    snmp,
    snmp_post,
    trap_receiver,
)

pytestmark = pytest.mark.debian("snmptrapd", "mibs", "snmptranslate", "smilint")

V2C, V3 = SnmpVersion.V2C, SnmpVersion.V3
MESSAGE = render(a_notice(), link_base="https://hostfence.example.org", clusters={"c-1": "kvm-ä"})


@pytest.fixture
async def receiver(tmp_path: Path) -> AsyncIterator[TrapReceiver]:
    async with trap_receiver(tmp_path) as made:
        yield made


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[SnmpPost]:
    async with snmp_post(tmp_path / "engine") as made:
        yield made


@pytest.mark.parametrize(
    ("version", "inform", "how"),
    [
        (V2C, False, "TRAP2, SNMP v2c, community let-us-in"),
        (V2C, True, "INFORM, SNMP v2c, community let-us-in"),
        (V3, False, "TRAP2, SNMP v3, user fencing, context"),
        (V3, True, "INFORM, SNMP v3, user fencing, context"),
    ],
)
async def test_each_kind_arrives_and_is_decoded_by_name(
    receiver: TrapReceiver, post: SnmpPost, version: SnmpVersion, how: str, *, inform: bool
) -> None:
    said = await snmp(post, receiver.port, version, inform=inform).send(MESSAGE)
    [got] = await receiver.wait_for(1)
    assert got.how.strip() == how
    assert got.name == "HOSTFENCE-MIB::hostfenceHeld"
    assert got["NoticeId"] == MESSAGE.notice.id
    assert got["Severity"] == "critical(3)"
    assert got["Kind"] == "held"
    assert got["Summary"] == "[hostfence] CRITICAL kvm-a3: held, storm"
    assert got["Host"] == "kvm-a3"
    assert got["Cluster"] == "kvm-ä"
    assert got["Incident"] == "i-0"
    assert got["What"].startswith("kvm-a3 has been silent since 2025-01-07 03:11:20 UTC.")
    assert got["Why"] == "storm"
    assert got["Next"].startswith("This never ends in an action by itself")
    assert got["HowToStop"].startswith("On the incident's page: Retry checks from the start")
    assert got["Link"] == "https://hostfence.example.org/incidents/i-0"
    assert got["DecidedAt"] == "2025-1-7,3:12:0.0,+0:0"
    assert got["Count"] == "1"
    assert (said == "") is inform, "only an inform is confirmed"
    assert said.startswith("" if inform else NOT_CONFIRMED)


@pytest.mark.parametrize("auth", [one for one in SnmpAuth if one is not SnmpAuth.NONE])
@pytest.mark.parametrize("privacy", [SnmpPrivacy.AES, SnmpPrivacy.AES256])
async def test_every_way_to_prove_and_hide_is_understood(
    tmp_path: Path, post: SnmpPost, auth: SnmpAuth, privacy: SnmpPrivacy
) -> None:
    async with trap_receiver(tmp_path, auth=auth, privacy=privacy) as receiver:
        assert await snmp(post, receiver.port, V3, auth=auth, privacy=privacy).send(MESSAGE) == ""
        assert len(receiver.received) == 1


async def test_every_kind_of_notice_has_its_name(receiver: TrapReceiver, post: SnmpPost) -> None:
    channel = snmp(post, receiver.port, V2C)
    for kind in [*NoticeKind, "brand_new"]:
        await channel.send(replace(MESSAGE, notice=replace(MESSAGE.notice, kind=kind)))
    got = await receiver.wait_for(len(NoticeKind) + 1)
    names = [f"HOSTFENCE-MIB::{notification_name(kind)}" for kind in NoticeKind]
    assert [one.name for one in got] == [*names, "HOSTFENCE-MIB::hostfenceOther"]


async def test_a_digest_names_its_hosts(receiver: TrapReceiver, post: SnmpPost) -> None:
    members = [replace(a_notice(number), host_name=f"kvm-{number}") for number in range(3)]
    message = render(digest(members, channel="nms", at=START), link_base="", members=members)
    await snmp(post, receiver.port, V2C).send(message)
    [got] = await receiver.wait_for(1)
    assert got.name == "HOSTFENCE-MIB::hostfenceDigest"
    assert (got["What"], got["Count"]) == ("CRITICAL held, storm: kvm-0, kvm-1, kvm-2.", "3")


async def test_the_longest_of_all_fits_into_one_packet(receiver: TrapReceiver, post: SnmpPost) -> None:
    """1,472 bytes are what Ethernet carries in one piece; pieces are dropped by many a firewall."""
    much = "ä" * 2000
    notice = replace(
        MESSAGE.notice, id="x" * 36, incident_id="y" * 36, host_name=much, what=much, next=much, how_to_stop=much
    )
    message = replace(MESSAGE, notice=notice, subject=much, link=much, cluster=much)
    sizes: list[int] = []
    channel = snmp(post, receiver.port, V3)
    await channel.send(MESSAGE)
    dispatcher = post._engine.transport_dispatcher  # type: ignore[union-attr]
    send = dispatcher.send_message

    def measuring(outgoing: bytes, *rest: object) -> object:
        sizes.append(len(outgoing))
        return send(outgoing, *rest)

    dispatcher.send_message = measuring
    assert await channel.send(message) == ""
    assert 1000 < max(sizes) <= 1472
    assert receiver.received[-1]["Host"].endswith("…")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"auth_password": "wrong-but-secret"}, "Wrong SNMP PDU digest"),
        ({"username": "nobody"}, "Unknown USM user"),
        ({"privacy_password": "wrong-but-secret"}, "No SNMP response received before timeout"),
    ],
)
async def test_what_the_receiver_refuses_is_said_without_the_password(
    receiver: TrapReceiver, post: SnmpPost, change: dict[str, str], said: str
) -> None:
    with pytest.raises(ChannelError, match=said) as caught:
        await snmp(post, receiver.port, V3, **change).send(MESSAGE)
    assert (caught.value.permanent, caught.value.channel_down) == (False, True)
    assert "wrong-but-secret" not in repr(caught.value)
    assert caught.value.__cause__ is None


async def test_a_wrong_community_is_no_answer(receiver: TrapReceiver, post: SnmpPost) -> None:
    with pytest.raises(ChannelError, match="No SNMP response") as caught:
        await snmp(post, receiver.port, V2C, community="another-one").send(MESSAGE)
    assert caught.value.channel_down


async def test_a_name_that_leads_nowhere_is_said(post: SnmpPost) -> None:
    with pytest.raises(ChannelError, match=r"nms\.invalid") as caught:
        await snmp(post, 162, V2C, host="nms.invalid").send(MESSAGE)
    assert caught.value.channel_down


async def test_changed_passwords_hold_without_a_restart(receiver: TrapReceiver, post: SnmpPost) -> None:
    right = snmp(post, receiver.port, V3)
    await right.send(MESSAGE)
    with pytest.raises(ChannelError):
        await snmp(post, receiver.port, V3, auth_password="not-this-one").send(MESSAGE)
    assert await right.send(MESSAGE) == ""


async def test_two_channels_of_one_user_with_different_passwords_do_not_disturb_each_other(
    receiver: TrapReceiver, post: SnmpPost
) -> None:
    right, wrong = snmp(post, receiver.port, V3), snmp(post, receiver.port, V3, auth_password="not-this-one")
    answers = await asyncio.gather(*[one.send(MESSAGE) for one in (right, wrong) * 5], return_exceptions=True)
    assert [type(one) for one in answers] == [str, ChannelError] * 5


@pytest.mark.parametrize("version", SnmpVersion)
async def test_an_inform_to_a_receiver_that_was_killed_arrives_when_it_is_back(
    receiver: TrapReceiver, post: SnmpPost, version: SnmpVersion
) -> None:
    """Killed before it wrote down who it is, it comes back as another engine."""
    channel = snmp(post, receiver.port, version)
    await channel.send(MESSAGE)
    await receiver.kill()
    with pytest.raises(ChannelError) as caught:
        await channel.send(MESSAGE)
    assert (caught.value.permanent, caught.value.channel_down) == (False, True)
    await receiver.start()
    assert await channel.send(MESSAGE) == ""
    assert [one["NoticeId"] for one in receiver.received] == [MESSAGE.notice.id] * 2


async def test_a_receiver_takes_traps_of_version_3_from_a_controller_that_started_again(
    receiver: TrapReceiver, tmp_path: Path
) -> None:
    """An engine whose starts are not counted is taken for a recording of an earlier one."""
    for number in (1, 2):
        post = SnmpPost(EngineIdentity(_known(tmp_path / "engine")))
        try:
            said = await snmp(post, receiver.port, V3, inform=False).send(MESSAGE)
        finally:
            post.close()
        assert said.endswith(f"engine id 0x{ENGINE_ID}")
        await receiver.wait_for(number)


def _known(folder: Path) -> Path:
    if not folder.exists():
        folder.mkdir()
        (folder / "snmp-engine-1.json").write_text(json.dumps({"engine_id": ENGINE_ID, "boots": 1}))
    return folder


async def test_no_secret_stands_in_what_is_kept_or_shown(
    receiver: TrapReceiver, post: SnmpPost, tmp_path: Path
) -> None:
    channels = [snmp(post, receiver.port, version) for version in SnmpVersion]
    for one in channels:
        await one.send(MESSAGE)
    shown = repr([one._settings for one in channels]) + "".join(
        file.read_text() for file in (tmp_path / "engine").iterdir()
    )
    for secret in (COMMUNITY, AUTH_PASSWORD, PRIVACY_PASSWORD):
        assert secret not in shown


async def _run(*words: str, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={"PATH": "/usr/bin:/bin", **environment}
    )
    out, _ = await process.communicate()
    return out.decode()


async def test_the_mib_is_accepted() -> None:
    mibs = str(debian_program("mibs"))
    assert await _run("smilint", "-l", "9", "-s", str(MIB), SMIPATH=f"{mibs}:{MIB.parent}") == ""
    name = "HOSTFENCE-MIB::hostfenceFenced"
    found = await _run("snmptranslate", "-M", f"{mibs}:{MIB.parent}", "-m", "HOSTFENCE-MIB", "-On", name)
    assert found.strip() == f".{BASE_OID}.0.22"


async def test_smilint_would_say_what_is_wrong(tmp_path: Path) -> None:
    """It always exits with 0: without this nobody would know that it looks at all."""
    broken = tmp_path / "HOSTFENCE-MIB.txt"
    broken.write_text(re.sub(r"STATUS +current", "STATUS  obsolete", MIB.read_text(), count=1) + "x")
    assert await _run("smilint", "-l", "9", str(broken), SMIPATH=str(debian_program("mibs")))


async def test_a_place_of_ones_own_is_one_line_and_one_field(tmp_path: Path, post: SnmpPost) -> None:
    """As docs/notifications.md says."""
    own = tmp_path / "HOSTFENCE-MIB.txt"
    own.write_text(MIB.read_text().replace("{ enterprises 32473 }", "{ enterprises 54321 }"))
    async with trap_receiver(tmp_path, mib=own) as receiver:
        await snmp(post, receiver.port, V2C, base_oid="1.3.6.1.4.1.54321.8440").send(MESSAGE)
        [got] = await receiver.wait_for(1)
        assert (got.name, got["Host"]) == ("HOSTFENCE-MIB::hostfenceHeld", "kvm-a3")


async def test_a_test_is_told_as_such(receiver: TrapReceiver, post: SnmpPost) -> None:
    test = render(notices.channel_test("n-1", channel="nms", by="eva", at=START), link_base="")
    await snmp(post, receiver.port, V2C).send(test)
    [got] = await receiver.wait_for(1)
    assert got.name == "HOSTFENCE-MIB::hostfenceTest"
    assert got["Summary"] == "[hostfence] TEST: this is a test, nothing has happened"
