"""Text to numbers, one code path for notebooks, Spark and serving: a normaliser and a hasher of n-grams."""

from onai.ml.text.ngrams import Bags, NgramHasher
from onai.ml.text.normalise import normalise, normalise_all

__all__ = ["Bags", "NgramHasher", "normalise", "normalise_all"]
