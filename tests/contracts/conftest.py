"""The store in all its implementations, for the contract suites."""

from tests.fixtures.stores import heard, postgres_store, store, store_url

__all__ = ["heard", "postgres_store", "store", "store_url"]
