"""What a person does in an incident, by the page's buttons, with the real services behind them."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from controller.domain.incident import Command, CommandStatus, State
from controller.domain.model import Role
from controller.domain.power import PowerState
from controller.domain.reasons import Reason
from shared.enums import Reach
from tests.fixtures.house import House, a_house
from tests.web.conftest import OpenWindow, Window, sign_in
from tests.web.house_site import served

DISK = "/mnt/p1/vm-of-h1.qcow2"


class Desk:
    """A held incident of `host h1`, dead and off, and people in front of its page."""

    def __init__(self, house: House, url: str, tokens: dict[Role, str], open_window: OpenWindow) -> None:
        self.house = house
        self._url, self._tokens, self._open = url, tokens, open_window

    async def person(self, role: Role = Role.OPERATOR) -> Window:
        """Signed in, with the incident's page open."""
        window = await self._open()
        window.site = replace(window.site, url=self._url)
        await sign_in(window, self._tokens[role])
        window.allow("status of (409|422|403)|Status Error Code (409|422|403)")
        await window.goto(f"/incidents/{(await self.house.incident()).id}")
        await window.live()
        return window


@pytest_asyncio.fixture(loop_scope="session")
async def desk(open_window: OpenWindow) -> AsyncIterator[Desk]:
    house = await a_house()
    await house.pause()
    await house.dead()
    await house.until(State.HELD)
    house.bmcs["h1"].machine.on = False
    async with served(house) as (url, tokens):
        yield Desk(house, url, tokens, open_window)


async def test_acknowledging_shows_the_live_evidence_and_releases(desk: Desk) -> None:
    window = await desk.person()
    page = window.page
    desk.house.advance(6)  # the witnesses' own heartbeats have moved since the last round
    await page.get_by_role("link", name="Acknowledge").click()
    dialog = page.get_by_role("dialog", name="Acknowledge that host h1 is off")
    await dialog.get_by_text("nobody answers").wait_for()
    evidence = await dialog.locator(".evidence").inner_text()
    assert "Power" in evidence
    assert evidence.count("sees silence") == 2
    await dialog.get_by_text("vm-of-h1").wait_for()
    await window.check_accessible()
    await window.pictures("acknowledge")
    await dialog.get_by_label("Type the host's name").fill("host h2")
    await dialog.get_by_label("Why?").fill("pulled the plug")
    await dialog.get_by_role("button", name="I vouch").click()
    await dialog.get_by_text("is not this incident's host").wait_for()
    assert (await desk.house.incident()).state is State.HELD
    await dialog.get_by_label("Type the host's name").fill("host h1")
    await dialog.get_by_role("button", name="I vouch").click()
    await page.get_by_text("Acknowledged: its machines are being released.").wait_for()
    incident = await desk.house.incident()
    assert (incident.state, incident.acknowledged and incident.acknowledged.by) == (State.RELEASING, "olaf")


@pytest.mark.parametrize("sign", ["agent", "kernel", "power"])
async def test_against_life_nobody_is_even_offered_to_acknowledge(desk: Desk, sign: str) -> None:
    window = await desk.person(Role.ADMIN)
    match sign:
        case "agent":
            desk.house.probing.hosts["h1"].reach = Reach.AGENT_ANSWERED
            said = "its agent answers: the host lives"
        case "kernel":
            desk.house.probing.hosts["h1"].reach = Reach.KERNEL_ANSWERS
            said = "a kernel answers at its address"
        case _:
            desk.house.bmcs["h1"].reads = PowerState.ON
            said = "on: the host has power"
    await window.page.get_by_role("link", name="Acknowledge").click()
    dialog = window.page.get_by_role("dialog", name="host h1 cannot be acknowledged as off")
    await dialog.get_by_text(said).wait_for()
    await dialog.get_by_text("Nobody may acknowledge this now.").wait_for()
    assert await dialog.get_by_role("textbox").count() == 0
    if sign == "agent":
        await window.check_accessible()
        await window.pictures("acknowledge-refused")


async def test_life_that_shows_while_one_types_refuses_plainly(desk: Desk) -> None:
    window = await desk.person()
    page = window.page
    await page.get_by_role("link", name="Acknowledge").click()
    dialog = page.get_by_role("dialog", name="Acknowledge that host h1 is off")
    await dialog.get_by_label("Type the host's name").fill("host h1")
    await dialog.get_by_label("Why?").fill("pulled the plug")
    desk.house.probing.hosts["h1"].reach = Reach.AGENT_ANSWERED
    await dialog.get_by_role("button", name="I vouch").click()
    dialog = page.get_by_role("dialog", name="host h1 cannot be acknowledged as off")
    await dialog.get_by_text("Refused: the host shows signs of life right now").wait_for()
    await dialog.get_by_text("its agent answers: the host lives").wait_for()
    assert (await desk.house.incident()).state is State.HELD
    assert [e.actor for e in await desk.house.events() if e.kind == "acknowledgement_refused"] == ["olaf"]


