"""Explain is no second opinion: what it says follows the safeguards and the judge, whatever the facts are."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.evidence import CloudSays, DiskList, Verdict
from controller.domain.explain import Explanation, explain, foreseen, refused_with, supposed
from controller.domain.gates import GATES, Gate, GateCode, Readiness, closed, gate_of
from controller.domain.incident import State
from controller.domain.methods import OF_THE_DEVICE
from controller.domain.model import DeviceHealth, Level, Severity
from controller.domain.mounts import MountCode, MountNote
from controller.domain.policy import Action, BmcSettings, Mode
from controller.domain.power import PowerCode
from controller.domain.reasons import WAITS, Reason
from controller.domain.safeguards import SYSTEM, ClusterFacts, evidence_refusals, refusals
from shared.enums import Reach, ReadingCode
from tests.fixtures.builders import T0, at, attempt, health, host, incident, pause
from tests.fixtures.evidence import DISK, ROOT, disk_list, policy
from tests.fixtures.snapshots import (
    HOSTS,
    IDENTITY,
    a_beat,
    a_pool,
    a_snapshot,
    cluster_facts,
    everybody,
    seen_by,
    without,
)


def explained(facts: ClusterFacts | None = None, **changes: Any) -> Explanation:
    return explain(a_snapshot(facts, **changes))


def against(found: Explanation) -> dict[str, Readiness]:
    """What stands, by key."""
    return {gate.key: gate.readiness for gate in reversed(found.gates) if gate.readiness is not Readiness.READY}


def gate(found: Explanation, code: GateCode) -> Gate:
    return next(one for one in found.gates if one.code is code)


# -- the whole --------------------------------------------------------------------------------------------------------


def test_an_armed_host_with_a_proven_device_and_neighbors_is_ready_and_every_gate_says_so() -> None:
    found = explained()
    assert found.readiness is Readiness.READY
    assert [one.code for one in found.gates] == list(GateCode)
    assert {one.readiness for one in found.gates} == {Readiness.READY}
    assert (found.could_tell, found.required, found.answers, found.refused) == (3, 2, True, ())
    assert found.plan.quarantines
    assert (found.plan.slots_left, found.plan.slots_left_everywhere) == (3, 10)
    assert found.plan.devices == (IDENTITY,)


def test_each_gate_is_described_and_each_reason_closes_one_gate_only() -> None:
    assert list(GATES) == list(GateCode)
    reasons = [reason for about in GATES.values() for reason in about.closed_by]
    assert len(reasons) == len(set(reasons))


def test_every_line_is_a_sentence_and_says_what_to_change_where_something_stands() -> None:
    found = explained(
        cluster_facts(hosts=without(replace(HOSTS[1], agent_token=""))), seen={}, under=policy(bmc=BmcSettings())
    )
    for one in found.gates:
        assert one.text.rstrip(")").endswith("."), one
        assert one.change or one.readiness is Readiness.READY, one


# -- no second opinion ------------------------------------------------------------------------------------------------

FLAGS = st.booleans()
SITUATIONS = st.fixed_dictionaries(
    {
        "mode": st.sampled_from(Mode),
        "max_actions": st.integers(0, 3),
        "global_max_actions": st.integers(0, 3),
        "max_unhealthy_percent": st.sampled_from([20, 50, 100]),
        "marks": st.fixed_dictionaries(
            dict.fromkeys(("excluded", "retired", "maintenance", "runs_controller", "cloud_ha"), FLAGS)
        ),
        "isolated": FLAGS,
        "driver_proves": FLAGS,
        "bmc_address_refused": FLAGS,
        "shared": FLAGS,
        "configured": FLAGS,
        "seen_on": FLAGS,
        "cloud": st.sampled_from(CloudSays),
        "answers": FLAGS,
        "pauses": st.lists(
            st.sampled_from(["storage work", Reason.STARTUP_QUIET.value, Reason.CONTRADICTION.value]), max_size=2
        ),
        "attempts": st.integers(0, 3),
        "unfinished": FLAGS,
        "others_silent": st.integers(0, 3),
        "open": FLAGS,
        "sticky": st.sampled_from([frozenset[Reason](), frozenset({Reason.STORM}), frozenset({Reason.CONTRADICTION})]),
    }
)


def situation(drawn: dict[str, Any]) -> tuple[ClusterFacts, dict[str, Any]]:
    me = replace(HOSTS[0], **drawn["marks"])
    others = tuple(incident(f"i-{n}", host_id=f"h{n}", opened_at=T0) for n in range(2, 2 + drawn["others_silent"]))
    mine = incident("mine", state=State.CHECKING, sticky=drawn["sticky"]) if drawn["open"] else None
    facts = cluster_facts(
        host=me,
        hosts=(me, *HOSTS[1:]),
        healths={"h1": health("h1", bmc_identity=IDENTITY, bmc_on_seen_at=T0 if drawn["seen_on"] else None)},
        incidents=(*others, mine) if mine else others,
        attempts=tuple(
            attempt(f"a{n}", host_id="h9", incident_id=f"old-{n}", intended_at=at(-60))
            for n in range(drawn["attempts"])
        ),
        unfinished=(attempt("u", host_id="h3", incident_id="x"),) if drawn["unfinished"] else (),
        pauses=tuple(
            pause(f"p{n}", reason=why, by=SYSTEM, level=Level.CLUSTER, owner_id="c1")
            for n, why in enumerate(drawn["pauses"])
        ),
        identities={"h1": IDENTITY, "h2": IDENTITY} if drawn["shared"] else {"h1": IDENTITY},
        isolated=drawn["isolated"],
        driver_proves=drawn["driver_proves"],
        bmc_address_refused=drawn["bmc_address_refused"],
        cloud=drawn["cloud"],
    )
    seen = everybody() if drawn["answers"] else everybody(h1=seen_by("h1", reach=Reach.NO_ANSWER))
    under = policy(
        **{k: drawn[k] for k in ("mode", "max_actions", "global_max_actions", "max_unhealthy_percent")},
        bmc=policy().bmc if drawn["configured"] else BmcSettings(),
    )
    return facts, {"under": under, "seen": seen, "incident": mine}


@given(SITUATIONS)
def test_a_gate_is_blocked_exactly_where_the_engine_would_refuse_for_more_than_time_cures(
    drawn: dict[str, Any],
) -> None:
    facts, rest = situation(drawn)
    found = explained(facts, **rest)
    own = rest["incident"] or supposed(facts.host, rest["under"], now=T0)
    dead = replace(facts, incidents=(*(i for i in facts.incidents if i.id != own.id), own))
    if drawn["answers"] and rest["incident"] is None and facts.cloud is CloudSays.UP:
        dead = replace(dead, cloud=CloudSays.NOT_UP)  # the cloud has noticed
    refused = set(refusals(own, dead, rest["under"], now=T0))
    shown = {one.reason: one.readiness for one in found.gates if one.reason in refused}
    assert set(shown) == refused == set(found.refused)
    assert {r for r, stands in shown.items() if stands is Readiness.BLOCKED} == refused - WAITS
    assert {r for r, stands in shown.items() if stands is Readiness.WAITS} == refused & WAITS
    if found.readiness is Readiness.READY:
        assert not refused
        assert foreseen(a_snapshot(facts, **rest)).verdict is Verdict.DEAD


@given(SITUATIONS)
def test_with_two_devices_one_that_is_open_is_enough(drawn: dict[str, Any]) -> None:
    facts, rest = situation(drawn | {"configured": True})
    second = BmcSettings(host="bmc-2")
    under = replace(rest["under"], devices=(rest["under"].bmc, second))
    healths = {"h1": replace(facts.healths["h1"], second=DeviceHealth(identity=second.identity, on_seen_at=T0))}
    facts = replace(facts, healths=healths)
    other = replace(facts, identities={}, driver_proves=True, bmc_address_refused=False)
    found = explained(
        facts,
        **rest | {"under": under},
    )
    both = explain(replace(a_snapshot(facts, **rest | {"under": under}), facts=(facts, other)))
    assert not any(one.reason in OF_THE_DEVICE and one.readiness is Readiness.BLOCKED for one in both.gates)
    rest_of = {one.reason for one in both.gates if one.readiness is Readiness.BLOCKED}
    assert rest_of == {one.reason for one in found.gates if one.readiness is Readiness.BLOCKED} - OF_THE_DEVICE


def test_the_supposed_incident_is_one_that_the_intent_itself_would_accept() -> None:
    for under in (policy(), policy(additional_checks=20), policy(min_silence=timedelta(minutes=30))):
        assert evidence_refusals(supposed(HOSTS[0], under, now=T0), under, now=T0) == ()


def test_the_clouds_up_of_a_host_that_answers_is_as_it_should_be_and_of_a_silent_one_waited_for() -> None:
    up = cluster_facts(cloud=CloudSays.UP)
    assert explained(up).readiness is Readiness.READY
    silent = explained(up, seen=everybody(h1=seen_by("h1", reach=Reach.NO_ANSWER)))
    assert against(silent)["cloud_says_up"] is Readiness.WAITS
    assert silent.readiness is Readiness.WAITS


# -- witnesses and storage --------------------------------------------------------------------------------------------


def pools_of(**changes: Any) -> dict[str, Any]:
    """Two of three neighbors have a pool like this."""
    return {"seen": everybody(**{h: seen_by(h, a_pool(h, **changes)) for h in ("h2", "h3")})}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"readable": False, "code": ReadingCode.STALE_HANDLE}, Reason.STORAGE_UNREADABLE),
        ({"readable": False}, Reason.STORAGE_UNREADABLE),
        ({"root": "/mnt/other"}, Reason.STORAGE_UNREADABLE),
        ({"own": None}, Reason.NO_POSITIVE_CONTROL),
        ({"own": a_beat(moved_age=60.0)}, Reason.NO_POSITIVE_CONTROL),
        ({"own": a_beat(moved_age=None)}, Reason.NO_POSITIVE_CONTROL),
        ({"others": {}}, Reason.NO_HEARTBEAT),
        ({"others": {"h1": a_beat(moved_age=70.0)}}, Reason.NO_HEARTBEAT),
        ({"others": {"h1": a_beat(disputed=True)}}, Reason.HEARTBEAT_DISPUTED),
        ({"others": {"h1": a_beat(withdrawn=True)}}, Reason.HEARTBEAT_WITHDRAWN),
    ],
)
def test_what_keeps_neighbors_from_telling_blocks_where_too_few_are_left(
    changes: dict[str, Any], reason: Reason
) -> None:
    found = explained(**pools_of(**changes))
    assert found.readiness is Readiness.BLOCKED
    assert found.could_tell == 1
    assert against(found)[reason] is Readiness.BLOCKED
    assert against(found)["too_few_witnesses"] is Readiness.BLOCKED
    assert "host h2, host h3" in gate(found, gate_of(reason)).text
    enough = explained(**pools_of(**changes), under=policy(witnesses_required=1))
    assert enough.readiness is Readiness.READY
    assert against(enough)[reason] is Readiness.WARNING


def test_neighbors_that_do_not_answer_are_named_and_just_enough_is_a_warning() -> None:
    gone = seen_by("h4", reach=Reach.NO_ANSWER)
    found = explained(seen=everybody(h4=gone))
    assert found.readiness is Readiness.READY
    assert against(found) == {"witness_silent": Readiness.WARNING, "witnesses": Readiness.WARNING}
    assert any("2 of 3 neighbors could tell now, 2 must" in one.text for one in found.gates)
    few = explained(seen={"h1": seen_by("h1"), "h2": seen_by("h2")})
    assert few.readiness is Readiness.BLOCKED
    assert against(few)["witness_silent"] is Readiness.WARNING


def test_until_this_controller_has_asked_time_may_cure_it() -> None:
    found = explained(seen={}, looked=False)
    assert found.readiness is Readiness.WAITS
    assert gate(found, GateCode.AGENT).readiness is Readiness.WAITS
    assert against(found)["too_few_witnesses"] is Readiness.WAITS


def test_neighbors_that_are_suspected_or_have_no_agent_are_named() -> None:
    facts = cluster_facts(
        hosts=without(replace(HOSTS[3], agent_token="")), incidents=(incident("i2", host_id="h2", opened_at=at(-600)),)
    )
    texts = [one.text for one in explained(facts).gates if one.code is GateCode.WITNESSES]
    assert any("host h2" in text for text in texts)
    assert "No agent, so no witness: host h4." in texts


def test_an_open_incident_is_judged_by_its_own_silence() -> None:
    """Its heartbeat ended with it: that it does not move now is no reason against it."""
    mine = incident("mine", state=State.CHECKING, opened_at=at(-100), disconnect_at=at(-120))
    still: dict[str, Any] = {"others": {"h1": a_beat(moved_age=125.0)}}
    silent = {h: seen_by(h, a_pool(h, **still)) for h in ("h2", "h3", "h4")} | {
        "h1": seen_by("h1", reach=Reach.NO_ANSWER)
    }
    found = explained(cluster_facts(incidents=(mine,)), seen=silent, incident=mine)
    assert found.could_tell == 3
    assert found.incident_id == "mine"
    assert gate(found, GateCode.INCIDENT).readiness is Readiness.WARNING


def test_storage_without_heartbeats_is_taken_for_well() -> None:
    images = disk_list("rbd:vms/a", pool_roots=(ROOT,))
    images = replace(images, targets=tuple(replace(t, pool_root="rbd:vms") for t in images.targets))
    assert explained(disks=images).readiness is Readiness.READY


# -- beside -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", [Action.NONE, Action.BLINK])
def test_an_action_that_takes_nothing_down_blocks(action: Action) -> None:
    found = explained(under=policy(action=action))
    assert against(found) == {f"action_{action}": Readiness.BLOCKED}
    assert "Nothing is done" in gate(found, GateCode.RETURN).text
    assert not found.plan.quarantines


def test_a_host_that_was_not_healthy_since_its_last_incident_gets_none() -> None:
    known = health("h1", armed=False, bmc_identity=IDENTITY, bmc_on_seen_at=T0)
    assert against(explained(cluster_facts(healths={"h1": known}))) == {"not_rearmed": Readiness.BLOCKED}
    fenced = explained(cluster_facts(healths={"h1": replace(known, fenced_by="i0")}))
    assert "has not come back" in gate(fenced, GateCode.ARMED).text


def test_a_host_without_an_agent_and_one_whose_agent_is_silent() -> None:
    plain = replace(HOSTS[0], agent_token="", agent_tls=False)
    found = explained(cluster_facts(host=plain, hosts=without(plain)))
    assert gate(found, GateCode.AGENT).readiness is Readiness.WARNING
    assert GateCode.CERTIFICATE not in {one.code for one in found.gates}
    silent = explained(seen=everybody(h1=seen_by("h1", reach=Reach.NO_ANSWER)))
    assert "does not answer now" in gate(silent, GateCode.AGENT).text


@pytest.mark.parametrize(
    ("changes", "stands"),
    [
        ({"agent_tls": False}, Readiness.WARNING),
        ({"agent_tls_until": at(86400)}, Readiness.WARNING),
        ({"agent_tls_until": None}, Readiness.READY),
        ({}, Readiness.READY),
    ],
)
def test_the_certificate(changes: dict[str, Any], stands: Readiness) -> None:
    me = replace(HOSTS[0], **changes)
    found = explained(cluster_facts(host=me, hosts=without(me)))
    assert gate(found, GateCode.CERTIFICATE).readiness is stands


def test_a_device_that_failed_when_it_was_read_last_blocks_unless_a_proven_other_works() -> None:
    first = health("h1", bmc_identity=IDENTITY, bmc_on_seen_at=T0, bmc_code=PowerCode.BAD_CREDENTIALS, bmc_said="no.")
    found = explained(cluster_facts(healths={"h1": first}))
    assert against(found) == {"bmc_unreachable": Readiness.BLOCKED}
    assert "It failed when it was read last, bad credentials: no.)" in gate(found, GateCode.DEVICE_WORKS).text
    silent = explained(cluster_facts(healths={"h1": replace(first, bmc_said="")}))
    assert "bad credentials.)" in gate(silent, GateCode.DEVICE_WORKS).text
    other = BmcSettings(host="bmc-2")
    both = replace(first, second=DeviceHealth(identity=other.identity, on_seen_at=T0))
    facts, under = cluster_facts(healths={"h1": both}), policy(devices=(policy().bmc, other))
    found = explain(replace(a_snapshot(facts, under=under), facts=(facts, facts)))
    assert against(found) == {"bmc_unreachable": Readiness.WARNING}
    assert "Power device 1 failed" in gate(found, GateCode.DEVICE_WORKS).text


def test_a_second_device_that_is_not_proven_is_said_to_be_the_second() -> None:
    under = policy(devices=(policy().bmc, BmcSettings(host="bmc-2")))
    found = explain(replace(a_snapshot(under=under), facts=(cluster_facts(), cluster_facts(identities={}))))
    assert against(found) == {"bmc_unproven": Readiness.WARNING}
    assert "(Power device 2.)" in gate(found, GateCode.DEVICE).text


def test_mounts_that_warn_are_told_and_those_that_inform_are_not() -> None:
    soft = MountNote(code=MountCode.SOFT, severity=Severity.WARNING, text="Mounted soft.")
    nfs = MountNote(code=MountCode.NFS_3, severity=Severity.INFO, text="NFS 3.")
    texts = [one.text for one in explained(mounts=((ROOT, soft), (ROOT, nfs))).gates if one.code is GateCode.MOUNTS]
    assert texts == [f"{ROOT}: Mounted soft."]


@pytest.mark.parametrize(("beat", "stands"), [(15, Readiness.READY), (20, Readiness.WARNING), (50, Readiness.BLOCKED)])
def test_rounds_that_come_quicker_than_heartbeats_do_not_count(beat: int, stands: Readiness) -> None:
    found = explained(under=policy(heartbeat_interval=timedelta(seconds=beat)))
    assert gate(found, GateCode.ROUNDS).readiness is stands


def test_disks() -> None:
    assert against(explained(disks=DiskList(known=False)))["disks_unknown"] is Readiness.BLOCKED
    local = disk_list(DISK, uncheckable=("vm-x",))
    blocked = explained(disks=local)
    assert blocked.readiness is Readiness.BLOCKED
    assert "(vm-x.)" in gate(blocked, GateCode.DISKS).text
    accepted = explained(disks=local, under=policy(accept_uncheckable_disks=True))
    assert against(accepted) == {"uncheckable_disks": Readiness.WARNING}
    empty = explained(disks=DiskList(known=True, pool_roots=(ROOT,)))
    assert against(empty) == {"nothing_to_release": Readiness.WARNING}


@pytest.mark.parametrize(
    ("after", "stands", "said"),
    [
        (None, Readiness.READY, "No cloud is known"),
        (90.0, Readiness.READY, "s to spare."),
        (60.0, Readiness.WARNING, "s to spare, 15 s to spare are wanted"),
        (10.0, Readiness.WARNING, "s too late, 15 s to spare are wanted"),
    ],
)
def test_the_race_with_the_clouds_own_restart(after: float | None, stands: Readiness, said: str) -> None:
    found = explained(restarts_after_s=after)
    assert gate(found, GateCode.CLOUD_RACE).readiness is stands
    assert said in gate(found, GateCode.CLOUD_RACE).text
    if after is not None:
        assert f"{abs(found.timeline.margin_s or 0):.0f} s" in gate(found, GateCode.CLOUD_RACE).text
    assert found.readiness is Readiness.READY, "it is told, and stops nothing"


def test_what_becomes_of_it_afterwards() -> None:
    assert "stays off" in gate(explained(), GateCode.RETURN).text
    assert "switched on again" in gate(explained(under=policy(action=Action.REBOOT)), GateCode.RETURN).text
    third = explained(under=policy(action=Action.REBOOT), fences_before=2)
    assert gate(third, GateCode.RETURN).readiness is Readiness.WARNING
    assert third.plan.action is Action.OFF


def test_a_pause_says_whose_it_is() -> None:
    found = explained(cluster_facts(pauses=(pause(reason="storage work", by="ada"),)))
    assert "(ada: storage work.)" in gate(found, GateCode.PAUSES).text


def test_many_names_are_cut() -> None:
    many = tuple(host(f"n{n}", agent_token="") for n in range(8))
    found = explained(cluster_facts(hosts=(*HOSTS, *many)))
    assert any("and 3 more" in one.text for one in found.gates)


def test_a_reason_that_no_gate_knows_belongs_to_the_incident() -> None:
    assert closed(Reason.STEP_FAILED).code is GateCode.INCIDENT


def test_what_the_engine_refuses_with_is_asked_for_each_device() -> None:
    under = policy(devices=(policy().bmc, BmcSettings(host="bmc-2")))
    snapshot = replace(a_snapshot(under=under), facts=(cluster_facts(), cluster_facts(identities={})))
    assert refused_with(snapshot, 0) == ()
    assert refused_with(snapshot, 1) == (Reason.BMC_UNPROVEN,)
