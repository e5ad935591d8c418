"""What controllers keep outside of the database, on one simulated machine: as with files, a new process reads it."""

from typing_extensions import override

from controller.db.keepsake import Keepsake
from controller.domain.restored import Remembered


class SimKeepsake(Keepsake):
    """One process's; ``folder`` is the machine's, and outlives it."""

    def __init__(self, folder: dict[str, Remembered]) -> None:
        self._folder = folder
        self._own: Remembered | None = None

    @override
    async def recall(self) -> Remembered | None:
        if self._own is None:
            self._own = self._folder.get("last")
        return self._own

    @override
    async def keep(self, remembered: Remembered) -> None:
        self._own = self._folder["last"] = remembered
