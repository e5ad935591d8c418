"""``python -m tests.bench``: how fast it is on this machine, and whether that is fast enough (docs/performance.md)."""

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine

import structlog

from tests.bench import cloud, engine, power, probe, web

BENCHES: dict[str, Callable[..., Coroutine[None, None, bool]]] = {
    "cloud": cloud.run,
    "engine": engine.run,
    "power": power.run,
    "probe": probe.run,
    "web": web.run,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=sorted(BENCHES), help="this one alone")
    parser.add_argument("--quick", action="store_true", help="a first impression: too short for figures to quote")
    options = parser.parse_args()
    # Steps that fail are counted; a traceback drawn for people takes longer than hundreds of steps.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    chosen = [options.only] if options.only else list(BENCHES)
    met = [asyncio.run(BENCHES[name](quick=options.quick)) for name in chosen]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
