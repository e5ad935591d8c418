"""A CloudStack management server for tests: its wire format, its state machines, their timing, and its bad days.

`CloudStackDouble` (server.py) is the way in; `double.site` (site.py) is what a test sets up and does things to.
"""

from tests.fakes.cloudstack.server import CloudStackDouble
from tests.fakes.cloudstack.signature import ApiKey
from tests.fakes.cloudstack.site import Site
from tests.fakes.cloudstack.trouble import Trouble

__all__ = ["ApiKey", "CloudStackDouble", "Site", "Trouble"]
