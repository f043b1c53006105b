"""Spark by the provider that the profile names."""

from __future__ import annotations

from onaiml_cli.core.clock import Clock
from onaiml_cli.core.config import Config
from onaiml_cli.core.project import Project
from onaiml_cli.providers import provider
from onaiml_cli.spark.base import SparkProvider


def spark_of(project: Project, config: Config, clock: Clock) -> SparkProvider:
    """The Spark of the profile. Raises ConfigError for a provider that does not exist."""
    found: SparkProvider = provider("spark", config.text("spark.provider"))(project, config, clock)
    return found


def local_spark(project: Project, config: Config, clock: Clock) -> SparkProvider:
    """The Spark of this machine, whatever the profile says: a workspace here ends it when it goes down."""
    found: SparkProvider = provider("spark", "local")(project, config, clock)
    return found
