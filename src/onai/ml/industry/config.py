"""The hyperparameters, checked in one place: when a model is fitted and again when one is loaded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from onai.ml.errors import ConfigError


class ModelConfig(BaseModel):
    """What a model was trained with. Frozen; unknown names are refused. The fields are those of the classifier."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    dim: int = Field(ge=1, le=1024)
    bits: int = Field(ge=4, le=22)
    chars: tuple[int, int]
    pairs: bool
    max_chars: int = Field(ge=1)
    epochs: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0, le=10)
    dropout: float = Field(ge=0, lt=1)
    level_weight: float = Field(ge=0)
    titles: bool
    examples: int = Field(ge=0)
    seed: int = Field(ge=0)


def checked(values: Mapping[str, object]) -> ModelConfig:
    """Return the config, or raise `ConfigError` that names the first bad field."""
    try:
        # A grid search hands over NumPy scalars.
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
        return ModelConfig.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{field}: {first['msg']}", f"Got {first['input']!r}.") from None
