"""Asks fence agents for their metadata, once per version of the program file."""

import os
import time
from pathlib import Path

from controller.domain.fence_agents import Agent, AgentError, parse_metadata
from controller.power.drivers.exec_run import Fate, Launch, Runs

_PATIENCE_S = 5.0

ENVIRONMENT = {"PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1"}
"""What agents need beyond a bare environment: less noise, and no cache files where they are installed."""


class AgentShelf:
    """What is known of each agent. Read again when the file changed; a failure is not kept."""

    def __init__(self) -> None:
        self._runs = Runs()
        self._known: dict[tuple[str, int, int], Agent] = {}

    async def agent(self, program: Path, *, until: float | None = None) -> Agent:
        """The metadata of one agent, within 5 s and before ``until`` (``time.monotonic``).

        Raises:
            AgentError: it can't be run or prints something else.
        """
        try:
            stat = os.stat(program)  # noqa: PTH116 - Path.stat blocks just as long, ruff knows only its name
        except OSError as error:
            raise AgentError(f"{program}: {error.strerror}") from None
        key = (str(program), stat.st_mtime_ns, stat.st_size)
        if key not in self._known:
            self._known[key] = await self._read(program, until)
        return self._known[key]

    def close(self) -> None:
        """End what still runs."""
        self._runs.kill()

    async def _read(self, program: Path, until: float | None) -> Agent:
        patience = time.monotonic() + _PATIENCE_S
        launch = Launch(argv=(str(program), "-o", "metadata"), environment=ENVIRONMENT)
        ending = await self._runs.run(launch, until=patience if until is None else min(until, patience))
        if ending.fate is not Fate.EXITED or ending.exit_code != 0 or ending.cut:
            why = f"exit code {ending.exit_code}" if ending.fate is Fate.EXITED else ending.fate.value
            raise AgentError(f"{program} -o metadata: {why}")
        try:
            return parse_metadata(ending.out)
        except AgentError as error:
            raise AgentError(f"{program}: {error}") from None
