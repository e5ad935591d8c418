"""What every test may use; each fixture lives with its counterpart in `tests/fixtures`."""

import pytest

pytest_plugins = ["tests.fixtures.counterparts", "tests.fixtures.postgres"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits longest begins first: the whole run lasts as long as what began last."""
    items.sort(key=lambda item: ("e2e" not in item.keywords, "slow" not in item.keywords))
