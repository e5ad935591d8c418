"""The same stories on the real store: what memory forgives (encodings, transactions), PostgreSQL does not."""

import pytest

from controller.db.store import Store
from controller.db.unit_of_work import PostgresStore
from tests.fixtures.stores import postgres_store
from tests.integration.api.test_enrolment import *  # noqa: F403 - the stories are the point
from tests.integration.api.test_incidents import *  # noqa: F403
from tests.integration.api.test_inventory import *  # noqa: F403
from tests.integration.api.test_notifications import *  # noqa: F403
from tests.integration.api.test_renewal import *  # noqa: F403
from tests.integration.api.test_settings import *  # noqa: F403

__all__ = ["postgres_store"]


@pytest.fixture
def store(postgres_store: PostgresStore) -> Store:
    return postgres_store
