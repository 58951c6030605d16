"""What the daemon does with the store when it starts, while it is already serving."""

from __future__ import annotations

import logging
from threading import Thread

from ollapy.errors import StoreError
from ollapy.store import Store
from ollapy.units import format_bytes

logger = logging.getLogger(__name__)


def tidy(store: Store, *, prune: bool) -> None:
    """Say what keeps the store from taking models, delete what nobody needs, and read every model's header, so that the first `list` need not.

    In a thread that nobody waits for: what it does may be cut off anywhere.
    """
    Thread(target=_tidy, args=(store, prune), name="tidy", daemon=True).start()


def _tidy(store: Store, prune: bool) -> None:
    if obstacle := store.obstacle():
        cure = "set OLLAPY_MODELS to a folder of yours"
        logger.warning("no model can be stored: %s, %s", obstacle, cure)
    try:
        if prune:
            _prune(store)
        store.models()
    except StoreError as exc:
        logger.warning("store not tidied: %s", exc)


def _prune(store: Store) -> None:
    try:
        gone = store.prune()
    except (
        StoreError
    ) as exc:  # a damaged manifest, or a store that is not ours to change
        logger.warning("store not pruned: %s", exc)
    else:
        if gone:
            size = format_bytes(sum(waste.size for waste in gone))
            logger.info("store pruned freed=%s things=%d", size, len(gone))
