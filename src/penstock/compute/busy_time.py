"""Accelerator time of answers that overlap: at each instant it is shared equally by those being worked on."""

from __future__ import annotations

import numpy as np

from penstock.journal.segment import Column

US_PER_MS = 1_000


def busy_ms(started_us: Column, done_us: Column, accelerators: int) -> Column:
    """Accelerator-milliseconds of each answer, worked on from ``started_us`` to ``done_us``.

    A machine of ``accelerators`` that works on k answers gives each a k-th of its time. Cut at floors of the cumulative
    microseconds, so that the answers together never take more than the machine has.
    """
    edges = np.unique(np.concatenate([started_us, done_us]))
    if len(edges) < 2:
        return np.zeros(len(started_us), dtype=np.int64)
    steps = np.zeros(len(edges), dtype=np.int64)
    np.add.at(steps, np.searchsorted(edges, started_us), 1)
    np.add.at(steps, np.searchsorted(edges, done_us), -1)
    present = np.cumsum(steps)[:-1]
    each = np.diff(edges) * accelerators // np.maximum(present, 1)
    reached = np.concatenate([[0], np.cumsum(each)])
    took_us = reached[np.searchsorted(edges, done_us)] - reached[np.searchsorted(edges, started_us)]
    return np.diff(np.concatenate([[0], np.cumsum(took_us)]) // US_PER_MS)
