from tests.fixtures.agent_alone import agent_alone
from tests.fixtures.agents import agents, pool
from tests.fixtures.fuse import obedient
from tests.fixtures.machine import machine

__all__ = ["agent_alone", "agents", "machine", "obedient", "pool"]