async def test_moving_disks_take_a_second_admin(desk: Desk) -> None:
    first, second = await desk.person(), await desk.person(Role.ADMIN)
    desk.house.probing.write(DISK)
    desk.house.advance(1)
    await first.page.get_by_role("link", name="Acknowledge").click()
    dialog = first.page.get_by_role("dialog")
    await dialog.get_by_text("It takes two people.").wait_for()
    assert await dialog.get_by_role("checkbox").count() == 0
    await dialog.get_by_label("Type the host's name").fill("host h1")
    await dialog.get_by_label("Why?").fill("the array replicates")
    await dialog.get_by_role("button", name="I vouch").click()
    await dialog.get_by_text("its disks still move; only a second admin").first.wait_for()
    assert (await desk.house.incident()).state is State.HELD

    await second.page.get_by_role("link", name="Acknowledge").click()
    dialog = second.page.get_by_role("dialog")
    await dialog.get_by_text("olaf tried before and was refused.").wait_for()
    await second.pictures("acknowledge-second")
    await dialog.get_by_label("I am the second admin").check()
    await dialog.get_by_label("Type the host's name").fill("host h1")
    await dialog.get_by_label("Why?").fill("I saw it: unplugged")
    await dialog.get_by_role("button", name="I vouch").click()
    await second.page.get_by_text("Acknowledged: its machines are being released.").wait_for()
    incident = await desk.house.incident()
    assert (incident.state, incident.acknowledged and incident.acknowledged.by) == (State.RELEASING, "ada")


async def test_cancelling_ends_it(desk: Desk) -> None:
    window = await desk.person()
    page = window.page
    await page.get_by_role("link", name="Cancel").click()
    dialog = page.get_by_role("dialog", name="Cancel the incident of host h1")
    await dialog.get_by_text("does nothing to the host").wait_for()
    await window.check_accessible()
    await window.pictures("cancel")
    await dialog.get_by_label("Why?").fill("planned work")
    await dialog.get_by_role("button", name="End it without action").click()
    await page.get_by_text("Cancelled: nothing is done to the host.").wait_for()
    await page.get_by_text("A person ended this incident of host h1.").wait_for()
    assert (await desk.house.incident()).state is State.CANCELLED
    assert await page.locator(".actions").get_by_role("link").all_inner_texts() == ["Re-arm"]

    await page.get_by_role("link", name="Re-arm").click()
    dialog = page.get_by_role("dialog", name="Re-arm host h1")
    await dialog.get_by_label("Type the host's name").fill("host h9")
    await dialog.get_by_label("Why?").fill("repaired")
    await dialog.get_by_role("button", name="Re-arm").click()
    await dialog.get_by_text("that is not this host's name").wait_for()
    assert not (await desk.house.health()).armed
    await dialog.get_by_label("Type the host's name").fill("host h1")
    await dialog.get_by_role("button", name="Re-arm").click()
    await page.get_by_text("host h1 is re-armed.").wait_for()
    assert (await desk.house.health()).armed


async def test_retrying_checks_from_the_start(desk: Desk) -> None:
    window = await desk.person()
    page = window.page
    await page.get_by_role("link", name="Retry").click()
    dialog = page.get_by_role("dialog", name="Check host h1 again")
    await dialog.get_by_label("Why?").fill("   ")
    await dialog.get_by_role("button", name="Check from the start").click()
    await dialog.get_by_text("say why").wait_for()
    await dialog.get_by_label("Why?").fill("the storm is over")
    await dialog.get_by_role("button", name="Check from the start").click()
    await page.get_by_text("Taken up again: the incident is checking now.").wait_for()
    incident = await desk.house.incident()
    assert (incident.state, incident.reasons, incident.tally.dead) == (State.CHECKING, (Reason.OPERATOR,), 0)


async def test_after_a_command_it_only_reads_and_cannot_be_cancelled(desk: Desk) -> None:
    command = Command(status=CommandStatus.ANSWERED, count=1, last_at=await desk.house.clock.now())
    await desk.house.change(await desk.house.incident(), command=command)
    window = await desk.person()
    page = window.page
    assert await page.get_by_role("link", name="Cancel").count() == 0
    await page.goto(f"{page.url}/cancel")
    await page.get_by_label("Why?").fill("stop")
    await page.get_by_role("button", name="End it without action").click()
    await page.get_by_text("it can be cancelled only before a power command may have been sent").wait_for()
    await page.go_back()
    await window.goto(f"/incidents/{(await desk.house.incident()).id}")
    await page.get_by_role("link", name="Retry").click()
    dialog = page.get_by_role("dialog", name="Read the power of host h1 again")
    await dialog.get_by_label("Why?").fill("the cable is in again")
    await dialog.get_by_role("button", name="Read again").click()
    await page.get_by_text("Taken up again: the incident is verifying now.").wait_for()
    assert desk.house.power.commands() == []
