"""The training loop: mini-batch Adam in NumPy, short enough to read in one sitting.

The loss of a text whose label lies at depth d, with P(a) the summed probability of the leaves under node a, is

    -log P(label) - level_weight * sum over ancestors a of log P(a)

so a record known only to its division trains the division and leaves its codes free. For node a the gradient with
respect to the scores is p - p * [leaf under a] / P(a); terms of all levels share one pass from the top down.
Only vectors of n-grams in the batch are updated (lazy Adam, Kingma & Ba 2015, section 2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onai.ml.industry.config import ModelConfig
from onai.ml.industry.hierarchy import Hierarchy, IntArray
from onai.ml.industry.model import FloatArray, Weights, pool_scale, segment_sums, softmax
from onai.ml.text import Bags

EpochCallback = Callable[[int, float], None]

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.99, 1e-8
_SPREAD = 0.05  # of the first random vectors
_LEAST_BATCH, _STEPS_PER_EPOCH = 16, 24  # a few hundred rows still need some hundreds of steps


@dataclass
class _Adam:
    """Moments of one parameter array, updated whole or by row."""

    values: FloatArray
    first: FloatArray
    second: FloatArray

    @classmethod
    def of(cls, values: FloatArray) -> _Adam:
        return cls(values, np.zeros_like(values), np.zeros_like(values))

    def step(self, gradient: FloatArray, rate: float, time: int, rows: NDArray[np.int32] | None = None) -> None:
        at: NDArray[np.int32] | slice = slice(None) if rows is None else rows
        first, second = self.first[at], self.second[at]
        first += np.float32(1 - _BETA_1) * (gradient - first)
        second += np.float32(1 - _BETA_2) * (gradient * gradient - second)
        if rows is not None:  # indexing by rows made copies
            self.first[at], self.second[at] = first, second
        scale = np.sqrt(second / np.float32(1 - _BETA_2**time))
        scale += np.float32(_EPSILON)
        self.values[at] -= np.float32(rate / (1 - _BETA_1**time)) * first / scale


def train(
    bags: Bags,
    nodes: IntArray,
    sample_weight: FloatArray,
    hierarchy: Hierarchy,
    config: ModelConfig,
    callback: EpochCallback | None = None,
) -> Weights:
    """Return the weights fitted to `n` texts.

    `nodes` (n, levels): the node of each label at each level, -1 below the label. `sample_weight` (n,): mean one.
    `callback(epoch, loss)` is called after each epoch, from 1, with the mean loss per text. Equal arguments give
    equal weights: every random draw comes from `config.seed`.
    """
    random = np.random.default_rng(config.seed)
    buckets, ids = np.unique(bags.buckets, return_inverse=True)
    bags = Bags(ids.astype(np.int32), bags.offsets)
    shares = _loss_shares(nodes, config.level_weight)
    vectors = _Adam.of(_first_vectors(random, len(buckets), config.dim))
    heads = [_Adam.of(np.zeros((len(level.codes), config.dim), np.float32)) for level in hierarchy.levels]
    heads[-1].values[:] = _first_vectors(random, len(hierarchy.leaves), config.dim)
    bias = _Adam.of(np.zeros(len(hierarchy.leaves), np.float32))

    count = len(bags)
    batch = min(config.batch_size, max(_LEAST_BATCH, count // _STEPS_PER_EPOCH))
    steps = config.epochs * -(-count // batch)
    time = 0
    for epoch in range(1, config.epochs + 1):
        order = random.permutation(count)
        total = 0.0
        for begin in range(0, count, batch):
            rows = order[begin : begin + batch]
            chosen = bags.take(rows)
            grams, sizes = _drop(chosen, config.dropout, random)
            # Scaled as if nothing were dropped, or scores would be larger when scoring than they were in training.
            scale = pool_scale(np.diff(chosen.offsets))[:, None] / np.float32(1 - config.dropout)
            pooled = segment_sums(vectors.values[grams], sizes) * scale
            folded = _fold(heads, hierarchy)
            loss, slope = _loss_and_slope(
                softmax(np.asarray(pooled @ folded.T + bias.values, np.float32)),
                nodes[rows],
                shares[rows],
                sample_weight[rows],
                hierarchy,
            )
            total += loss

            rate = config.learning_rate * (1 - time / steps)
            time += 1
            to_pooled = (slope @ folded) * scale
            to_folded = slope.T @ pooled
            for head, level in zip(heads, hierarchy.levels, strict=True):
                head.step(np.add.reduceat(to_folded, level.starts, axis=0), rate, time)
            bias.step(slope.sum(axis=0), rate, time)
            if len(grams):
                used, gradient = _by_gram(grams, sizes, to_pooled)
                vectors.step(gradient, rate, time, used)
        if callback is not None:
            callback(epoch, total / count)
    # Half precision is what is saved; rounding here keeps a loaded model equal to the one just trained.
    return Weights(buckets.astype(np.int32), _half(vectors.values), _half(_fold(heads, hierarchy)), bias.values.copy())


def _loss_and_slope(
    p: FloatArray, nodes: IntArray, shares: FloatArray, weight: FloatArray, hierarchy: Hierarchy
) -> tuple[float, FloatArray]:
    """Return the summed loss of a batch and the gradient of its mean with respect to the scores (n, leaves)."""
    row = np.arange(len(p))
    loss = 0.0
    factor = np.zeros((len(p), 1), np.float32)
    for depth, level in enumerate(hierarchy.levels):
        factor = factor[:, level.parent]
        known = row[nodes[:, depth] >= 0]
        node = nodes[known, depth]
        mass = np.add.reduceat(p, level.starts, axis=1)[known, node]
        share = shares[known, depth]
        factor[known, node] += share / mass
        loss -= float((weight[known] * share * np.log(mass)).sum())
    slope = p * (shares.sum(axis=1, keepdims=True) - factor)
    slope *= weight[:, None] / np.float32(len(p))
    return loss, slope


def _loss_shares(nodes: IntArray, level_weight: float) -> FloatArray:
    """Return (n, levels): 1 at the label's own level, `level_weight` above it, 0 below."""
    own = (nodes >= 0).sum(axis=1, keepdims=True) - 1
    depth = np.arange(nodes.shape[1])
    return np.where(depth == own, 1.0, np.where(depth < own, level_weight, 0.0)).astype(np.float32)


