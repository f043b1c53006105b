"""Scores predictions against labels that may lie at any level of the hierarchy."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from onai.ml.errors import DataError
from onai.ml.industry.hierarchy import Hierarchy
from onai.ml.industry.model import FloatArray
from onai.ml.industry.report import EvaluationReport, LevelScore

_TOP = 5


def evaluate(hierarchy: Hierarchy, blocks: Iterable[FloatArray], labels: list[str]) -> EvaluationReport:
    """Return the report over n labels; `blocks` yields leaf probabilities (rows, leaves) for the n texts in order.

    At each level the most probable node is compared with the label's ancestor there. A label says nothing about
    levels below its own, so it does not count there. Raises `DataError` for no rows, `UnknownCodeError` for a label
    outside the taxonomy.
    """
    if not labels:
        raise DataError("there is nothing to evaluate: X has no rows")
    paths = {label: hierarchy.taxonomy.path(label) for label in set(labels)}
    right = [0] * len(hierarchy.levels)
    counted = [0] * len(hierarchy.levels)
    top = unseen = row = 0
    losses: list[float] = []
    for p in blocks:
        by_level = [np.add.reduceat(p, level.starts, axis=1) for level in hierarchy.levels]
        best = [sums.argmax(axis=1) for sums in by_level]
        for at in range(len(p)):
            label = labels[row]
            row += 1
            for depth, code in enumerate(paths[label][: len(hierarchy.levels)]):
                counted[depth] += 1
                right[depth] += hierarchy.levels[depth].codes[best[depth][at]] == code
            if label not in hierarchy.place:
                unseen += 1
                continue
            depth, node = hierarchy.place[label]
            sums = by_level[depth][at]
            top += int((sums > sums[node]).sum() < _TOP)
            losses.append(-float(np.log(sums[node])))
    levels = tuple(
        LevelScore(level.name, count, hits / count)
        for level, count, hits in zip(hierarchy.levels, counted, right, strict=True)
        if count
    )
    log_loss = sum(losses) / len(losses) if losses else None
    return EvaluationReport(rows=row, levels=levels, top_5=top / row, log_loss=log_loss, unseen=unseen)
