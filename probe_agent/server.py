"""uvicorn's server, made to sleep: ten looks a second at whether it shall stop were half of an idle agent's work."""

import asyncio

import uvicorn

_LOOK_EVERY_TICKS = 5
"""Of a tenth of a second each, as uvicorn counts them: it renews its headers at every tenth."""


class SleepyServer(uvicorn.Server):
    """Sees half a second later that it shall stop."""

    async def main_loop(self) -> None:  # type: ignore[explicit-override]  # typing has it from 3.12 on
        """Serve until told to stop."""
        tick = 0
        while not await self.on_tick(tick):
            await asyncio.sleep(_LOOK_EVERY_TICKS / 10)
            tick += _LOOK_EVERY_TICKS
