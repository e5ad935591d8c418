"""What a hook writes: kept as far as there is room, the rest read and dropped."""

import asyncio
import os

from controller.cloud.hook_output import KEPT, Output


async def test_only_the_first_words_are_kept() -> None:
    with Output() as output:
        end = await output.open()
        for _ in range(5):
            await asyncio.to_thread(os.write, end, b"x" * KEPT)
        output.started()
        async with asyncio.timeout(5):
            await output.ended
        assert output.text() == "x" * KEPT


async def test_what_was_never_opened_closes_too() -> None:
    with Output() as output:
        assert output.text() == ""
