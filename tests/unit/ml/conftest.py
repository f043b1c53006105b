"""One small trained model for every test of the library, and the official index where this machine has it."""

from __future__ import annotations

import pytest

from onai.ml.data import Dataset, load_uksic2007
from onai.ml.errors import DataError
from onai.ml.industry import IndustryClassifier
from onai.ml.taxonomy import Taxonomy

TREE = Taxonomy(
    [
        ("F", None, "Food"),
        ("F1", "F", "Bakers"),
        ("F2", "F", "Butchers"),
        ("T", None, "Transport"),
        ("T1", "T", "Taxis"),
        ("T2", "T", "Ferries"),
    ],
    levels=("sector", "trade"),
    name="toy",
)
TRADES = {
    "F1": ("bread", "cake", "pastry", "bakery"),
    "F2": ("sausage", "meat", "bacon", "butcher"),
    "T1": ("taxi", "cab", "minicab", "chauffeur"),
    "T2": ("ferry", "boat", "harbour", "crossing"),
}
TEXTS = [f"{first} and {second}" for words in TRADES.values() for first in words for second in words]
CODES = [code for code, words in TRADES.items() for _ in range(len(words) ** 2)]


@pytest.fixture(scope="session")
def tree() -> Taxonomy:
    return TREE


@pytest.fixture(scope="session")
def rows() -> tuple[list[str], list[str]]:
    return TEXTS, CODES


@pytest.fixture(scope="session")
def small() -> dict[str, object]:
    """Settings that train in milliseconds."""
    return {"taxonomy": TREE, "dim": 16, "bits": 12, "epochs": 10}


@pytest.fixture(scope="session")
def model(small: dict[str, object]) -> IndustryClassifier:
    return IndustryClassifier(**small).fit(TEXTS, CODES)  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def index() -> Dataset:
    try:
        return load_uksic2007()
    except DataError as error:
        pytest.skip(f"needs the official index: {error.hint} Or set ONAIML_DATA_HOME to a folder with uksic2007/.")
