"""The result of an evaluation: one number a level, since "63 % right" means little without saying at which level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class LevelScore:
    """`accuracy`: share of the `rows` labelled at this level or below whose most probable node is the right one."""

    level: str
    rows: int
    accuracy: float


@dataclass(frozen=True)
class EvaluationReport:
    """How a model did on `rows` labelled texts. Shares are between 0 and 1.

    `levels`: coarse to fine, those with a label. `top_5`: the label is among the five most probable codes of its own
    level. `log_loss`: mean of -log P(label) in nats over the labels the model knows, None when it knows none.
    `unseen`: rows whose label the model does not know; they count as wrong at their own level.
    """

    rows: int
    levels: tuple[LevelScore, ...]
    top_5: float
    log_loss: float | None
    unseen: int

    @property
    def accuracy(self) -> Mapping[str, float]:
        """Accuracy by the name of the level."""
        return {score.level: score.accuracy for score in self.levels}

    def to_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return asdict(self) | {"levels": [asdict(score) for score in self.levels]}

    def __str__(self) -> str:
        width = max(len("level"), *(len(score.level) for score in self.levels))
        lines = [f"{'level':<{width}}  {'rows':>7}  accuracy"]
        lines += [f"{s.level:<{width}}  {s.rows:>7,}  {s.accuracy:>7.1%}" for s in self.levels]
        lines.append(f"{'top 5':<{width}}  {'':>7}  {self.top_5:>7.1%}")
        return "\n".join(lines)
