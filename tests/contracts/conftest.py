"""The store in all its implementations, for the contract suites."""

from tests.fixtures.stores import postgres_store, store, store_url

__all__ = ["postgres_store", "store", "store_url"]
