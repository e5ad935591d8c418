"""Answering a parsed request: who is asked, by when, and the answer as bytes.

An answer is spliced from finished JSON (see :mod:`probe_agent.fragments`). Whatever did not answer in time is *unknown*
in it (rule 3), and no time of any wall clock is in it except file times (rule 12).
"""

import asyncio
import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from probe_agent import __version__
from probe_agent.fragments import unknown
from probe_agent.reach import try_all
from probe_agent.runner import Runner
from probe_agent.sampler import Sampler
from probe_agent.targets import Roots, sort_targets
from shared.enums import PROTOCOL_VERSION
from shared.protocol import (
    Health,
    PoolSight,
    ProbeRequest,
    ReachResult,
    ReachTarget,
    Request,
    WatchRequest,
)

_POOLS = TypeAdapter(list[PoolSight])
_REACH = TypeAdapter(list[ReachResult])
_ANSWER_SHARE = 0.9
"""Of the caller's patience is for looking; the rest is for the way back."""


@dataclass(frozen=True, slots=True)
class Service:
    """The agent's answers. ``trust``: what neighbors that have enrolled are asked with."""

    host_id: str
    boot_id: str
    roots: Roots
    runner: Runner
    sampler: Sampler
    trust: ssl.SSLContext | None = None

    def health(self) -> bytes:
        """The answer to ``GET /healthz``: no storage is touched for it."""
        return Health(host_id=self.host_id, boot_id=self.boot_id).model_dump_json().encode()

    async def watch(self, request: WatchRequest) -> bytes:
        """The answer to ``POST /v1/watch``, from memory."""
        begun = asyncio.get_running_loop().time()
        pools = _POOLS.dump_json(self.sampler.sights())
        return self._answer(request, begun, b'"pools":', pools)

    async def probe(self, request: ProbeRequest) -> bytes:
        """The answer to ``POST /v1/probes``."""
        begun = asyncio.get_running_loop().time()
        within_s = request.deadline_s * _ANSWER_SHARE
        readings, reach = await asyncio.gather(
            self._read(request.paths, within_s), self._reach(request.reach, within_s)
        )
        pools = [self.sampler.sight(root, request.subject_host_id) for root in request.pool_roots]
        return self._answer(
            request,
            begun,
            b'"readings":[',
            *readings,
            b'],"pools":',
            _POOLS.dump_json(pools),
            b',"reach":',
            _REACH.dump_json(reach),
        )

    async def _read(self, paths: Sequence[str], within_s: float) -> list[bytes]:
        """Pieces of the JSON array of the readings."""
        if not paths:
            return []
        targets = sort_targets(paths, self.roots.of_targets())
        if targets.all_below is not None:  # as for one pool's disks: nothing to be put back in order
            return await self.runner.read_array(targets.all_below, paths, within_s=within_s)
        lines = [""] * len(paths)
        for position, (code, detail) in targets.refused.items():
            lines[position] = unknown(paths[position], code, detail)

        async def read(root: str, positions: list[int]) -> None:
            asked = [paths[position] for position in positions]
            found = await self.runner.read(root, asked, within_s=within_s)
            for position, line in zip(positions, found, strict=True):
                lines[position] = line

        await asyncio.gather(*(read(*group) for group in targets.by_root.items()))
        return [",".join(lines).encode()]

    async def _reach(self, targets: Sequence[ReachTarget], within_s: float) -> list[ReachResult]:
        return await try_all(targets, within_s=within_s, trust=self.trust) if targets else []

    def _answer(self, request: Request, begun: float, *parts: bytes) -> bytes:
        head = {
            "protocol": PROTOCOL_VERSION,
            "nonce": request.nonce,
            "host_id": self.host_id,
            "boot_id": self.boot_id,
            "agent_version": __version__,
            "took_s": round(asyncio.get_running_loop().time() - begun, 6),
        }
        # In one go: each copy of ten thousand readings more is a fiftieth of the time of the whole answer.
        return b"".join([json.dumps(head, separators=(",", ":")).encode()[:-1], b",", *parts, b"}"])
