"""The alert rules, judged by Prometheus' own promtool: each fires for its trouble, none for a well site."""

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.domain.reasons import NEEDS_A_PERSON
from tests.fixtures.counterparts import debian_program
from tests.integration.monitoring.files import RULES, alerts, rules_text

pytestmark = pytest.mark.debian("promtool")

CONTROLLER = 'instance="c1:8440",job="hostfence"'
TO_OFF = "hostfence_controller_silence_to_off_seconds_bucket"
REQUESTS = "hostfence_controller_http_requests_total"
OTHER = 'instance="c2:8440",job="hostfence"'


@dataclass(frozen=True)
class Trouble:
    """Series (a value a minute) that make an alert fire at ``minute``, with these labels, and that do not before."""

    series: dict[str, str]
    minute: int
    labels: str = ""
    quiet_at: int | None = None


TROUBLES: dict[str, list[Trouble]] = {
    "HostfenceNeedsAPerson": [
        Trouble({f'hostfence_site_held{{{CONTROLLER},reason="{reason}"}}': "0x2 1x5"}, 3, f'reason="{reason}"', 2)
        for reason in sorted(NEEDS_A_PERSON)
    ],
    "HostfenceStorm": [
        Trouble({f'hostfence_site_storms{{{CONTROLLER},cluster="kvm"}}': "0x1 5x5"}, 3, 'cluster="kvm"', 1)
    ],
    "HostfenceIncidentHeld": [
        Trouble({f"hostfence_site_held_seconds{{{CONTROLLER}}}": "900 901x9"}, 2, quiet_at=0),
    ],
    "HostfenceHostFenced": [
        Trouble(
            {
                f'hostfence_controller_transitions_total{{{CONTROLLER},to_state="fenced"}}': "0x20",
                f'hostfence_controller_transitions_total{{{OTHER},to_state="fenced"}}': "0x4 1x16",
            },
            7,
            quiet_at=3,
        )
    ],
    "HostfenceSlowFence": [
        Trouble(
            {
                f'{TO_OFF}{{{CONTROLLER},le="600"}}': "0x9",
                f'{TO_OFF}{{{CONTROLLER},le="900"}}': "0x3 1x6",
                f'{TO_OFF}{{{CONTROLLER},le="+Inf"}}': "0x3 1x6",
            },
            6,
            quiet_at=2,
        )
    ],
    "HostfenceQuarantineFailed": [
        Trouble(
            {f'hostfence_controller_effects_total{{{CONTROLLER},kind="quarantine",result="failed"}}': "0x3 1x6"},
            6,
            quiet_at=2,
        ),
        Trouble({f"hostfence_site_effects_waiting_seconds{{{CONTROLLER}}}": "0+60x20"}, 11, quiet_at=10),
    ],
    "HostfenceControllerDown": [Trouble({f"up{{{CONTROLLER}}}": "1x2 0x9"}, 6, CONTROLLER, 2)],
    "HostfenceNoController": [
        Trouble(
            {f"hostfence_site_controllers{{{CONTROLLER}}}": "1x2 0x9", f"up{{{CONTROLLER}}}": "1x12"}, 6, quiet_at=2
        ),
        Trouble({f"up{{{CONTROLLER}}}": "1x2 0x9"}, 6, quiet_at=2),
    ],
    "HostfenceDatabaseAway": [
        Trouble({f"hostfence_controller_database_up{{{CONTROLLER}}}": "1x2 0x9"}, 5, CONTROLLER, 2)
    ],
    "HostfenceNotReady": [
        Trouble(
            {f'hostfence_controller_ailment{{{CONTROLLER},code="engine_stuck"}}': "0x2 1x9"},
            7,
            'code="engine_stuck",instance="c1:8440"',
            5,
        )
    ],
    "HostfenceIsolated": [Trouble({f"hostfence_controller_isolated{{{CONTROLLER}}}": "0x2 1x9"}, 6, CONTROLLER, 4)],
    "HostfenceEngineLate": [Trouble({f"hostfence_site_late_seconds{{{CONTROLLER}}}": "0x2 31x9"}, 6, quiet_at=4)],
    "HostfenceStepsFail": [
        Trouble(
            {f'hostfence_controller_steps_total{{{CONTROLLER},result="failed",state="held"}}': "0x5 5x20"},
            7,
            quiet_at=4,
        )
    ],
    "HostfenceClockCorrected": [
        Trouble({f"hostfence_site_clock_corrections{{{CONTROLLER}}}": "4x5 5x5"}, 8, quiet_at=4)
    ],
    "HostfencePaused": [
        Trouble(
            {f'hostfence_site_pauses{{{CONTROLLER},level="global",reason="paused"}}': "1x130"},
            121,
            'level="global",reason="paused"',
            119,
        )
    ],
    "HostfenceCapReached": [
        Trouble(
            {
                f'hostfence_site_cap_used{{{CONTROLLER},cluster="kvm"}}': "2x2 3x5",
                f'hostfence_site_cap_limit{{{CONTROLLER},cluster="kvm"}}': "3x9",
            },
            4,
            'cluster="kvm"',
            2,
        )
    ],
    "HostfenceGlobalCapReached": [
        Trouble(
            {
                f"hostfence_site_global_cap_used{{{CONTROLLER}}}": "9x2 10x5",
                f"hostfence_site_global_cap_limit{{{CONTROLLER}}}": "10x9",
            },
            4,
            quiet_at=2,
        )
    ],
    "HostfenceHostsBlocked": [
        Trouble(
            {
                f'hostfence_controller_hosts{{{CONTROLLER},cluster="kvm",readiness="blocked"}}': "2x70",
                f'hostfence_controller_hosts{{{CONTROLLER},cluster="watched",readiness="blocked"}}': "2x70",
                f'hostfence_site_enforced{{{CONTROLLER},cluster="kvm"}}': "1x70",
                f'hostfence_site_enforced{{{CONTROLLER},cluster="watched"}}': "0x70",
            },
            61,
            'cluster="kvm"',
            59,
        )
    ],
    "HostfencePowerDeviceNotReady": [
        Trouble(
            {f'hostfence_controller_power_devices{{{CONTROLLER},cluster="kvm",state="bmc_unproven"}}': "1x70"},
            61,
            'cluster="kvm",state="bmc_unproven"',
            59,
        )
    ],
    "HostfenceAgentsSilent": [
        Trouble(
            {
                f'hostfence_controller_agents{{{CONTROLLER},answers="no",cluster="kvm"}}': "1x20",
                f'hostfence_controller_agents{{{OTHER},answers="no",cluster="kvm"}}': "0x5 2x15",
            },
            17,
            'cluster="kvm"',
            12,
        )
    ],
    "HostfenceCertificateEnds": [
        Trouble(
            {
                f'hostfence_site_certificate_ends_timestamp_seconds{{{CONTROLLER},cluster="kvm",host="a"}}': (
                    f"{14 * 86400 + 120}x9"
                )
            },
            3,
            'cluster="kvm",host="a"',
            1,
        )
    ],
    "HostfenceCloudUnreadable": [
        Trouble({f"hostfence_site_cloud_problem{{{CONTROLLER}}}": "1x20"}, 11, quiet_at=9),
        Trouble({f"hostfence_site_cloud_inventory_age_seconds{{{CONTROLLER}}}": "901x20"}, 11, quiet_at=9),
    ],
    "HostfenceMessagesLate": [
        Trouble({f"hostfence_site_messages_waiting_seconds{{{CONTROLLER}}}": "0+60x20"}, 11, quiet_at=10)
    ],
    "HostfenceMessagesDead": [
        Trouble({f'hostfence_site_messages_dead{{{CONTROLLER},channel="mail"}}': "1x5"}, 3, 'channel="mail"')
    ],
    "HostfenceApiFails": [
        Trouble(
            {f'{REQUESTS}{{{CONTROLLER},status="500"}}': "0x4 1x9"},
            8,
            quiet_at=3,
        )
    ],
}

