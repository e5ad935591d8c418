"""Whole pages as people see them at 80 columns, kept beside this file and read by a person when they change.

The values are checked against the interface's own schemas, so that a page cannot show what is no longer sent.
`HOSTFENCE_TEST_WRITE_GOLDEN=1` writes them anew.
"""

import io
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from controller.api.schemas import cloud, control, incidents, inventory, notifications, readiness, records
from controller.cli import show_cloud, show_incidents, show_inventory, show_notifications, show_readiness

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 3, 1, 3, 12, 40, tzinfo=UTC)
WORDS = {
    "bmc_unreachable": (
        "The host's BMC does not answer.",
        "Check the BMC network and credentials. Or cut the power by hand and acknowledge.",
    ),
    "cap_reached": (
        "This cluster has used up the number of power-downs it may have in its time window.",
        "Find out why so many hosts fail. The hold ends by itself when the window has moved on.",
    ),
}
NAMES = {"h1": "kvm-07", "h2": "kvm-11", "h3": "kvm-02", "c1": "rack-a"}


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def an_incident(**changed: Any) -> dict[str, Any]:
    plain = {
        "id": "3f0c7d52-1111-4111-8111-111111111111",
        "host_id": "h1",
        "cluster_id": "c1",
        "state": "held",
        "open": True,
        "source": "watch",
        "opened_at": "2026-03-01T03:02:10Z",
        "disconnect_at": "2026-03-01T03:01:40Z",
        "entered_at": "2026-03-01T03:04:30Z",
        "next_step_at": "2026-03-01T03:12:55Z",
        "note": "",
        "vms": ["web1", "db2", "r-14-VM"],
        "reasons": ["bmc_unreachable", "cap_reached"],
        "rounds": 12,
        "newest": {"number": 12, "at": "2026-03-01T03:12:30Z", "verdict": "dead", "reasons": ["host_dead"]},
        "tally": {"dead": 12, "silence": 600.0},
        "life_at": None,
        "action": "off",
        "command": {
            "status": "answered",
            "count": 1,
            "first_at": "2026-03-01T03:03:50Z",
            "last_at": "2026-03-01T03:03:50Z",
        },
        "proof": {
            "reads": 0,
            "last_at": "2026-03-01T03:04:20Z",
            "proven_at": None,
            "last_state": "unknown",
            "last_said": "",
        },
        "acknowledged": None,
        "quarantined": True,
        "released_at": None,
        "held_since": "2026-03-01T03:04:30Z",
        "closed_at": None,
    }
    made = {**plain, **changed}
    incidents.IncidentOut.model_validate(made)
    return made


def an_event(at: str, text: str, **changed: Any) -> dict[str, Any]:
    made = {
        "id": "e",
        "at": at,
        "kind": "state",
        "text": text,
        "actor": "hostfence",
        "from_state": "checking",
        "to_state": "checking",
        "reasons": [],
        "data": {},
        **changed,
    }
    incidents.EventOut.model_validate(made)
    return made


def an_explanation() -> dict[str, Any]:
    gate = {
        "code": "device",
        "group": "device",
        "readiness": "ready",
        "reason": None,
        "text": "There is one.",
        "change": "",
    }
    closed = {
        "code": "witnesses",
        "group": "witnesses",
        "readiness": "blocked",
        "reason": "too_few_witnesses",
        "text": "Not enough neighbors could see for themselves that it is silent. (1 of 3 neighbors could tell now.)",
        "change": "Get the neighbors' probe agents answering, or look at the host yourself.",
    }
    warning = {
        "code": "certificate",
        "group": "host",
        "readiness": "warning",
        "reason": None,
        "text": "The agent's certificate ends in 12 days.",
        "change": "See why it is not renewed by itself.",
    }
    step = {"stage": "suspected", "soonest_s": 10.0, "latest_s": 30.0, "settings": ["watch_timeout"], "text": ""}
    last = {
        "stage": "off_proven",
        "soonest_s": 96.2,
        "latest_s": 164.8,
        "settings": ["off_reads", "read_spacing"],
        "text": "",
    }
    made = {
        "host_id": "h1",
        "host_name": "kvm-07",
        "cluster_id": "c1",
        "at": "2026-03-01T03:12:40Z",
        "readiness": "blocked",
        "gates": [gate, warning, closed],
        "plan": {
            "action": "off",
            "devices": ["ipmi 10.0.0.7:623", "exec pdu-2"],
            "slots_left": 2,
            "slots_left_everywhere": 9,
            "quarantines": True,
        },
        "timeline": {
            "steps": [step, last],
            "off_s": 164.8,
            "release_s": 189.0,
            "cloud_restarts_after_s": 90.0,
            "margin_s": 37.0,
        },
        "witnesses_that_could_tell": 1,
        "witnesses_required": 2,
        "agent_answers": True,
        "incident_id": "",
    }
    readiness.ExplanationOut.model_validate(made)
    return made


