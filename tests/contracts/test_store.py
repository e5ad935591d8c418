"""What every store promises of transactions, incidents, leases and history (`controller/db/store.py`)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from controller.db.store import Conflict, LastInLine, Store, StoreError, Tx
from controller.domain.evidence import FileState, Memory, Verdict
from controller.domain.incident import Acknowledgement, Command, CommandStatus, Incident, NewestRound, Source, State
from controller.domain.policy import Action
from controller.domain.power import PowerState
from controller.domain.proof import Proof
from controller.domain.reasons import Reason
from controller.domain.tally import Tally
from tests.fixtures import builders as a
from tests.fixtures.builders import T0, at
from tests.fixtures.stores import furnish, raising

CLOSED = State.RECOVERED


async def opened(store: Store, *incidents: Incident) -> None:
    await furnish(store, hosts=4)
    async with store.transaction() as tx:
        for incident in incidents or (a.incident(),):
            assert await tx.open_incident(incident)


async def claim(tx: Tx, *, now: datetime = T0, token: str = "w1", limit: int = 10) -> list[str]:  # noqa: S107
    lease_until = now + timedelta(seconds=30)
    return [i.id for i in await tx.claim_due(now=now, lease_until=lease_until, token=token, limit=limit)]


def full_incident() -> Incident:
    """Every field set to something that is not its default."""
    return a.incident(
        state=State.HELD,
        source=Source.CLOUD,
        disconnect_at=at(-7.123456),
        entered_at=at(1),
        next_step_at=at(2),
        note="said: ünïcode, \"quotes\", 'ticks'",
        reasons=(Reason.STORM, Reason.PAUSED),
        sticky=frozenset({Reason.CONTRADICTION, Reason.STORM}),
        tally=Tally(dead=3, first_at=at(3), last_at=at(4)),
        memory={
            "h2": Memory(
                files={"/mnt/p1/d1": FileState(device="0:44", inode=2**63, size=1, blocks=8, mtime_ns=-1, ctime_ns=2)},
                beats={"/mnt/p1": ("boot", 17)},
                own_beats={"/mnt/p1": ("boot-2", 4)},
            )
        },
        rounds=5,
        newest=NewestRound(number=5, at=at(5), verdict=Verdict.DEAD, reasons=(Reason.NO_HEARTBEAT,)),
        life_at=at(6),
        cloud_seen_down=True,
        boot_id="b-1",
        action=Action.REBOOT,
        command=Command(status=CommandStatus.ANSWERED, count=2, attempt_id="a1", first_at=at(7), last_at=at(8)),
        proof=Proof(reads=2, first_at=at(9), last_at=at(10), last_state=PowerState.OFF, last_said="off", voided=1),
        acknowledged=Acknowledgement(by="ada", at=at(11), reason="pulled the plug"),
        quarantined=True,
        released_at=at(12),
        sent_on=True,
        told=frozenset({Reason.PAUSED}),
        held_since=at(13),
        reminders=2,
        failures=1,
    )


class TestTransactions:
    async def test_an_exception_takes_everything_back(self, store: Store) -> None:
        await opened(store)
        with raising(ZeroDivisionError):
            async with store.transaction() as tx:
                await tx.save_cluster(a.cluster("c2"))
                await tx.save_host(a.host(name="renamed"))
                await tx.save_incident(a.incident(note="half"), end_lease=True)
                await tx.add_event(a.event())
                await tx.add_round(a.round_record())
                await tx.add_attempt(a.attempt())
                await tx.add_notice(a.notice(), channels=("mail",))
                raise ZeroDivisionError
        async with store.transaction() as tx:
            assert [c.id for c in await tx.clusters()] == ["c1"]
            assert await tx.host("h1") == a.host()
            assert await tx.incident("i1") == a.incident()
            assert await tx.events("i1") == []
            assert await tx.rounds("i1") == []
            assert await tx.attempts_of("i1") == []
            assert await tx.notices() == []

    async def test_what_was_written_is_seen_within_and_after(self, store: Store) -> None:
        async with store.transaction() as tx:
            await tx.save_cluster(a.cluster())
            assert await tx.clusters() == [a.cluster()]
        async with store.transaction() as tx:
            assert await tx.clusters() == [a.cluster()]

    async def test_a_swallowed_conflict_does_not_look_committed(self, store: Store) -> None:
        await furnish(store)
        with raising(StoreError):
            async with store.transaction() as tx:
                await tx.save_cluster(a.cluster("c2"))
                with pytest.raises(Conflict):
                    await tx.save_cluster(a.cluster("c3", name="cluster c1"))
        async with store.transaction() as tx:
            assert [c.id for c in await tx.clusters()] == ["c1"]

    async def test_nothing_works_after_a_conflict_or_the_end(self, store: Store) -> None:
        with raising(StoreError):
            async with store.transaction() as tx:
                with pytest.raises(Conflict):
                    await tx.save_host(a.host(cluster_id="nowhere"))
                await tx.clusters()
        async with store.transaction() as ended:
            await ended.clusters()
        with pytest.raises(StoreError):
            await ended.clusters()


class TestIncidents:
    async def test_every_field_comes_back_as_it_went_in(self, store: Store) -> None:
        await opened(store, full_incident())
        async with store.transaction() as tx:
            assert await tx.incident("i1") == full_incident()
            changed = replace(full_incident(), memory={}, newest=None, sticky=frozenset(), told=frozenset(Reason))
            await tx.save_incident(changed, end_lease=False)
            assert await tx.incident_for_update("i1", token=None) == changed

    async def test_times_come_back_in_utc(self, store: Store) -> None:
        await opened(store, a.incident(opened_at=T0.astimezone(timezone(timedelta(hours=5)))))
        async with store.transaction() as tx:
            [found] = await tx.incidents()
        assert found.opened_at == T0

    async def test_a_host_has_one_open_incident(self, store: Store) -> None:
        await opened(store)
        async with store.transaction() as tx:
            assert not await tx.open_incident(a.incident("i2"))
            await tx.save_incident(a.incident(state=CLOSED, closed_at=at(5), next_step_at=None), end_lease=True)
            assert await tx.open_incident(a.incident("i3", opened_at=at(10)))
            assert [i.id for i in await tx.open_incidents()] == ["i3"]
            assert [i.id for i in await tx.incidents(host_id="h1")] == ["i3", "i1"]

    async def test_an_incident_of_an_unknown_host_is_a_conflict(self, store: Store) -> None:
        with raising(Conflict) as caught:
            async with store.transaction() as tx:
                await tx.open_incident(a.incident())
        assert caught.error.field == "host_id"

    async def test_saving_what_was_never_opened_is_an_error(self, store: Store) -> None:
        with raising(StoreError):
            async with store.transaction() as tx:
                await tx.save_incident(a.incident(), end_lease=False)

    async def test_people_see_the_newest_first_page_by_page(self, store: Store) -> None:
        await opened(
            store,
            a.incident("i1", opened_at=at(1)),
            a.incident("i2", host_id="h2", opened_at=at(2)),
            a.incident("i3", host_id="h3", opened_at=at(3), cluster_id="other"),
        )
        async with store.transaction() as tx:
            assert [i.id for i in await tx.incidents(limit=2)] == ["i3", "i2"]
            assert [i.id for i in await tx.incidents(opened_before=at(2))] == ["i1"]
            assert [i.id for i in await tx.incidents(cluster_id="c1")] == ["i2", "i1"]
            assert len(await tx.incidents(states=list(State))) == 3
            assert await tx.incidents(states=(State.RELEASING,)) == []
            assert [i.id for i in await tx.open_incidents()] == ["i1", "i2", "i3"]
            assert await tx.incident("nobody") is None


class TestLeases:
    async def test_due_ones_are_claimed_earliest_first_and_once(self, store: Store) -> None:
        await opened(
            store,
            a.incident("late", next_step_at=at(-1)),
            a.incident("early", host_id="h2", next_step_at=at(-9)),
            a.incident("future", host_id="h3", next_step_at=at(1)),
            a.incident("due", host_id="h4", next_step_at=T0),
        )
        async with store.transaction() as tx:
            assert await claim(tx, limit=2) == ["early", "late"]
            assert await claim(tx, token="w2") == ["due"]
            assert await claim(tx, token="w2") == []

    async def test_a_lease_ends_at_its_time(self, store: Store) -> None:
        await opened(store)
        async with store.transaction() as tx:
            assert await claim(tx) == ["i1"]
            assert await claim(tx, now=at(29.9), token="w2") == []
            assert await claim(tx, now=at(30), token="w2") == ["i1"]

    async def test_the_work_of_a_lost_lease_is_dropped(self, store: Store) -> None:
        await opened(store)
        async with store.transaction() as tx:
            await claim(tx)
            assert await tx.incident_for_update("i1", token="w1") == a.incident()
            await claim(tx, now=at(60), token="w2")
            assert await tx.incident_for_update("i1", token="w1") is None
            assert not await tx.extend_lease("i1", token="w1", lease_until=at(999))
            assert await tx.incident_for_update("i1", token="w2") == a.incident()
            assert await tx.incident_for_update("i1", token=None) == a.incident()

    async def test_an_extended_lease_keeps_others_off(self, store: Store) -> None:
        await opened(store)
        async with store.transaction() as tx:
            await claim(tx)
            assert await tx.extend_lease("i1", token="w1", lease_until=at(300))
            assert await claim(tx, now=at(200), token="w2") == []
            assert await tx.extend_lease("i1", token="w1", lease_until=at(100)), "a late renewal is still ours"
            assert await claim(tx, now=at(200), token="w2") == [], "and takes nothing back"

    async def test_saving_keeps_or_ends_the_lease_as_told(self, store: Store) -> None:
        await opened(store)
        async with store.transaction() as tx:
            await claim(tx)
            await tx.save_incident(a.incident(note="step"), end_lease=False)
            assert await claim(tx, token="w2") == []
            await tx.save_incident(a.incident(note="done"), end_lease=True)
            assert await tx.incident_for_update("i1", token="w1") is None
            assert await claim(tx, token="w2") == ["i1"]

    async def test_closed_ones_are_never_due(self, store: Store) -> None:
        await opened(store)
        async with store.transaction() as tx:
            await tx.save_incident(a.incident(state=CLOSED, closed_at=T0), end_lease=True)
            assert await claim(tx, now=at(99)) == []

    async def test_who_is_last_in_line_takes_what_nobody_took_for_a_while(self, store: Store) -> None:
        await opened(
            store,
            a.incident("just due", next_step_at=at(-1)),
            a.incident("long due", host_id="h2", next_step_at=at(-9)),
            a.incident("elsewhere", host_id="h3", cluster_id="c2", next_step_at=at(-1)),
            a.incident("just free", host_id="h4", next_step_at=at(-20)),
        )
        behind = LastInLine(clusters=frozenset({"c1", "c3"}), since=at(-5))
        async with store.transaction() as tx:
            (dead,) = await tx.claim_due(now=at(-15), lease_until=at(-2), token="w1", limit=1)
            assert dead.id == "just free"
            left = await tx.claim_due(now=T0, lease_until=at(30), token="w2", limit=9, behind=behind)
            assert [i.id for i in left] == ["long due", "elsewhere"]
            assert await claim(tx, token="w3") == ["just free", "just due"]

    async def test_a_claim_that_is_rolled_back_never_was(self, store: Store) -> None:
        await opened(store)
        with raising(ZeroDivisionError):
            async with store.transaction() as tx:
                await claim(tx)
                raise ZeroDivisionError
        async with store.transaction() as tx:
            assert await claim(tx, token="w2") == ["i1"]


class TestHistory:
    async def test_events_come_oldest_first_in_the_order_of_one_moment(self, store: Store) -> None:
        await opened(store)
        full = a.event(
            "e2",
            actor="ada",
            from_state="suspect",
            to_state="held",
            reasons=(Reason.STORM, Reason.PAUSED),
            data={"n": 1, "deep": {"list": [1.5, None, "ü"]}},
        )
        async with store.transaction() as tx:
            for event in (a.event("e9", at=at(5)), full, a.event("e1")):
                await tx.add_event(event)
            assert await tx.events("i1") == [full, a.event("e1"), a.event("e9", at=at(5))]

    async def test_the_newest_rounds_come_oldest_first(self, store: Store) -> None:
        await opened(store)
        rounds = [a.round_record(n, reasons=(Reason.KERNEL_ANSWERS,), evidence={"n": [n]}) for n in range(1, 6)]
        async with store.transaction() as tx:
            for record in rounds:
                await tx.add_round(record)
            assert await tx.rounds("i1", limit=3) == rounds[2:]
            assert await tx.rounds("i1") == rounds
            assert await tx.rounds("i2") == []

    async def test_rounds_that_say_the_same_are_told_as_one(self, store: Store) -> None:
        await opened(store)
        said = [("dead", ()), ("dead", ()), ("alive", (Reason.DISKS_MOVE,)), ("dead", ()), ("dead", (Reason.STORM,))]
        rounds = [a.round_record(n, verdict=v, reasons=r, counted=10 * n) for n, (v, r) in enumerate(said, start=1)]
        async with store.transaction() as tx:
            for record in rounds:
                await tx.add_round(record)
            runs = await tx.round_runs("i1")
            assert [(run.first, run.last, run.verdict, run.reasons, run.counted) for run in runs] == [
                (1, 2, "dead", (), 20),
                (3, 3, "alive", (Reason.DISKS_MOVE,), 30),
                (4, 4, "dead", (), 40),
                (5, 5, "dead", (Reason.STORM,), 50),
            ]
            assert (runs[0].first_at, runs[0].last_at) == (rounds[0].at, rounds[1].at)
            assert await tx.round_runs("i2") == []
            assert await tx.rounds_numbered("i1", {4, 2, 99}) == [rounds[1], rounds[3]]
            assert await tx.rounds_numbered("i1", ()) == []

    @pytest.mark.parametrize("field", ["number", "id", "incident_id"])
    async def test_history_refuses_doubles_and_strangers(self, store: Store, field: str) -> None:
        await opened(store)
        async with store.transaction() as tx:
            await tx.add_round(a.round_record())
            await tx.add_event(a.event())
        with raising(Conflict) as caught:
            async with store.transaction() as tx:
                match field:
                    case "number":
                        await tx.add_round(a.round_record(verdict="alive"))
                    case "id":
                        await tx.add_event(a.event())
                    case _:
                        await tx.add_event(a.event("e2", incident_id="nobody"))
        assert caught.error.field == field

    async def test_text_no_database_can_hold_is_no_reason_to_fail(self, store: Store) -> None:
        await opened(store, a.incident(note="bmc said \x00\udc80 off"))
        async with store.transaction() as tx:
            await tx.add_event(a.event(text="nul \x00", data={"said\x00": ["\udcff tail", 1]}))
            [event] = await tx.events("i1")
            found = await tx.incident("i1")
        assert event.text.startswith("nul ")
        assert found is not None
        assert found.note.endswith(" off")


def test_builders_speak_utc() -> None:
    assert a.incident().opened_at.tzinfo is UTC