WELL = {
    f"up{{{CONTROLLER}}}": "1x200",
    f"hostfence_site_controllers{{{CONTROLLER}}}": "1x200",
    f"hostfence_controller_database_up{{{CONTROLLER}}}": "1x200",
    f'hostfence_controller_ailment{{{CONTROLLER},code="starting"}}': "1x1 0x199",
    f"hostfence_controller_isolated{{{CONTROLLER}}}": "1x1 0x199",
    f'hostfence_site_held{{{CONTROLLER},reason="paused"}}': "1x200",
    f"hostfence_site_held_seconds{{{CONTROLLER}}}": "0x200",
    f"hostfence_site_late_seconds{{{CONTROLLER}}}": "0 40 0x198",
    f"hostfence_site_effects_waiting_seconds{{{CONTROLLER}}}": "0x200",
    f"hostfence_site_messages_waiting_seconds{{{CONTROLLER}}}": "0x200",
    f'hostfence_site_pauses{{{CONTROLLER},level="global",reason="startup_quiet"}}': "1x2 _x198",
    f'hostfence_site_cap_used{{{CONTROLLER},cluster="kvm"}}': "0x200",
    f'hostfence_site_cap_limit{{{CONTROLLER},cluster="kvm"}}': "3x200",
    f'hostfence_site_cap_used{{{CONTROLLER},cluster="never"}}': "0x200",
    f'hostfence_site_cap_limit{{{CONTROLLER},cluster="never"}}': "0x200",
    f"hostfence_site_global_cap_used{{{CONTROLLER}}}": "0x200",
    f"hostfence_site_global_cap_limit{{{CONTROLLER}}}": "10x200",
    f'hostfence_controller_hosts{{{CONTROLLER},cluster="kvm",readiness="blocked"}}': "0x200",
    f'hostfence_controller_power_devices{{{CONTROLLER},cluster="kvm",state="ready"}}': "8x200",
    f'hostfence_controller_agents{{{CONTROLLER},answers="no",cluster="kvm"}}': "1x4 0x196",
    f'hostfence_site_certificate_ends_timestamp_seconds{{{CONTROLLER},cluster="kvm",host="a"}}': "9e9x200",
    f"hostfence_site_cloud_problem{{{CONTROLLER}}}": "0x200",
    f"hostfence_site_cloud_inventory_age_seconds{{{CONTROLLER}}}": "60x200",
    f"hostfence_site_clock_corrections{{{CONTROLLER}}}": "7x200",
    f'hostfence_controller_steps_total{{{CONTROLLER},result="failed",state="held"}}': "0x200",
    f'hostfence_controller_transitions_total{{{CONTROLLER},to_state="fenced"}}': "0x200",
    f'{REQUESTS}{{{CONTROLLER},status="503"}}': "0+1x200",
}


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = debian_program("promtool")
    assert program is not None
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)


