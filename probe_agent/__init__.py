"""The probe agent: keeps its host's heartbeat on shared storage and looks at its neighbors' traces.

It never decides anything. It answers what it saw, and says *unknown* whenever it could not see.
"""

__version__ = "0.1.0"