def a_cluster() -> dict[str, Any]:
    made = {
        "cluster_id": "c1",
        "cluster_name": "rack-a",
        "at": "2026-03-01T03:12:40Z",
        "ready": 1,
        "waits": 0,
        "blocked": 2,
        "least_spare_witnesses": -1,
        "slowest_off_s": 164.8,
        "storm": {
            "believed": 1,
            "power_downs": 1,
            "beyond": ["cluster_unhealthy"],
            "max_actions": 3,
            "max_unhealthy_percent": 50,
        },
        "causes": [
            {
                "code": "bmc_unproven",
                "group": "device",
                "readiness": "blocked",
                "hosts": 2,
                "change": "Verify with your own eyes that the host is off, then acknowledge.",
            }
        ],
        "hosts": [
            {
                "id": "h2",
                "name": "kvm-11",
                "readiness": "blocked",
                "codes": ["bmc_unproven", "too_few_witnesses"],
                "off_s": 164.8,
                "spare_witnesses": -1,
            },
            {"id": "h3", "name": "kvm-02", "readiness": "ready", "codes": [], "off_s": 120.0, "spare_witnesses": 1},
        ],
    }
    readiness.ClusterReadinessOut.model_validate(made)
    return made


def a_host() -> dict[str, Any]:
    device = {"on_seen_at": None, "checked_at": None, "code": "none", "said": ""}
    made = {
        "id": "h1",
        "cluster_id": "c1",
        "name": "kvm-07",
        "address": "10.0.1.7",
        "agent_port": 8441,
        "external_id": None,
        "excluded": False,
        "maintenance": True,
        "runs_controller": False,
        "agent_tls": True,
        "agent_tls_until": "2027-02-01T00:00:00Z",
        "cloud_ha": False,
        "retired": False,
        "health": {
            "armed": True,
            "boot_id": "b",
            "seen_at": "2026-03-01T03:12:38Z",
            "healthy_since": "2026-02-20T10:00:00Z",
            "bmc_on_seen_at": "2026-03-01T03:10:00Z",
            "bmc_checked_at": "2026-03-01T03:10:00Z",
            "bmc_code": "none",
            "bmc_said": "",
            "second": device,
            "fenced_by": "",
            "quarantined_by": "",
        },
        "storage": {
            "seen_at": "2026-03-01T03:12:38Z",
            "pools": [
                {
                    "root": "/mnt/primary1",
                    "code": None,
                    "detail": "",
                    "fs_type": "nfs4",
                    "options": "rw,hard",
                    "source": "nas:/p1",
                    "notes": [],
                }
            ],
        },
    }
    inventory.HostDetail.model_validate(made)
    return made


def a_pause() -> dict[str, Any]:
    made = {
        "id": "c36dca04-a9d6-4454-a5ec-4fe23cde8759",
        "level": "cluster",
        "owner_id": "c1",
        "reason": "storage work, ticket 4711",
        "by": "ann",
        "created_at": "2026-03-01T01:00:00Z",
        "until": "2026-03-01T05:00:00Z",
        "lifted_at": None,
        "lifted_by": "",
    }
    control.PauseOut.model_validate(made)
    return made


def a_channel(name: str, **changed: Any) -> dict[str, Any]:
    made = {
        "name": name,
        "kind": "email",
        "goes_to": "oncall@example.org through mail.example.org:25",
        "confirms": True,
        "min_severity": "info",
        "clusters": [],
        "events": [],
        "digest_after": 20,
        "pending": 0,
        "dead": 0,
        "last_sent_at": "2026-03-01T03:12:00Z",
        **changed,
    }
    notifications.ChannelOut.model_validate(made)
    return made


CHANNELS = [
    a_channel("on call"),
    a_channel("nms", kind="snmp", goes_to="nms.example.org:162 (v3 inform)", pending=12, dead=3),
    a_channel("old pager", kind=None, goes_to="nowhere any more", dead=1, last_sent_at=None),
]

BRIEF = {
    "id": "c36dca04-a9d6-4454-a5ec-4fe23cde8759",
    "at": "2026-03-01T03:04:30Z",
    "kind": "held",
    "severity": "critical",
    "incident_id": "3f0c7d52-1111-4111-8111-111111111111",
    "host_id": "h1",
    "cluster_id": "c1",
    "host_name": "kvm-07",
    "headline": "held",
    "what": "kvm-07 has been silent since 2026-03-01 03:01:40 UTC. hostfence is holding: it leaves the host alone.",
}


def a_delivery(channel: str, status: str, last_error: str = "") -> dict[str, Any]:
    made = {
        "channel": channel,
        "status": status,
        "tries": 1,
        "next_try_at": None,
        "last_error": last_error,
        "sent_at": "2026-03-01T03:04:31Z" if status == "sent" else None,
        "digest_id": None,
        "resent_at": None,
    }
    notifications.DeliveryOut.model_validate(made)
    return made


DELIVERIES = [
    a_delivery("on call", "sent"),
    a_delivery("nms", "dead", "No SNMP response received before timeout"),
    a_delivery("chat", "in_digest"),
]


