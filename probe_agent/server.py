"""uvicorn's server, made to sleep: ten looks a second at whether it shall stop were half of an idle agent's work."""

import asyncio
import os
import socket

import uvicorn

_LOOK_EVERY_TICKS = 5
"""Of a tenth of a second each, as uvicorn counts them: it renews its headers at every tenth."""
_WAITING = 2048
"""Connections that the kernel answers before they are accepted. Of one more a time-out would be seen, as of a host
without power, though only the agent is slow."""


class SleepyServer(uvicorn.Server):
    """Sees half a second later that it shall stop."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # type: ignore[explicit-override]
        """Listen. asyncio accepts as many at once as it lets wait: the latter are more here."""
        await super().startup(sockets)
        for server in self.servers:
            for listening in server.sockets:
                with socket.socket(fileno=os.dup(listening.fileno())) as same:
                    same.listen(_WAITING)

    async def main_loop(self) -> None:  # type: ignore[explicit-override]  # typing has it from 3.12 on
        """Serve until told to stop."""
        tick = 0
        while not await self.on_tick(tick):
            await asyncio.sleep(_LOOK_EVERY_TICKS / 10)
            tick += _LOOK_EVERY_TICKS
