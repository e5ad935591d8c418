"""What every store promises of people, their sessions, and marks of what was changed."""

from dataclasses import replace
from datetime import timedelta

from controller.db.store import Conflict, Store
from controller.domain.incident import State
from controller.domain.marks import Mark, Marked, changed
from controller.domain.model import EffectStatus, Role
from controller.domain.sign_in import Session, User
from tests.fixtures import builders as a
from tests.fixtures.builders import T0, at
from tests.fixtures.stores import furnish, raising

ADA = User(id="u1", name="ada", role=Role.ADMIN, password="scrypt$…", created_at=T0, password_set_at=T0)
SESSION = Session(
    id="s1",
    digest="d1",
    user_id="u1",
    token_id=None,
    created_at=T0,
    seen_at=T0,
    expires_at=at(3600),
    address="10.0.0.1",
    browser="Firefox",
)


async def people(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.save_user(ADA)
        await tx.save_token(a.api_token())


async def test_users_come_back_by_id_and_by_name(store: Store) -> None:
    await people(store)
    bob = replace(ADA, id="u2", name="Bob", disabled_at=at(5))
    async with store.transaction() as tx:
        await tx.save_user(bob)
        await tx.save_user(replace(ADA, role=Role.VIEWER))
    async with store.transaction() as tx:
        assert await tx.users() == [bob, replace(ADA, role=Role.VIEWER)]
        assert await tx.user("u2") == await tx.user_by_name("Bob") == bob
        assert await tx.user("nobody") is await tx.user_by_name("bob") is None
        assert await tx.token("t1") == a.api_token()
        assert await tx.token("none") is None


async def test_a_name_is_one_users_alone(store: Store) -> None:
    await people(store)
    with raising(Conflict) as refusal:
        async with store.transaction() as tx:
            await tx.save_user(replace(ADA, id="u2"))
    assert refusal.error.field == "name"


async def test_a_session_is_found_touched_and_ended(store: Store) -> None:
    await people(store)
    by_token = replace(SESSION, id="s2", digest="d2", user_id=None, token_id="t1", created_at=at(1))
    async with store.transaction() as tx:
        await tx.add_session(SESSION)
        await tx.add_session(by_token)
        await tx.touch_session("s1", seen_at=at(60))
        await tx.touch_session("gone", seen_at=at(60))
    async with store.transaction() as tx:
        touched = replace(SESSION, seen_at=at(60))
        assert await tx.session_by_digest("d1") == touched
        assert await tx.session_by_digest("no") is None
        assert await tx.sessions() == [by_token, touched]
        assert await tx.sessions(user_id="u1") == [touched]
        assert await tx.sessions(token_id="t1") == [by_token]
        assert await tx.delete_session("s1")
        assert not await tx.delete_session("s1")
        assert await tx.delete_sessions(user_id="u1") == 0
        assert await tx.delete_sessions(token_id="t1") == 1
        assert await tx.sessions() == []


async def test_a_session_needs_whom_it_belongs_to(store: Store) -> None:
    with raising(Conflict) as refusal:
        async with store.transaction() as tx:
            await tx.add_session(SESSION)
    assert refusal.error.field == "user_id"
    with raising(Conflict) as refusal:
        async with store.transaction() as tx:
            await tx.add_session(replace(SESSION, user_id=None, token_id="t1"))
    assert refusal.error.field == "token_id"


async def test_sessions_that_are_over_are_cleared_away(store: Store) -> None:
    await people(store)
    expired = replace(SESSION, id="s2", digest="d2", expires_at=at(100), seen_at=at(99))
    busy = replace(SESSION, id="s3", digest="d3", seen_at=at(99))
    async with store.transaction() as tx:
        for session in (SESSION, expired, busy):
            await tx.add_session(session)
        assert await tx.delete_sessions_over(now=at(100), idle_since=T0) == 2
        assert await tx.sessions() == [busy]


async def marks(store: Store) -> list[Mark]:
    async with store.transaction() as tx:
        return await tx.marks()


async def test_what_is_written_gets_another_mark_and_nothing_else_does(store: Store) -> None:
    await furnish(store)
    incident = a.incident()
    async with store.transaction() as tx:
        assert await tx.open_incident(incident)
        await tx.add_notice(a.notice(incident_id="i1", host_id="h1"), channels=("email",))
        await tx.add_effect(a.effect())
        await tx.add_attempt(a.attempt())
        await tx.save_pause(a.pause())
        await tx.add_audit(a.audit_row())
    before = await marks(store)
    assert changed(before, await marks(store)) == ()
    kinds = {mark.kind for mark in before}
    assert kinds == set(Marked) - {Marked.CLOUD}
    async with store.transaction() as tx:
        await tx.save_incident(replace(incident, state=State.CHECKING), end_lease=True)
    [mark] = changed(before, await marks(store))
    assert (mark.kind, mark.id) == (Marked.INCIDENT, "i1")
    assert (mark.incident_id, mark.host_id, mark.cluster_id) == ("i1", "h1", "c1")


async def test_what_ends_is_marked_by_its_absence(store: Store) -> None:
    await furnish(store)
    async with store.transaction() as tx:
        assert await tx.open_incident(a.incident())
        await tx.add_effect(a.effect())
        await tx.save_pause(a.pause())
    before = await marks(store)
    async with store.transaction() as tx:
        await tx.save_incident(a.incident(state=State.RECOVERED, next_step_at=None, closed_at=at(9)), end_lease=True)
        await tx.save_effect(a.effect(status=EffectStatus.DONE, next_try_at=None))
        await tx.save_pause(a.pause(lifted_at=at(9)))
    assert {(mark.kind, mark.id) for mark in changed(before, await marks(store))} == {
        (Marked.INCIDENT, "i1"),
        (Marked.EFFECT, "x1"),
        (Marked.PAUSE, "pause1"),
    }


async def test_of_growing_records_the_newest_is_marked(store: Store) -> None:
    async with store.transaction() as tx:
        await tx.add_audit(a.audit_row("au1"))
        await tx.add_audit(a.audit_row("au2", at=T0 + timedelta(seconds=1)))
    assert [mark.id for mark in await marks(store) if mark.kind is Marked.AUDIT] == ["au2"]


async def test_hosts_are_marked_together_by_cluster(store: Store) -> None:
    await furnish(store)
    before = await marks(store)
    async with store.transaction() as tx:
        await tx.save_host(a.host("h2", maintenance=True))
    [mark] = changed(before, await marks(store))
    assert (mark.kind, mark.cluster_id) == (Marked.HOSTS, "c1")
    async with store.transaction() as tx:
        await tx.delete_host("h2")
    [gone] = changed([*(one for one in before if one.kind is not Marked.HOSTS), mark], await marks(store))
    assert (gone.kind, gone.version != mark.version) == (Marked.HOSTS, True)
