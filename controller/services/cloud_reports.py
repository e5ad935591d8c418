"""The report on the last reading of the cloud: kept for all controllers, read by people."""

from dataclasses import replace
from datetime import timedelta

from controller.db.store import Clock, Store, Tx
from controller.domain.cloud import CloudReport

WRITTEN_EVERY = timedelta(seconds=30)
"""A report that says what the last one said is written this often only."""

LONGEST = 500
"""Sentences that are kept."""


async def read_report(store: Store) -> CloudReport | None:
    """The last one; None before the first reading, and where there is no cloud."""
    async with store.transaction() as tx:
        return await tx.cloud_report()


async def note_problem(store: Store, clock: Clock, problem: str) -> CloudReport:
    """The cloud could not be read: what was known of it stays."""
    async with store.transaction() as tx:
        now = await clock.now()
        known = await tx.cloud_report() or CloudReport(at=now)
        return await keep(tx, replace(known, at=now, problem=problem))


async def keep(tx: Tx, report: CloudReport) -> CloudReport:
    """Store it, unless it says what is known already."""
    known = await tx.cloud_report()
    bounded = replace(report, unmapped=_bounded(report.unmapped))
    news = known is None or replace(known, at=bounded.at, read_at=bounded.read_at) != bounded
    if news or known is None or bounded.at - known.at >= WRITTEN_EVERY:
        await tx.save_cloud_report(bounded)
    return bounded


def _bounded(sentences: tuple[str, ...]) -> tuple[str, ...]:
    if len(sentences) <= LONGEST:
        return sentences
    return (*sentences[: LONGEST - 1], f"And {len(sentences) - LONGEST + 1} more.")
