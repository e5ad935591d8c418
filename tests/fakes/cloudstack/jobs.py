"""Asynchronous jobs: begun at once, done some seconds later, and sometimes never heard of again."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any

from tests.fakes.cloudstack.schedule import Schedule

PENDING, DONE, FAILED = 0, 1, 2
CANCELLED = "job cancelled because of management server restart or shutdown"
_NAMES = uuid.UUID("0f3c8e3a-2c89-4b8c-8f0a-6a1d5c7e9b11")


class JobError(Exception):
    """The job's work fails with this error text."""

    def __init__(self, text: str, code: int = 530) -> None:
        super().__init__(text)
        self.text, self.code = text, code


Finish = Callable[[], Mapping[str, Any]]
"""The end of a job's work: what it changes last, and its result (`{"host": {…}}`). May raise `JobError`."""


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    id: str
    command: str
    instance_type: str
    instance_id: str
    created: datetime
    completed: datetime | None = None
    status: int = PENDING
    result: Mapping[str, Any] = field(default_factory=dict)
    stuck: bool = False
    """Its work is done but its row stays pending for ever."""

    def fail(self, text: str, code: int, at: datetime) -> None:
        self.status, self.completed = FAILED, at
        self.result = {"errorcode": code, "errortext": text}


class Jobs:
    """`seconds`: how long a job takes when its work names no time of its own."""

    def __init__(self, schedule: Schedule) -> None:
        self.seconds = 2.0
        self.all: dict[str, Job] = {}
        self._schedule = schedule
        self._numbers = count(1)
        self._stick_next: list[str] = []
        self._forget_next: list[str] = []
        self._fail_next: list[tuple[str, str]] = []
        self._break_next: list[tuple[str, str]] = []

    def stick(self, command: str) -> None:
        """The next job of `command` works but stays pending."""
        self._stick_next.append(command)

    def forget(self, command: str) -> None:
        """The next job of `command` works, but its id is unknown afterwards."""
        self._forget_next.append(command)

    def fail(self, command: str, text: str = "Resource [Host] is unreachable") -> None:
        """The next job of `command` fails and does nothing."""
        self._fail_next.append((command, text))

    def break_off(self, command: str, text: str = "Operation timed out") -> None:
        """The next job of `command` fails half-way: what it began stays begun (a machine stays Stopping)."""
        self._break_next.append((command, text))

    def submit(
        self, command: str, instance: tuple[str, str], begin: Callable[[], Finish], seconds: float | None = None
    ) -> Job:
        """`begin` may refuse (`JobError`): the job is then failed, at once."""
        job = Job(
            id=str(uuid.uuid5(_NAMES, str(next(self._numbers)))),
            command=command,
            instance_type=instance[0],
            instance_id=instance[1],
            created=self._schedule.wall(),
        )
        if command in self._forget_next:
            self._forget_next.remove(command)
        else:
            self.all[job.id] = job
        if command in self._stick_next:
            self._stick_next.remove(command)
            job.stuck = True
        planned = _taken(self._fail_next, command)
        if planned is not None:
            job.fail(planned, 530, self._schedule.wall())
            return job
        try:
            finish = begin()
        except JobError as error:
            job.fail(error.text, error.code, self._schedule.wall())
            return job
        broken = _taken(self._break_next, command)
        if broken is not None:
            finish = _failing(broken)
        self._schedule.after(self.seconds if seconds is None else seconds, lambda: self._end(job, finish))
        return job

    def cancel_all(self) -> None:
        """A management server that starts fails what it finds pending."""
        for job in self.all.values():
            if job.status == PENDING:
                job.fail(CANCELLED, 530, self._schedule.wall())

    def _end(self, job: Job, finish: Finish) -> None:
        if job.status != PENDING:
            return
        try:
            result = finish()
        except JobError as error:
            job.fail(error.text, error.code, self._schedule.wall())
            return
        if not job.stuck:
            job.status, job.completed, job.result = DONE, self._schedule.wall(), result


def _taken(plans: list[tuple[str, str]], command: str) -> str | None:
    plan = next((one for one in plans if one[0] == command), None)
    if plan is None:
        return None
    plans.remove(plan)
    return plan[1]


def _failing(text: str) -> Finish:
    def finish() -> Mapping[str, Any]:
        raise JobError(text)

    return finish
