"""What the doctor makes of answers: one thing wrong at a time, and everything well."""

import copy
import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from controller.api.schemas.cloud import CloudOut
from controller.api.schemas.deployment import DeploymentOut
from controller.api.schemas.notifications import ChannelOut, ChannelTestOut
from controller.api.schemas.readiness import ClusterReadinessOut
from controller.cli.commands_doctor import shown
from controller.cli.doctor.check import OK, PROBLEM, WARNING, Check, worst_of
from controller.cli.doctor.checks import Answers, all_checks
from controller.domain.gates import GATES, GateCode, Group

NOW = datetime(2026, 3, 1, 3, 12, 40, tzinfo=UTC)
AT = "2026-03-01T03:12:40Z"

DEPLOYMENT: dict[str, Any] = {
    "at": AT,
    "controller_id": "ctl-1",
    "process": {
        "version": "1.2.0",
        "memory_path": "/var/lib/hostfence/last-alive.json",
        "remembers": True,
        "lab": [],
        "missing": [],
    },
    "database": {
        "server_version": "17.2",
        "embedded": False,
        "schema_at": "20261130_13",
        "schema_newest": "20261130_13",
        "ahead_s": 0.02,
    },
    "key": {
        "ids": ["1a2b3c4d"],
        "source": "file",
        "path": "/run/secrets/key",
        "mode": 0o400,
        "secrets": 12,
        "older": 0,
        "lost": 0,
    },
    "controllers": [
        {"id": "ctl-1", "version": "1.2.0", "started_at": AT, "alive_at": "2026-03-01T03:12:35Z"},
        {"id": "ctl-2", "version": "1.2.0", "started_at": AT, "alive_at": "2026-03-01T03:12:31Z"},
        {"id": "gone", "version": "", "started_at": AT, "alive_at": "2026-02-01T03:12:31Z"},
    ],
    "agents": [{"host_id": "h1", "version": "1.2.0", "seen_at": AT}],
}
HOSTS = [{"id": "h1", "name": "kvm-07", "retired": False}, {"id": "h2", "name": "old", "retired": True}]
CLOUD: dict[str, Any] = {
    "problem": "",
    "warnings": [],
    "unmapped": [],
    "counts": {"hosts": 1},
    "restarts_after_s": None,
    "restarts_after_s_by_zone": {},
    "at": AT,
    "read_at": AT,
}
CHANNEL: dict[str, Any] = {
    "name": "operators",
    "kind": "email",
    "goes_to": "on-call@example.org",
    "confirms": False,
    "min_severity": "info",
    "clusters": [],
    "events": [],
    "digest_after": 10,
    "pending": 0,
    "dead": 0,
    "last_sent_at": AT,
}
TEST: dict[str, Any] = {
    "notification_id": "n1",
    "channel": "operators",
    "kind": "email",
    "taken": True,
    "confirmed": True,
    "said": "250 fine",
    "took_s": 0.31,
}


def a_cluster(*causes: dict[str, Any], codes: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "cluster_id": "c1",
        "cluster_name": "rack-a",
        "at": AT,
        "ready": 1,
        "waits": 0,
        "blocked": 0,
        "least_spare_witnesses": 1,
        "slowest_off_s": 120.0,
        "storm": None,
        "causes": list(causes),
        "hosts": [
            {
                "id": "h1",
                "name": "kvm-07",
                "readiness": "ready",
                "codes": list(codes),
                "off_s": 120.0,
                "spare_witnesses": 1,
            }
        ],
    }


def a_cause(code: str, group: Group, readiness: str = "blocked", change: str = "Change it.") -> dict[str, Any]:
    return {"code": code, "group": group.value, "readiness": readiness, "hosts": 1, "change": change}


def everything(**changed: Any) -> Answers:
    plain: dict[str, Any] = {
        "version": "1.2.0",
        "now": NOW,
        "here": NOW + timedelta(seconds=1),
        "health": {"status": "ok", "database": "ok", "version": "1.2.0"},
        "fitness": {"ready": True, "reasons": []},
        "whoami": {"name": "me", "role": "viewer"},
        "deployment": copy.deepcopy(DEPLOYMENT),
        "hosts": HOSTS,
        "readiness": [a_cluster()],
        "channels": [CHANNEL],
        "cloud": CLOUD,
    }
    return Answers(**{**plain, **changed})


def named(found: Answers, name: str, **how: bool) -> Check:
    (check,) = [one for one in all_checks(found, **how) if one.name == name]
    return check


def test_the_values_here_are_what_the_interface_sends() -> None:
    """The forms are checked by the interface's own schemas; `schema_at` is read under another name."""
    read = {**DEPLOYMENT, "database": {**DEPLOYMENT["database"], "schema": "20261130_13", "newest": "20261130_13"}}
    assert DeploymentOut.model_validate(read).model_dump(mode="json") == DEPLOYMENT
    assert CloudOut.model_validate(CLOUD).model_dump(mode="json") == CLOUD
    assert ChannelOut.model_validate(CHANNEL).model_dump(mode="json") == CHANNEL
    assert ChannelTestOut.model_validate(TEST).model_dump(mode="json") == TEST
    cluster = a_cluster(a_cause("x", Group.ARMED))
    assert ClusterReadinessOut.model_validate(cluster).model_dump(mode="json") == cluster


