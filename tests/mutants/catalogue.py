"""Every mutation, in the order of the rules they break (``docs/safety.md``)."""

from tests.mutants import acting, cloud, evidence, keeping, power

RULES = range(1, 13)
LEAST = 3
"""Mutations that every rule must have."""

_ALL = (*acting.MUTATIONS, *cloud.MUTATIONS, *evidence.MUTATIONS, *keeping.MUTATIONS, *power.MUTATIONS)
MUTATIONS = tuple(sorted(_ALL, key=lambda m: m.rule))
