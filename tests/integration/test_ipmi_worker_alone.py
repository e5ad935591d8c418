"""A worker of the ipmi driver is one process with one thread: who waits reads the socket, no event can get lost."""

import asyncio
import socket
from pathlib import Path

from controller.domain.power import BmcTarget, PowerCode
from controller.power.drivers.ipmi import IpmiDriver


async def test_a_worker_that_waits_for_its_device_has_one_thread() -> None:
    driver = IpmiDriver()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.setblocking(False)
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        target = BmcTarget(driver="ipmi", address="127.0.0.1", port=port, username="admin", password="secret")
        call = asyncio.create_task(driver.status(target, deadline_s=1.5))
        async with asyncio.timeout(5):  # it has sent: whatever it starts for that is there
            await asyncio.get_running_loop().sock_recv(silent, 64)
        assert [len(list(Path(f"/proc/{worker}/task").iterdir())) for worker in _workers(driver)] == [1]
        assert (await call).code is PowerCode.NO_ANSWER
    await driver.aclose()


def _workers(driver: IpmiDriver) -> list[str]:
    assert driver._nursery is not None
    pid = driver._nursery.pid
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
