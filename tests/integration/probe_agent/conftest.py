from tests.fixtures.agents import agents, pool

__all__ = ["agents", "pool"]
