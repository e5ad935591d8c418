"""What became of the last reading of the cloud."""

from sqlalchemy import CheckConstraint, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from controller.db.models.base import Base
from controller.db.types import Body
from controller.domain.cloud import CloudReport


class CloudReports(Base):
    """At most one row: see :class:`controller.domain.cloud.CloudReport`."""

    __tablename__ = "cloud_reports"
    __table_args__ = (CheckConstraint("one = 1", name="one_row"),)

    one: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    body: Mapped[CloudReport] = mapped_column(Body(CloudReport))
