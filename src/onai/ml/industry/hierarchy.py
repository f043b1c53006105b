"""The taxonomy as arrays: leaves in depth-first order, so that every node is one contiguous range of leaves.

That order turns "sum the probabilities of all descendants" into one `np.add.reduceat` per level.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from onai.ml.taxonomy import Taxonomy

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Level:
    """One level of the tree above the leaves of a model.

    `codes` (k,): its nodes, in leaf order. `starts` (k,): first leaf of each node. `node_of_leaf` (leaves,):
    the node above each leaf. `parent` (k,): the node above each node in the level before (zeros at the top).
    """

    name: str
    codes: tuple[str, ...]
    starts: IntArray
    node_of_leaf: IntArray
    parent: IntArray


@dataclass(frozen=True)
class Hierarchy:
    """The part of a taxonomy that a model can answer: its leaves and everything above them.

    A leaf that is coarser than the deepest level (a division that no record refines) stands for itself at the
    levels below, so probabilities sum to one at every level.
    """

    taxonomy: Taxonomy
    leaves: tuple[str, ...]
    levels: tuple[Level, ...]

    @classmethod
    def over(cls, taxonomy: Taxonomy, labels: Iterable[str]) -> Hierarchy:
        """Return the hierarchy whose leaves are the labels that have no other label below them.

        Raises `UnknownCodeError` for a label outside the taxonomy.
        """
        seen = set(labels)
        inner = {ancestor for label in seen for ancestor in taxonomy.path(label)[:-1]}
        leaves = tuple(code for code in taxonomy if code in seen - inner)
        paths = [taxonomy.path(leaf) for leaf in leaves]
        levels: list[Level] = []
        above = np.zeros(len(leaves), np.int64)
        for depth in range(max(map(len, paths))):
            nodes = [path[min(depth, len(path) - 1)] for path in paths]
            new = np.array([at == 0 or nodes[at] != nodes[at - 1] for at in range(len(nodes))])
            starts, node_of_leaf = np.flatnonzero(new), np.cumsum(new) - 1
            codes = tuple(nodes[at] for at in starts)
            levels.append(Level(taxonomy.levels[depth], codes, starts, node_of_leaf, above[starts]))
            above = node_of_leaf
        return cls(taxonomy, leaves, tuple(levels))

    @cached_property
    def place(self) -> dict[str, tuple[int, int]]:
        """(depth, node) of every code the model can answer, at the code's own depth."""
        return {
            code: (depth, node)
            for depth, level in reversed(list(enumerate(self.levels)))
            for node, code in enumerate(level.codes)
        }

    def level(self, name: str | None) -> Level:
        """Return a level by name, the leaves for None. A level below the deepest leaf is the leaves as well."""
        if name is None:
            return self.levels[-1]
        return self.levels[min(self.taxonomy.level_index(name), len(self.levels) - 1)]

    def nodes(self, labels: list[str]) -> IntArray:
        """Return (n, levels): the node of each label at each level, -1 below the label's own level."""
        rows: dict[str, list[int]] = {}
        for label in set(labels):
            depth, node = self.place[label]
            row = [-1] * len(self.levels)
            for at in range(depth, -1, -1):
                row[at] = node
                node = int(self.levels[at].parent[node])
            rows[label] = row
        return np.array([rows[label] for label in labels], np.int64).reshape(len(labels), len(self.levels))

    def leaf_range(self, code: str) -> tuple[int, int]:
        """Return the first and past-the-last leaf under `code`."""
        depth, node = self.place[code]
        starts = self.levels[depth].starts
        end = int(starts[node + 1]) if node + 1 < len(starts) else len(self.leaves)
        return int(starts[node]), end
