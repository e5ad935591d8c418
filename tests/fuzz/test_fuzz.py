"""The whole REST interface, fuzzed from its own description by schemathesis: a live server on a real PostgreSQL.

What it may answer is asked of every answer: no defect (500), only statuses, content types, headers and bodies that the
description has, data against the description refused, methods that are not there refused with what is, and what
`hooks.py` adds. `make fuzz` looks for longer.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.live_api import REPOSITORY, live_api

SEED = os.environ.get("HOSTFENCE_TEST_FUZZ_SEED", "1")
EXAMPLES = os.environ.get("HOSTFENCE_TEST_FUZZ_EXAMPLES", "6")
"""Drawn for each operation, after the description's boundaries, which are gone through one by one."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_interface_keeps_to_its_description(database_url: str, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    with live_api(database_url, tmp_path / "api.log") as api:
        done = subprocess.run(
            [
                *(
                    Path(sys.executable).with_name("schemathesis"),
                    "--config-file",
                    "tests/fuzz/schemathesis.toml",
                    "run",
                ),
                *(f"{api.url}/api/v1/openapi.json", "--header", f"Authorization: Bearer {api.tokens['admin']}"),
                *("--phases", "coverage,fuzzing", "--seed", SEED, "--max-examples", EXAMPLES, "--continue-on-failure"),
                *("--generation-database", "none", "--no-shrink", "--warnings", "off", "--no-color"),
                *("--report", "json", "--report-json-path", report),
            ],
            cwd=REPOSITORY,
            env=os.environ | {"HOSTFENCE_TEST_OWN_TOKEN": api.ids["admin"]},
            capture_output=True,
            text=True,
            check=False,
        )
        log = api.log.read_text()
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    assert "[error" not in log, log[-5000:]
    assert "Traceback" not in log, log[-5000:]
    told: dict[str, Any] = json.loads(report.read_text())
    operations = told["operations"]
    assert operations["tested"] == operations["total"] > 70
    assert told["complete"]
    rates = {name: _added_up(phases.values()) for name, phases in told["valid_rates"].items()}
    assert len(rates) > 70
    # Or nothing was tried: a token that is worth nothing, names that nobody has.
    assert [name for name, rate in rates.items() if not sum(rate.values())] == []
    did_something = [name for name, rate in rates.items() if rate["accepted"]]
    assert len(did_something) > 0.85 * len(rates), sorted(set(rates) - set(did_something))


def _added_up(phases: Iterable[dict[str, int]]) -> Counter[str]:
    total = Counter[str]()
    for phase in phases:
        total.update(phase)
    return total