def test_where_all_is_well_every_check_says_so() -> None:
    checks = all_checks(everything())
    assert [one.name for one in checks if one.state != OK] == []
    assert worst_of(one.state for one in checks) == OK
    assert not any(one.todo for one in checks)


def test_every_group_of_gates_has_its_check() -> None:
    names = {one.name for one in all_checks(everything())}
    assert {group.value for group in Group} <= names
    assert {gate.group for gate in GATES.values()} == set(Group)


@pytest.mark.parametrize(
    ("part", "key", "value", "check", "state", "said"),
    [
        ("database", "schema_at", "20270101_20", "database", PROBLEM, "20270101_20"),
        ("database", "ahead_s", -9.0, "clocks", WARNING, "9 s behind"),
        ("key", "mode", 0o644, "key", PROBLEM, "open to other users (mode 0644)"),
        ("key", "mode", None, "key", PROBLEM, "cannot be read any more"),
        ("key", "older", 3, "key", WARNING, "3 of 12 secrets need an older key"),
        ("key", "lost", 2, "key", PROBLEM, "2 of 12 secrets are open to no key"),
        ("process", "remembers", False, "environment", WARNING, "last-alive.json cannot be written"),
        ("process", "missing", ["/usr/bin/ipmitool"], "environment", WARNING, "/usr/bin/ipmitool"),
        ("process", "lab", ["HOSTFENCE_LAB_X"], "environment", WARNING, "HOSTFENCE_LAB_X is set"),
        ("process", "version", "1.3.0", "agent_versions", WARNING, "version 1.2.0: kvm-07"),
    ],
)
def test_one_thing_wrong_with_the_deployment(
    part: str, key: str, value: object, check: str, state: str, said: str
) -> None:
    deployment: dict[str, Any] = copy.deepcopy(DEPLOYMENT)
    deployment[part][key] = value
    found = named(everything(deployment=deployment), check)
    assert (found.state, said in "".join(found.details), bool(found.todo)) == (state, True, True), found


def test_a_key_that_is_both_old_and_lost_is_as_bad_as_the_worse() -> None:
    deployment: dict[str, Any] = copy.deepcopy(DEPLOYMENT)
    deployment["key"] |= {"older": 1, "lost": 1}
    assert named(everything(deployment=deployment), "key").state == PROBLEM


@pytest.mark.parametrize(
    ("alive", "state", "said"),
    [
        ([], PROBLEM, "none has signed lately"),
        ([("1.2.0", 5)], OK, "a second one"),
        ([("1.2.0", 5), ("1.1.0", 9)], WARNING, "1.1.0, 1.2.0"),
        ([("1.2.0", 5), ("", 9)], WARNING, "1.2.0, unknown"),
        ([("1.2.0", 5), ("1.1.0", 46)], OK, "a second one"),
    ],
)
def test_controllers_count_while_they_sign(alive: list[tuple[str, int]], state: str, said: str) -> None:
    rows = [
        {"id": str(n), "version": version, "alive_at": (NOW - timedelta(seconds=age)).isoformat()}
        for n, (version, age) in enumerate(alive)
    ]
    found = named(everything(deployment={**DEPLOYMENT, "controllers": rows}), "controllers")
    assert (found.state, said in "".join(found.details)) == (state, True), found


def test_the_controller_itself() -> None:
    older = named(everything(health={"database": "ok", "version": "1.1.0"}), "controller")
    assert (older.state, "version 1.1.0" in older.details[0]) == (WARNING, True)
    away = named(everything(health={"database": "unavailable", "version": "1.2.0"}), "controller")
    assert away.state == PROBLEM
    reasons = [{"code": "clock_stands", "detail": "for 9 s", "do": "Look at it."}]
    unfit = named(everything(fitness={"ready": False, "reasons": reasons}), "controller")
    assert unfit.state == PROBLEM
    assert (unfit.details, unfit.todo) == (("not ready: clock_stands: for 9 s",), ("Look at it.",))


def test_this_machines_clock_is_compared_too() -> None:
    found = named(everything(here=NOW + timedelta(minutes=3)), "clocks")
    assert (found.state, found.details) == (WARNING, ("this machine is 3 min ahead of the controller's machine",))


def test_what_a_role_may_not_see_is_not_passed_over() -> None:
    found = everything(deployment=None, hosts=None, refused={"deployment": "no", "hosts": "this needs viewer"})
    check = named(found, "access")
    assert (check.state, len(check.details)) == (PROBLEM, 2)
    assert "inventory" not in {one.name for one in all_checks(found)}


