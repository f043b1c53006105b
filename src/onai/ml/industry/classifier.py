"""`IndustryClassifier`: the estimator people use. It checks input and keeps state; the work is in its neighbours."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from onai.ml.errors import ArtifactError, DataError, MLError, NotFittedError, UnknownCodeError
from onai.ml.industry import artifact, tensors
from onai.ml.industry.config import ModelConfig, checked
from onai.ml.industry.evaluation import evaluate
from onai.ml.industry.explain import Explanation, Neighbour, contributions, nearest
from onai.ml.industry.hierarchy import Hierarchy
from onai.ml.industry.inputs import codes_of, texts_of, weights_of
from onai.ml.industry.model import FloatArray, Weights, blocks
from onai.ml.industry.params import Params
from onai.ml.industry.report import EvaluationReport
from onai.ml.industry.training import EpochCallback, train
from onai.ml.taxonomy import Row, Taxonomy
from onai.ml.text import NgramHasher


class IndustryClassifier(Params):
    """Classify texts into a hierarchy of codes, with scikit-learn's conventions.

    A bag of hashed n-grams is summed into one vector and scored against every code; a code's score includes those
    of its ancestors. Labels may lie at any level. Probabilities sum to one at every level, and a parent's is the sum
    of its children's.

    Hyperparameters (stored as given, checked by `fit`):
        taxonomy: the hierarchy; None infers one from the digits of the codes.
        dim: length of a vector. bits: `2 ** bits` hash buckets; only those seen in training cost memory on disk, and
        with few of them filled an n-gram that was never seen rarely passes for one that was. chars: lengths of
        character n-grams. pairs: use pairs of neighbouring words. max_chars: how much of a text is read.
        epochs, batch_size, learning_rate (Adam, falling linearly to zero), dropout (share of n-grams left out of
        each training step), level_weight (weight of the loss at the levels above a label's own), seed.
        titles: train on the titles of the taxonomy as well, each as a text labelled with its own code.
        examples: training entries kept in the model for `explain`, chosen at random when there are more. 0 keeps
        no training text, for data that must not leave with the model.

    After `fit`: `classes_` (k,) the codes it can answer, depth first; `taxonomy_`; `history_` the loss per epoch;
    `model_id_` after `save` or `load`.
    """

    def __init__(
        self,
        *,
        taxonomy: Taxonomy | None = None,
        dim: int = 64,
        bits: int = 20,
        chars: tuple[int, int] = (3, 5),
        pairs: bool = True,
        max_chars: int = 20_000,
        epochs: int = 12,
        batch_size: int = 256,
        learning_rate: float = 0.02,
        dropout: float = 0.5,
        level_weight: float = 0.3,
        titles: bool = True,
        examples: int = 20_000,
        seed: int = 13,
    ) -> None:
        self.taxonomy = taxonomy
        self.dim = dim
        self.bits = bits
        self.chars = chars
        self.pairs = pairs
        self.max_chars = max_chars
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.dropout = dropout
        self.level_weight = level_weight
        self.titles = titles
        self.examples = examples
        self.seed = seed

    def fit(self, X: object, y: object, *, sample_weight: object = None, callback: EpochCallback | None = None) -> Self:
        """Train on `n` texts X and codes y, and return self.

        X, y: columns of n strings (list, NumPy, pandas or Arrow). sample_weight: n numbers. callback(epoch, loss)
        is called after each epoch, counted from 1, with the mean training loss in nats.
        Raises `DataError` for missing values, wrong types or unequal lengths, `UnknownCodeError` for a code outside
        the taxonomy, `ConfigError` for a bad hyperparameter. A failed `fit` leaves an earlier one as it was.
        """
        config = checked({name: value for name, value in self.get_params().items() if name != "taxonomy"})
        hasher = _hasher(config)
        texts = texts_of(X)
        if not texts:
            raise DataError("there is nothing to learn from: X has no rows", "Pass at least one text and its code.")
        codes = codes_of(y, len(texts))
        weights = weights_of(sample_weight, len(texts))
        taxonomy = self.taxonomy if self.taxonomy is not None else Taxonomy.from_codes(codes)
        hierarchy = Hierarchy.over(taxonomy, codes)

        history: list[float] = []

        def note(epoch: int, loss: float) -> None:
            history.append(loss)
            if callback is not None:
                callback(epoch, loss)

        titled = _titled(hierarchy) if config.titles else {}
        trained = train(
            hasher([*texts, *titled.values()]),
            hierarchy.nodes([*codes, *titled]),
            np.concatenate((weights, np.ones(len(titled), np.float32))),
            hierarchy,
            config,
            note,
        )
        keep = np.arange(len(texts))
        if len(keep) > config.examples:
            keep = np.sort(np.random.default_rng(config.seed).permutation(len(keep))[: config.examples])
        examples = [(texts[row], codes[row]) for row in keep.tolist()]
        self._restore(config, hierarchy, trained, examples, history)
        return self

    def predict(self, X: object, level: str | None = None) -> NDArray[np.str_]:
        """Return (n,) the most probable code of each text, at `level` (a name in `taxonomy_.levels`) or the deepest.

        Raises `NotFittedError`, or `DataError` for bad input. An empty text gets the model's prior.
        """
        codes = self.level_classes(level)
        best = [codes[p.argmax(axis=1)] for p in self._each_block(texts_of(X), level)]
        return np.concatenate(best) if best else codes[:0]

    def predict_proba(self, X: object, level: str | None = None) -> FloatArray:
        """Return (n, k) float32 probabilities; columns are `level_classes(level)`, rows sum to one."""
        parts = list(self._each_block(texts_of(X), level))
        return np.concatenate(parts) if parts else np.zeros((0, len(self.level_classes(level))), np.float32)

    def predict_top(self, X: object, k: int = 5, level: str | None = None) -> list[list[tuple[str, float]]]:
        """Return for each text the `k` most probable (code, probability), best first."""
        if k < 1:
            raise DataError(f"k must be at least 1, not {k}")
        codes = self.level_classes(level)
        found: list[list[tuple[str, float]]] = []
        for p in self._each_block(texts_of(X), level):
            order = np.argsort(-p, axis=1, kind="stable")[:, :k]
            found += [[(str(codes[at]), float(row[at])) for at in best] for row, best in zip(p, order, strict=True)]
        return found

    def level_classes(self, level: str | None = None) -> NDArray[np.str_]:
        """Return (k,) the codes that can be answered at `level`; a leaf coarser than the level stands for itself."""
        return np.array(self._fitted().level(level).codes)

    def evaluate(self, X: object, y: object) -> EvaluationReport:
        """Return accuracy per level, top 5 and log loss over n labelled texts. Labels may lie at any level."""
        hierarchy = self._fitted()
        texts = texts_of(X)
        return evaluate(hierarchy, self._each_block(texts, None), codes_of(y, len(texts)))

    def explain(self, text: str, code: str | None = None, nearest_count: int = 3) -> Explanation:
        """Say why `text` gets `code` (by default the predicted one): n-grams, words, nearest training entries.

        Raises `DataError` when `text` is not one string, `UnknownCodeError` when `code` is not in `classes_`.
        """
        if not isinstance(text, str):
            raise DataError(f"explain takes one text, not {type(text).__name__}", "Call it once for each text.")
        hierarchy = self._fitted()
        bags = self._hash([text])
        p = self._weights.probabilities(bags)[0]
        leaf = int(p.argmax()) if code is None else self._leaf(code)
        bias, ngrams, words = contributions(text, leaf, self._weights, self._hash)
        return Explanation(
            text=text,
            code=hierarchy.leaves[leaf],
            title=hierarchy.taxonomy.best_title(hierarchy.leaves[leaf]),
            probability=float(p[leaf]),
            score=bias + sum(item.contribution for item in ngrams),
            bias=bias,
            ngrams=ngrams,
            words=words,
            nearest=tuple(self._nearest(self._weights.pooled(bags)[0], nearest_count)),
        )

    def save(self, folder: str | os.PathLike[str], *, metrics: EvaluationReport | None = None) -> str:
        """Write the model to `folder` and return its id, the sha256 of its signature.

        The folder holds model.safetensors, config.json, taxonomy.json, metrics.json (the losses of training and
        `metrics` when given), examples.jsonl and signature.json. It may be new, empty or an older model.
        """
        hierarchy, w = self._fitted(), self._weights
        files = {
            "config.json": artifact.json_bytes(
                {"hyperparameters": self.config_.model_dump(mode="json"), "classes": hierarchy.leaves}
            ),
            "taxonomy.json": artifact.json_bytes(
                {
                    "name": self.taxonomy_.name,
                    "levels": self.taxonomy_.levels,
                    "rows": self.taxonomy_.rows(),
                }
            ),
            "metrics.json": artifact.json_bytes(
                {"training_loss": self.history_, "evaluation": metrics.to_dict() if metrics else None}
            ),
            "model.safetensors": tensors.dump(
                {
                    "buckets": w.buckets,
                    "vectors": w.vectors.astype(np.float16),
                    "heads": w.heads.astype(np.float16),
                    "bias": w.bias,
                }
            ),
            "examples.jsonl": b"".join(
                json.dumps({"text": text, "code": code}).encode() + b"\n" for text, code in self._examples
            ),
        }
        self.model_id_ = artifact.write(Path(folder), files)
        return self.model_id_

    @classmethod
    def load(cls, folder: str | os.PathLike[str], *, expected_id: str | None = None) -> Self:
        """Return the model saved in `folder`; its predictions equal those of the model that was saved.

        `expected_id`: refuse any other model. Raises `ArtifactError` when the folder is not a model, a file is
        missing or was changed, or the parts do not fit together. Never unpickles.
        """
        model_id, files = artifact.read(Path(folder), expected_id)
        try:
            saved = json.loads(files["config.json"])
            config = ModelConfig.model_validate_json(json.dumps(saved["hyperparameters"]))
            table = json.loads(files["taxonomy.json"])
            rows: list[Row] = [(code, parent, title) for code, parent, title in table["rows"]]
            taxonomy = Taxonomy(rows, levels=table["levels"], name=table["name"])
            hierarchy = Hierarchy.over(taxonomy, saved["classes"])
            weights = _weights(tensors.parse(files["model.safetensors"]), config, len(hierarchy.leaves))
            examples = [_example(line) for line in files.get("examples.jsonl", b"").splitlines()]
            history = [float(loss) for loss in json.loads(files["metrics.json"])["training_loss"]]
        except ArtifactError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, MLError) as error:
            raise ArtifactError(f"the parts of the model do not fit together: {error}", "Save it again.") from None
        model = cls(taxonomy=taxonomy)
        model.set_params(**config.model_dump())
        model._restore(config, hierarchy, weights, examples, history)
        model.model_id_ = model_id
        return model

    def _restore(
        self,
        config: ModelConfig,
        hierarchy: Hierarchy,
        weights: Weights,
        examples: list[tuple[str, str]],
        history: list[float],
    ) -> None:
        self.config_ = config
        self.taxonomy_ = hierarchy.taxonomy
        self.classes_ = np.array(hierarchy.leaves)
        self.history_ = history
        self._hierarchy = hierarchy
        self._weights = weights
        self._examples = examples
        self._example_vectors: FloatArray | None = None
        self._hash = _hasher(config)
        self.__dict__.pop("model_id_", None)  # an id belongs to what was saved, not to what is trained next

    def _fitted(self) -> Hierarchy:
        hierarchy: Hierarchy | None = getattr(self, "_hierarchy", None)
        if hierarchy is None:
            raise NotFittedError("the model is not trained yet", "Call fit(texts, codes) first, or load a saved model.")
        return hierarchy

    def _each_block(self, texts: list[str], level: str | None) -> Iterator[FloatArray]:
        chosen = self._fitted().level(level)
        for rows in blocks(len(texts)):
            p = self._weights.probabilities(self._hash(texts[rows]))
            yield p if len(chosen.starts) == p.shape[1] else np.add.reduceat(p, chosen.starts, axis=1)

    def _leaf(self, code: str) -> int:
        found = np.flatnonzero(self.classes_ == code)
        if not len(found):
            raise UnknownCodeError(f"the model cannot answer {code!r}", "See classes_ for the codes it can answer.")
        return int(found[0])

    def _nearest(self, vector: FloatArray, count: int) -> list[Neighbour]:
        if not self._examples or count < 1:
            return []
        if self._example_vectors is None:  # made on first use: most models only score
            self._example_vectors = self._weights.pooled(self._hash([text for text, _ in self._examples]))
        found = nearest(vector, self._example_vectors, count)
        return [Neighbour(*self._examples[row], similarity) for row, similarity in found]


def _hasher(config: ModelConfig) -> NgramHasher:
    return NgramHasher(bits=config.bits, chars=config.chars, pairs=config.pairs, max_chars=config.max_chars)


def _titled(hierarchy: Hierarchy) -> dict[str, str]:
    """Return the title of every code the model can answer or sum up to; codes without one are left out."""
    titles = {code: hierarchy.taxonomy.title(code) for code in sorted(hierarchy.place)}
    return {code: title for code, title in titles.items() if title}


def _example(line: bytes) -> tuple[str, str]:
    entry: Mapping[str, object] = json.loads(line)
    return str(entry["text"]), str(entry["code"])


def _weights(arrays: Mapping[str, tensors.Array], config: ModelConfig, leaves: int) -> Weights:
    buckets = arrays["buckets"].astype(np.int32)
    vectors, heads, bias = (arrays[name].astype(np.float32) for name in ("vectors", "heads", "bias"))
    shapes = (vectors.shape, heads.shape, bias.shape)
    if buckets.ndim != 1 or shapes != ((len(buckets), config.dim), (leaves, config.dim), (leaves,)):
        raise ValueError("the shapes of the weights do not match the config")
    if (np.diff(buckets) <= 0).any() or (len(buckets) and not 0 <= buckets[0] <= buckets[-1] < 2**config.bits):
        raise ValueError("the buckets are not sorted or out of range")
    if not all(np.isfinite(array).all() for array in (vectors, heads, bias)):
        raise ValueError("the weights are not finite")
    return Weights(buckets, vectors, heads, bias)
