"""What can be checked of channels only beside what is stored: their kept secrets, and the clusters they name."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from controller.db.store import Tx
from controller.domain.channels.base import ChannelError, ChannelSettings
from controller.domain.channels.kinds import keep_secrets
from controller.domain.setting_values import SettingError
from controller.services.errors import Ambiguous, BadInput, NotFound
from controller.services.lookup import cluster_by_ref


async def settled(tx: Tx, channels: Sequence[ChannelSettings], raw: Any, old: Any) -> tuple[ChannelSettings, ...]:
    """``channels`` (read from ``raw``) as they are stored: with the ``old`` secrets, clusters by id.

    Ids, because a route that went by a name would fall silent when somebody renames the cluster. Raises
    :class:`BadInput` for a secret that is missing, and for a cluster that is not there.
    """
    try:
        complete = keep_secrets(channels, raw, old)
    except ChannelError as problem:
        raise _bad(str(problem)) from None
    return tuple([replace(one, clusters=await _ids(tx, one)) for one in complete])


async def _ids(tx: Tx, channel: ChannelSettings) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for ref in channel.clusters:
        try:
            found[(await cluster_by_ref(tx, ref)).id] = None
        except (NotFound, Ambiguous) as problem:
            raise _bad(f"channel {channel.name}: clusters: {problem}") from None
    return tuple(found)


def _bad(what: str) -> BadInput:
    problem = SettingError("channels", "", what)
    return BadInput(str(problem), code="bad_setting", field="channels", problems=[("channels", str(problem))])
