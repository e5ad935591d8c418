"""The process that writes this host's heartbeat on one pool, and may hang there without stopping the other pools.

A fork of the heartbeat service (:mod:`probe_agent.heartbeat`). SIGTERM is an orderly stop: the last record says
*withdrawn*, so that the silence after it is unknown to everyone (rule 3). A crash says nothing, and is silence.
"""

import logging
import signal
import time
from dataclasses import dataclass, replace

from probe_agent.blocks import write_block
from probe_agent.clock import boottime, irregular
from probe_agent.kernel import die_with_parent
from probe_agent.leftovers import Kind, carry_name
from probe_agent.pools import SeenNothingError, open_pool
from probe_agent.records import RUNNING, WITHDRAWN, Record, encode

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Where to write what, and how often."""

    root: str
    host_id: str
    boot_id: str
    version: str
    interval_s: float
    plain_folders: bool


@dataclass(slots=True)
class Writer:
    """Writes one record again and again; says a trouble once, when it begins, and once when it is over."""

    root: str
    record: Record
    plain_folders: bool
    trouble: str = ""

    def beat(self, *, state: str = RUNNING) -> None:
        """Write the next record. Never raises: the next beat may succeed."""
        self.record = replace(self.record, counter=self.record.counter + 1, state=state)
        try:
            with open_pool(self.root, plain_folders=self.plain_folders) as pool:
                write_block(pool.folder, self.record.host_id, encode(self.record))
        except SeenNothingError as error:
            self._say(error.detail)
        except OSError as error:
            self._say(error.strerror or str(error))
        else:
            self._say("")

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self.trouble:
            _log.error("no heartbeat on %s: %s", self.root, trouble)
        elif self.trouble and not trouble:
            _log.warning("heartbeat on %s is written again", self.root)
        self.trouble = trouble


def run(writer: Writer, interval_s: float) -> None:
    """Beat until SIGTERM, then withdraw."""
    next_beat = time.monotonic()
    while True:
        writer.beat()
        now = time.monotonic()
        next_beat = max(next_beat + irregular(interval_s), now)
        if signal.sigtimedwait({signal.SIGTERM}, next_beat - now) is not None:
            break
    writer.beat(state=WITHDRAWN)


def work(task: Task, *, parent_pid: int) -> None:
    """Be a writer's process. SIGTERM and SIGINT are blocked, as they are in the parent."""
    die_with_parent(parent_pid)
    carry_name(Kind.WRITER, task.root, parent_pid)
    record = Record(
        host_id=task.host_id,
        boot_id=task.boot_id,
        counter=int(boottime() * 1000),  # above all counters of an earlier process of this boot
        version=task.version,
        state=RUNNING,
    )
    run(Writer(task.root, record, task.plain_folders), task.interval_s)
