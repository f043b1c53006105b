"""Text to industry code: `IndustryClassifier` and what it returns."""

from onai.ml.industry.classifier import IndustryClassifier
from onai.ml.industry.explain import Contribution, Explanation, Neighbour
from onai.ml.industry.report import EvaluationReport, LevelScore

__all__ = ["Contribution", "EvaluationReport", "Explanation", "IndustryClassifier", "LevelScore", "Neighbour"]
