import asyncio
from datetime import timedelta

import pytest

from controller.db.store import Store
from controller.domain.model import Level, Role
from controller.services.access import authenticate, create_token, ensure_first_admin, list_tokens, revoke_token
from controller.services.errors import BadInput, NotFound, Refused
from controller.services.pauses import NewPause, create_pause, lift_pause, list_pauses
from tests.fakes.clock import FakeClock
from tests.fixtures import builders
from tests.simulation.memory_store import MemoryStore


@pytest.fixture
def store() -> Store:
    return MemoryStore()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def test_the_first_admin_is_made_once_however_many_controllers_start(store: Store, clock: FakeClock) -> None:
    texts = await asyncio.gather(*(ensure_first_admin(store, clock) for _ in range(5)))
    [text] = [one for one in texts if one is not None]
    found = await authenticate(store, text)
    assert found is not None
    assert found.role is Role.ADMIN
    assert len(await list_tokens(store)) == 1


async def test_only_the_digest_is_kept(store: Store, clock: FakeClock) -> None:
    token, text = await create_token(store, clock, name="plugin", role=Role.REPORTER, actor="ada")
    assert text not in str(await list_tokens(store)) + token.digest
    async with store.transaction() as tx:
        assert text not in str(await tx.audit())
        assert token.digest not in str(await tx.audit())


async def test_a_revoked_or_unknown_token_is_nobody(store: Store, clock: FakeClock) -> None:
    await ensure_first_admin(store, clock)
    token, text = await create_token(store, clock, name="plugin", role=Role.REPORTER, actor="ada")
    assert await authenticate(store, text) is not None
    revoked = await revoke_token(store, clock, token.id, actor="ada")
    assert await revoke_token(store, clock, token.id, actor="ada") == revoked
    assert await authenticate(store, text) is None
    assert await authenticate(store, "") is None
    with pytest.raises(NotFound):
        await revoke_token(store, clock, "no such id", actor="ada")


async def test_the_last_admin_stays(store: Store, clock: FakeClock) -> None:
    await ensure_first_admin(store, clock)
    [first] = await list_tokens(store)
    with pytest.raises(Refused, match="last admin"):
        await revoke_token(store, clock, first.id, actor="ada")
    await create_token(store, clock, name="ada", role=Role.ADMIN, actor="ada")
    assert (await revoke_token(store, clock, first.id, actor="ada")).revoked_at is not None


async def test_pauses_end_by_themselves_or_by_hand(store: Store, clock: FakeClock) -> None:
    async with store.transaction() as tx:
        await tx.save_cluster(builders.cluster())
        await tx.save_host(builders.host())
    short = await create_pause(
        store,
        clock,
        NewPause(level=Level.HOST, owner="h1", reason="disk swap", lasts=timedelta(minutes=5)),
        actor="ada",
    )
    clock.advance(timedelta(seconds=1))
    long = await create_pause(store, clock, NewPause(level=Level.GLOBAL, reason="storage work"), actor="ada")
    assert await list_pauses(store, clock, active=True) == [short, long]
    clock.advance(timedelta(minutes=5, seconds=-1))
    assert await list_pauses(store, clock, active=True) == [long]
    assert await list_pauses(store, clock, active=False) == [short, long]
    lifted = await lift_pause(store, clock, long.id, reason="done", actor="eve")
    assert (lifted.lifted_by, lifted.until) == ("eve", None)
    assert await list_pauses(store, clock, active=True) == []
    with pytest.raises(NotFound):
        await lift_pause(store, clock, long.id, reason="again", actor="eve")


@pytest.mark.parametrize("lasts", [timedelta(0), timedelta(seconds=-1), timedelta(days=31)])
async def test_a_pause_lasts_a_sensible_time(store: Store, clock: FakeClock, lasts: timedelta) -> None:
    with pytest.raises(BadInput) as caught:
        await create_pause(store, clock, NewPause(level=Level.GLOBAL, reason="work", lasts=lasts), actor="ada")
    assert caught.value.field == "for_seconds"