def _drop(bags: Bags, share: float, random: np.random.Generator) -> tuple[NDArray[np.int32], IntArray]:
    """Return the n-grams left after dropping `share` of them at random, and how many each text kept."""
    sizes = np.diff(bags.offsets)
    if not share:
        return bags.buckets, sizes
    keep = random.random(len(bags.buckets), dtype=np.float32) >= share
    text = np.repeat(np.arange(len(bags)), sizes)[keep]
    return bags.buckets[keep], np.bincount(text, minlength=len(bags))


def _by_gram(grams: NDArray[np.int32], sizes: IntArray, to_pooled: FloatArray) -> tuple[NDArray[np.int32], FloatArray]:
    """Return the distinct n-grams of a batch (u,) and the summed gradient of each (u, dim)."""
    order = np.argsort(grams, kind="stable")
    ordered = grams[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    text = np.repeat(np.arange(len(sizes)), sizes)[order]
    return ordered[starts], np.add.reduceat(to_pooled[text], starts, axis=0)


def _fold(heads: list[_Adam], hierarchy: Hierarchy) -> FloatArray:
    """Return (leaves, dim): each leaf's vector plus those of its ancestors."""
    folded = np.zeros((len(hierarchy.leaves), heads[0].values.shape[1]), np.float32)
    for head, level in zip(heads, hierarchy.levels, strict=True):
        folded += head.values[level.node_of_leaf]
    return folded


def _first_vectors(random: np.random.Generator, count: int, dim: int) -> FloatArray:
    return ((random.random((count, dim), dtype=np.float32) * 2 - 1) * np.float32(_SPREAD)).astype(np.float32)


def _half(values: FloatArray) -> FloatArray:
    return values.astype(np.float16).astype(np.float32)
