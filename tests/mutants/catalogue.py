"""Every mutation, in the order of the rules they break (``docs/safety.md``)."""

from tests.mutants import acting, cloud, edges, evidence, keeping, power

RULES = range(1, 13)
LEAST = 3
"""Mutations that every rule must have."""

_PLACES = (acting, cloud, edges, evidence, keeping, power)
MUTATIONS = tuple(sorted((one for place in _PLACES for one in place.MUTATIONS), key=lambda m: m.rule))
