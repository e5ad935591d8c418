"""Who is left over from an agent that is gone: told by the parents in the processes' names."""

import subprocess
import sys

import pytest

from probe_agent.leftovers import Kind, has_name, left_over, name_of

_NURSERY = """
import os, signal, sys
from probe_agent.leftovers import Kind, carry_name, carry_nursery_name
root, as_if_of, named = sys.argv[1], sys.argv[2], sys.argv[3]
own = os.getpid()
if named == "nursery":
    carry_nursery_name(os.getppid() if as_if_of == "its parent" else 1)
ready, told = os.pipe()
child = os.fork()
if not child:
    carry_name(Kind.LOOKER, root, own)
    os.write(told, b"x")
    signal.pause()
os.read(ready, 1)
print(child, flush=True)
sys.stdin.read()
os.kill(child, signal.SIGKILL)
"""


@pytest.mark.parametrize(
    ("as_if_of", "named", "left"),
    [("its parent", "nursery", False), ("another", "nursery", True), ("another", "service", False)],
)
def test_a_looker_is_left_over_as_soon_as_its_nursery_is(as_if_of: str, named: str, *, left: bool) -> None:
    root = f"/mnt/{as_if_of}/{named}"
    command = [sys.executable, "-c", _NURSERY, root, as_if_of, named]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as nursery:
        assert nursery.stdout is not None
        looker = int(nursery.stdout.readline())
        assert left_over(Kind.LOOKER, root) == ([looker] if left else [])
        assert left_over(Kind.WRITER, root) == []
        assert has_name(looker, name_of(Kind.LOOKER, root, nursery.pid))
        assert not has_name(looker, name_of(Kind.LOOKER, root, nursery.pid + 1))
        nursery.communicate(b"")
        assert not has_name(looker, name_of(Kind.LOOKER, root, nursery.pid))
    assert left_over(Kind.LOOKER, root) == []
