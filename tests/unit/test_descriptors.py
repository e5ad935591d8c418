"""How many files the controller may open: asked in a process of its own, since a limit once lowered stays so."""

import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]
SCRIPT = """
import resource, sys
soft, hard, needed = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from controller.descriptors import raise_limit
print(raise_limit(needed), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "needed", "may", "then"),
    [
        (256, 1024, 512, 512, 512),
        (256, 1024, 4096, 1024, 1024),
        (512, 1024, 300, 300, 512),
        (256, 256, 512, 256, 256),
    ],
    ids=["as needed", "as far as it goes", "enough already", "no further"],
)
def test_the_soft_limit_is_raised_as_far_as_needed_and_allowed(
    soft: int, hard: int, needed: int, may: int, then: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(soft), str(hard), str(needed)],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [str(may), str(then), str(hard)], done.stderr
