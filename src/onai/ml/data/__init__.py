"""Labelled data: where it is found, how it is split, how the official file is imported (`python -m onai.ml.data`)."""

from onai.ml.data.sources import Dataset, load_companies, load_sample, load_uksic2007
from onai.ml.data.split import Split, split_by_code

__all__ = ["Dataset", "Split", "load_companies", "load_sample", "load_uksic2007", "split_by_code"]
