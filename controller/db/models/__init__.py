"""The tables, by subject. Importing this package knows them all (migrations compare with it)."""

from controller.db.models.access import ApiTokens, Audit, Controllers, DatabaseIdentities, TimeBase
from controller.db.models.acting import Attempts, DeviceTurns, Effects
from controller.db.models.base import Base
from controller.db.models.cloud import CloudReports
from controller.db.models.enrolment import Authorities, JoinTokens
from controller.db.models.incidents import Events, Incidents, Rounds
from controller.db.models.inventory import Clusters, Disks, Healths, Hosts, Pools, Vms
from controller.db.models.outbox import Deliveries, Notices
from controller.db.models.settings import Pauses, Settings
from controller.db.models.sign_in import Sessions, Users

__all__ = [
    "ApiTokens",
    "Attempts",
    "Audit",
    "Authorities",
    "Base",
    "CloudReports",
    "Clusters",
    "Controllers",
    "DatabaseIdentities",
    "Deliveries",
    "DeviceTurns",
    "Disks",
    "Effects",
    "Events",
    "Healths",
    "Hosts",
    "Incidents",
    "JoinTokens",
    "Notices",
    "Pauses",
    "Pools",
    "Rounds",
    "Sessions",
    "Settings",
    "TimeBase",
    "Users",
    "Vms",
]
