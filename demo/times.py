"""The demo's settings of time: short, so that people need not wait."""

from typing import Any

HEARTBEAT_S = 1

TIMES: dict[str, Any] = {
    "watch_timeout": 8,
    "grace": 2,
    "check_interval": 5,
    "additional_checks": 3,
    "min_silence": 30,
    "checking_limit": 30,
    "off_reads": 3,
    "read_spacing": 1,
    "bmc_settle": 10,
    "healthy_for": 10,
}
"""For the cluster: shorter than the defaults, all within the ranges that hostfence accepts."""

TIMES_EVERYWHERE: dict[str, Any] = {"heartbeat_interval": HEARTBEAT_S, "startup_quiet": 10, "vanish_window": 5}
