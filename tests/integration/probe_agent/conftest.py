from tests.fixtures.agents import agents, pool
from tests.fixtures.fuse import obedient

__all__ = ["agents", "obedient", "pool"]