def test_prometheus_takes_the_rules() -> None:
    done = promtool("check", "rules", "--lint-fatal", str(RULES))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout


def test_every_alert_has_a_trouble_that_it_is_for() -> None:
    assert set(TROUBLES) == {alert["alert"] for alert in alerts()}


def test_each_alert_fires_for_its_trouble_and_not_before(tmp_path: Path) -> None:
    groups = []
    for name, troubles in TROUBLES.items():
        for trouble in troubles:
            severity = next(alert["labels"]["severity"] for alert in alerts() if alert["alert"] == name)
            fires = ",".join(
                filter(None, [f'alertname="{name}",alertstate="firing",severity="{severity}"', trouble.labels])
            )
            checks = [_asks(name, trouble.minute, [f"ALERTS{{{fires}}}"])]
            if trouble.quiet_at is not None:
                checks.append(_asks(name, trouble.quiet_at, []))
            groups.append(_group(trouble.series, checks))
    _judge(tmp_path, groups)


def test_a_well_site_alarms_nobody(tmp_path: Path) -> None:
    minutes = (0, 5, 20, 65, 150)
    _judge(tmp_path, [_group(WELL, [_asks(alert["alert"], minute, []) for alert in alerts() for minute in minutes])])


def _asks(name: str, minute: int, firing: Iterable[str]) -> dict[str, Any]:
    return {
        "expr": f'ALERTS{{alertname="{name}",alertstate="firing"}}',
        "eval_time": f"{minute}m",
        "exp_samples": [{"labels": labels, "value": 1} for labels in firing],
    }


def _group(series: dict[str, str], checks: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": checks,
    }


def _judge(folder: Path, groups: list[dict[str, Any]]) -> None:
    (folder / "rules.yml").write_text(rules_text())
    (folder / "tests.yml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": groups})
    )
    done = promtool("test", "rules", str(folder / "tests.yml"))
    assert done.returncode == 0, done.stdout + done.stderr
