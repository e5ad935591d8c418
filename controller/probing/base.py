"""The port to the probe agents, in the domain's words.

Contract: every call returns within ``deadline_s`` plus one second and never raises for anything an agent or the
network did; a late, unsigned, foreign or incompatible answer is a report with ``failure`` set (rule 3), never a
silence.
"""

from dataclasses import dataclass
from typing import Protocol

from controller.domain.evidence import Report
from controller.domain.model import Host
from controller.domain.watch import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a witness is asked about one host in one round."""

    subject: Host
    paths: tuple[str, ...]
    pool_roots: tuple[str, ...]


class Probing(Protocol):
    """Talks to agents."""

    async def ask(self, witness: Host, question: Question, *, deadline_s: float) -> Report:
        """One witness's report about the subject: files, heartbeats, and whether the subject's address answers it."""
        ...

    async def watch(self, host: Host, *, deadline_s: float) -> Seen:
        """Does this host's agent answer, and what does it see of everybody's heartbeats?

        Without an answer of the agent ``reach`` tells a living kernel (accept, reset) from silence (time-out,
        unreachable).
        """
        ...
