"""One table: noun, provider name -> where it is. A provider is imported when chosen; a new one is one line here."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from onaiml_cli.core.config import nearest
from onaiml_cli.core.errors import ConfigError

PROVIDERS: Mapping[str, Mapping[str, str]] = {
    "environment": {"local": "onaiml_cli.environment.local:LocalEnvironment"},
    "workspace": {"local": "onaiml_cli.workspace.local:LocalWorkspace"},
    "spark": {"local": "onaiml_cli.spark.local:LocalSpark"},
}


def provider(noun: str, name: str) -> Any:
    """The class that serves `noun` under the name from the profile. Raises ConfigError for an unknown name."""
    known = PROVIDERS[noun]
    if name not in known:
        raise ConfigError(
            f"There is no {noun} provider `{name}`.{nearest(name, known)}",
            hint=f"{noun}.provider can be: {', '.join(sorted(known))}.",
        )
    module, _, attribute = known[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
