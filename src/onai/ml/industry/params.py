"""The part of scikit-learn's estimator contract that tools rely on (clone, grid search), without scikit-learn."""

from __future__ import annotations

import inspect
from typing import Self

from onai.ml.errors import ConfigError


class Params:
    """`get_params` and `set_params` over the names of the constructor, which must store each under its own name."""

    @classmethod
    def _param_names(cls) -> list[str]:
        return [name for name in inspect.signature(cls.__init__).parameters if name != "self"]

    def get_params(self, deep: bool = True) -> dict[str, object]:
        """Return the hyperparameters by name. `deep` is accepted for scikit-learn; there is nothing nested."""
        return {name: getattr(self, name) for name in self._param_names()}

    def set_params(self, **params: object) -> Self:
        """Set hyperparameters by name and return self. Raises `ConfigError` for a name that does not exist."""
        names = self._param_names()
        for name in params:
            if name not in names:
                raise ConfigError(f"there is no hyperparameter {name!r}", f"There are: {', '.join(names)}.")
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        default = {name: p.default for name, p in inspect.signature(type(self).__init__).parameters.items()}
        changed = [f"{name}={value!r}" for name, value in self.get_params().items() if value != default[name]]
        return f"{type(self).__name__}({', '.join(changed)})"
