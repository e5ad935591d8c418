"""The garbage collector's share of a controller: what was made at the start stays, and is not looked through again."""

import gc


def settle() -> None:
    """Call once everything is loaded and put together.

    A full collection looks at every object there is, and nothing else of the process has its turn meanwhile. 130,000
    objects that never go away (modules, models, routes) are two thirds of what there is with 20,000 machines in memory.
    Measured on a busy machine: collections of 0.2 to 0.3 s with them; without them one took 0.07 s of CPU.
    """
    gc.collect()
    gc.freeze()