def a_notification() -> dict[str, Any]:
    made = {
        **{key: value for key, value in BRIEF.items() if key != "headline"},
        "why": ["storm"],
        "next": "This never ends in an action by itself.",
        "how_to_stop": "On the incident's page: Retry checks from the start.",
        "deliveries": DELIVERIES,
        "members": [{**BRIEF, "id": "9f6dca04-a9d6-4454-a5ec-4fe23cde8759", "host_name": "kvm-11"}],
    }
    notifications.NoticeDetail.model_validate(made)
    return made


def an_audit() -> dict[str, Any]:
    made = {
        "items": [
            {
                "id": "1",
                "at": "2026-03-01T03:10:00Z",
                "actor": "ann",
                "action": "power_off",
                "target": "h1",
                "data": {"reason": "smoke", "host": "kvm-07"},
            },
            {
                "id": "2",
                "at": "2026-02-27T23:10:00Z",
                "actor": "bob",
                "action": "cluster.create",
                "target": "c1",
                "data": {},
            },
        ],
        "next_cursor": "abc",
    }
    records.AuditPage.model_validate(made)
    return made


def a_cloud() -> dict[str, Any]:
    made = {
        "problem": "",
        "warnings": ["The API key may not call listCapabilities (starting, optional): without it no version is shown."],
        "unmapped": [
            "Disks on local storage (kvm-07-local) cannot be checked: no other host can see them.",
            "The password for the BMC of kvm-02 is not set.",
        ],
        "counts": {"zones": 2, "pods": 2, "clusters": 3, "hosts": 24, "pools": 4, "vms": 310, "disks": 402},
        "restarts_after_s": 90.0,
        "restarts_after_s_by_zone": {"zurich": 90.0, "berne": None},
        "at": "2026-03-01T03:12:10Z",
        "read_at": "2026-03-01T03:12:10Z",
    }
    cloud.CloudOut.model_validate(made)
    return made


EVENTS: list[tuple[str, str, dict[str, Any]]] = [
    ("2026-03-01T03:02:10Z", "own watch: silent for 30 s", {"from_state": "", "to_state": "suspect"}),
    ("2026-03-01T03:02:20Z", "", {"from_state": "suspect"}),
    ("2026-03-01T03:03:50Z", "power off sent", {"actor": "hostfence"}),
    ("2026-03-01T03:04:30Z", "", {"to_state": "held", "reasons": ["bmc_unreachable"]}),
]


def pages() -> dict[str, RenderableType]:
    held = an_incident()
    others = [
        an_incident(
            id="9" * 36, host_id="h3", state="fenced", open=False, reasons=[], disconnect_at="2026-02-27T22:00:00Z"
        ),
        an_incident(id="2" * 36, host_id="h2", state="checking", reasons=[]),
        held,
    ]
    events = [an_event(at, text, **more) for at, text, more in EVENTS]
    return {
        "incident-list": show_incidents.incident_list(others, NAMES, now=NOW),
        "incident": show_incidents.incident(held, "kvm-07", WORDS, now=NOW),
        "timeline": show_incidents.timeline(events, now=NOW),
        "explain": show_readiness.explanation(an_explanation(), all_gates=False),
        "readiness": show_readiness.clusters([a_cluster()]),
        "readiness-of-one": show_readiness.cluster(a_cluster()),
        "host": show_inventory.host(a_host(), "rack-a", [{"name": "web1"}, {"name": "db2"}], now=NOW),
        "hosts": show_inventory.host_list([a_host()], NAMES),
        "pauses": show_inventory.pauses([a_pause()], NAMES, now=NOW),
        "channels": show_notifications.channels(CHANNELS, now=NOW),
        "deliveries": show_notifications.deliveries([{**one, "notification": BRIEF} for one in DELIVERIES], now=NOW),
        "notification": show_notifications.notification(a_notification(), now=NOW),
        "cloud": show_cloud.report(a_cloud(), now=NOW),
        "cloud-unread": show_cloud.report(
            {**a_cloud(), "problem": "listHosts: no whole answer by the deadline", "read_at": None},
            now=NOW,
        ),
        "audit": show_inventory.audit(an_audit(), NAMES, now=NOW),
        "settings": show_inventory.settings(
            {
                "mode": {"value": "observe", "source": "default"},
                "check_interval": {"value": 20, "source": "cluster"},
                "ipmi.password": {"value": {"set": True}, "source": "host"},
            },
            units={"check_interval": "seconds"},
        ),
    }


@pytest.mark.parametrize("name", sorted(pages()))
def test_pages_read_as_they_were_read(name: str) -> None:
    console = Console(file=io.StringIO(), width=80, highlight=False, color_system=None)
    console.print(pages()[name])
    shown = "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())  # type: ignore[attr-defined]
    file = GOLDEN / f"{name}.txt"
    if os.environ.get("HOSTFENCE_TEST_WRITE_GOLDEN"):
        file.write_text(shown)
    assert shown == file.read_text()
