"""Runs the agent from its own folder: nothing of the system's Python is used but the standard library.

``plugins/`` is for storage probes of others: ``pip install --target /opt/hostfence-agent/plugins NAME``.
"""

import sys
from pathlib import Path

HOME = Path(__file__).resolve().parent
sys.path[:0] = [str(HOME / "lib"), str(HOME / "plugins")]
sys.dont_write_bytecode = True  # made at installation; the services may write nothing here

from probe_agent.__main__ import main  # noqa: E402 - only now it can be found

sys.exit(main())
