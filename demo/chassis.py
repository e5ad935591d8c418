"""One demo host's BMC as a process, wired to the host's power: *off* really kills everything that runs on the host.

``python -m demo.chassis --name NAME --address ADDRESS --user USER --password-file FILE --log FILE --host-group FILE``.
Every process of a demo host is in one process group; the file holds its number, another one after each boot.
"""

import argparse
import asyncio
import contextlib
import os
import signal
from pathlib import Path

from demo.bmc import DemoBmc


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="demo.chassis", description="A demo host's BMC")
    parser.add_argument("--name", required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--user", required=True)
    parser.add_argument("--password-file", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--host-group", type=Path, required=True)
    asyncio.run(_serve(parser.parse_args()))


async def _serve(options: argparse.Namespace) -> None:
    def power(state: str) -> None:
        if state == "off":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(int(options.host_group.read_text(encoding="utf-8")), signal.SIGKILL)

    bmc = DemoBmc(
        user=options.user,
        password=options.password_file.read_text(encoding="utf-8").strip(),
        name=options.name,
        address=options.address,
        on_power=power,
        log=options.log,
    )
    await bmc.start()
    print(f"listens on {bmc.address}:{bmc.port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    main()
