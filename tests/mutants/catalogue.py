"""Every mutation, in the order of the rules they break (``docs/safety.md``)."""

from tests.mutants import acting, cloud, evidence, keeping

RULES = range(1, 13)
LEAST = 3
"""Mutations that every rule must have."""

MUTATIONS = tuple(
    sorted((*acting.MUTATIONS, *cloud.MUTATIONS, *evidence.MUTATIONS, *keeping.MUTATIONS), key=lambda m: m.rule)
)
