from datetime import timedelta

from controller.domain.incident import State
from controller.domain.model import Level
from controller.domain.reasons import Reason
from tests.fixtures import builders as a
from tests.web.conftest import Window
from tests.web.site import Site


async def furnish(site: Site) -> None:
    """Two clusters; in the first one a host is being checked and one is held."""
    now = await site.now()
    await site.add_cluster("c1", name="kvm-berlin")
    await site.add_cluster("c2", name="kvm-hamburg")
    for number in range(1, 13):
        await site.add_host(f"h{number}", name=f"kvm-b{number:02}", address=f"10.1.0.{number}")
    for number in range(1, 6):
        await site.add_host(f"g{number}", cluster_id="c2", name=f"kvm-h{number:02}", address=f"10.2.0.{number}")
    await site.add_host("g6", cluster_id="c2", name="kvm-h06", maintenance=True)
    await site.add_host("g7", cluster_id="c2", name="kvm-h07", address="10.2.0.7", answers=False)
    await site.settings(mode="enforce", action="off")
    await site.settings(Level.CLUSTER, "c1", mode="enforce")
    for number in range(1, 13):
        await site.settings(Level.HOST, f"h{number}", mode="enforce")
    await site.add_incident(
        "i1",
        host_id="h3",
        state=State.CHECKING,
        disconnect_at=now - timedelta(seconds=41),
        next_step_at=now + timedelta(seconds=640),
    )
    await site.add_incident(
        "i2",
        host_id="h7",
        state=State.HELD,
        disconnect_at=now - timedelta(minutes=18),
        entered_at=now - timedelta(minutes=12),
        reasons=(Reason.TOO_FEW_WITNESSES, Reason.STORAGE_UNREADABLE),
        next_step_at=now + timedelta(seconds=9),
    )
    async with site.store.transaction() as tx:
        await tx.save_pause(
            a.pause("p1", level=Level.CLUSTER, owner_id="c2", created_at=now, until=now + timedelta(hours=1))
        )
        await tx.add_attempt(a.attempt(incident_id=None, intended_at=now - timedelta(minutes=20), finished_at=now))


async def test_what_is_open_stands_on_top_and_trouble_comes_first(site: Site, viewer: Window) -> None:
    await furnish(site)
    site.pages.state.foresight.forget()  # worked out for the empty site when the viewer signed in
    page = await viewer.goto("/")
    rows = page.locator("#right-now tbody tr")
    assert await rows.count() == 2
    assert "kvm-b07" in await rows.nth(1).inner_text() or "kvm-b07" in await rows.nth(0).inner_text()
    await viewer.live()
    await viewer.check_accessible()
    await viewer.pictures("overview")