def test_an_empty_inventory_is_a_problem() -> None:
    assert named(everything(hosts=[], readiness=[]), "inventory").state == PROBLEM
    assert named(everything(hosts=HOSTS[1:]), "inventory").state == PROBLEM, "the cloud forgot it"


@pytest.mark.parametrize(
    ("changed", "state"),
    [
        ({"problem": "the API does not answer"}, PROBLEM),
        ({"warnings": ["the key may not listVolumes"]}, WARNING),
        ({"read_at": None, "counts": {}}, OK),
    ],
)
def test_the_cloud(changed: dict[str, Any], state: str) -> None:
    assert named(everything(cloud={**CLOUD, **changed}), "cloud_reading").state == state


@pytest.mark.parametrize(
    ("code", "readiness", "group", "usual", "armed"),
    [
        ("bmc_unproven", "blocked", Group.DEVICE, PROBLEM, PROBLEM),
        ("no_heartbeat", "blocked", Group.STORAGE, PROBLEM, PROBLEM),
        ("too_few_witnesses", "waits", Group.WITNESSES, WARNING, WARNING),
        ("cap_reached", "blocked", Group.LIMITS, PROBLEM, PROBLEM),
        ("observe_mode", "blocked", Group.ARMED, WARNING, PROBLEM),
        ("maintenance", "blocked", Group.HOST, WARNING, PROBLEM),
        (GateCode.CERTIFICATE.value, "warning", Group.HOST, WARNING, WARNING),
        (GateCode.AGENT.value, "warning", Group.HOST, PROBLEM, PROBLEM),
        (GateCode.AGENT.value, "waits", Group.HOST, WARNING, WARNING),
    ],
)
def test_readiness_is_taken_over_and_a_persons_choice_is_no_fault(
    code: str, readiness: str, group: Group, usual: str, armed: str
) -> None:
    found = everything(readiness=[a_cluster(a_cause(code, group, readiness), codes=(code,))])
    check = named(found, group.value)
    assert (check.state, check.details, check.todo) == (usual, (f"rack-a: {code} at kvm-07",), (f"{code}: Change it.",))
    assert named(found, group.value, armed=True).state == armed


@pytest.mark.parametrize(
    ("changed", "state", "said"),
    [
        ({}, OK, ""),
        ({"dead": 2}, PROBLEM, "2 messages given up"),
        ({"pending": 1}, WARNING, "1 message waiting"),
        ({"last_sent_at": None}, WARNING, "nothing was ever sent"),
        ({"kind": None, "dead": 1, "last_sent_at": None}, PROBLEM, "there is no notification channel"),
    ],
)
def test_channels_by_what_became_of_their_messages(changed: dict[str, Any], state: str, said: str) -> None:
    found = named(everything(channels=[{**CHANNEL, **changed}]), "notifications")
    assert (found.state, said in " ".join(found.details)) == (state, True), found


def test_a_test_through_a_channel_says_more_than_its_past() -> None:
    silent = {**CHANNEL, "last_sent_at": None}
    well = named(everything(channels=[silent], tested=[TEST]), "notifications")
    assert (well.state, well.details) == (OK, ("operators: a test arrived in 0.3 s",))
    refused = {**TEST, "taken": False, "said": "550 no such box"}
    found = named(everything(channels=[silent], tested=[refused]), "notifications")
    assert (found.state, "550 no such box" in found.details[0]) == (PROBLEM, True)


def test_without_a_channel_nobody_is_told() -> None:
    assert named(everything(channels=[]), "notifications").state == PROBLEM


def test_many_hosts_are_counted() -> None:
    agents = [{"host_id": f"h{n}", "version": "1.0", "seen_at": AT} for n in range(9)]
    hosts = [{"id": f"h{n}", "name": f"kvm-{n}", "retired": False} for n in range(9)]
    found = named(everything(hosts=hosts, deployment={**DEPLOYMENT, "agents": agents}), "agent_versions")
    assert found.details == ("version 1.0: kvm-0, kvm-1, kvm-2, kvm-3, kvm-4 and 4 more",)


def test_the_page_reads_as_it_was_read() -> None:
    """`HOSTFENCE_TEST_WRITE_GOLDEN=1` writes it anew."""
    causes = [
        a_cause("agent", Group.HOST, "warning", "Look whether the host and its agent run."),
        a_cause("observe_mode", Group.ARMED, "blocked", "To let it act, set mode to enforce everywhere."),
    ]
    cluster = a_cluster(*causes, codes=("agent", "observe_mode"))
    key = {**DEPLOYMENT["key"], "path": "/etc/hostfence/encryption.key", "mode": 0o644}
    found = everything(readiness=[cluster], deployment={**DEPLOYMENT, "key": key})
    console = Console(file=io.StringIO(), width=80, highlight=False, color_system=None)
    console.print(shown(all_checks(found), everything=False))
    page = "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]
    file = Path(__file__).parent / "golden" / "doctor.txt"
    if os.environ.get("HOSTFENCE_TEST_WRITE_GOLDEN"):
        file.write_text(page)
    assert page == file.read_text()
