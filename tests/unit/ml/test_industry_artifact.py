"""A saved model: the same model again, or a refusal."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onai.ml.errors import ArtifactError
from onai.ml.industry import IndustryClassifier, tensors

Rows = tuple[list[str], list[str]]


@pytest.fixture
def folder(model: IndustryClassifier, tmp_path: Path) -> Path:
    model.save(tmp_path / "model")
    return tmp_path / "model"


def _sign_again(folder: Path) -> None:
    """Make the signature match the files, as somebody would who changes a model on purpose."""
    signature = json.loads((folder / "signature.json").read_text())
    for name in signature["files"]:
        signature["files"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "signature.json").write_text(json.dumps(signature))


def test_a_loaded_model_is_the_same_model(model: IndustryClassifier, folder: Path, rows: Rows) -> None:
    loaded = IndustryClassifier.load(folder)
    np.testing.assert_array_equal(loaded.predict_proba(rows[0]), model.predict_proba(rows[0]))
    assert loaded.explain("bread") == model.explain("bread")
    assert loaded.model_id_ == model.model_id_
    assert loaded.history_ == model.history_
    assert loaded.get_params() | {"taxonomy": None} == model.get_params() | {"taxonomy": None}
    assert loaded.taxonomy_.title("F1") == "Bakers"


def test_the_folder_is_what_it_says(folder: Path) -> None:
    names = {"model.safetensors", "config.json", "taxonomy.json", "metrics.json", "examples.jsonl", "signature.json"}
    assert {file.name for file in folder.iterdir()} == names
    assert set(json.loads((folder / "signature.json").read_text())["files"]) == names - {"signature.json"}
    assert [file for file in folder.parent.iterdir() if file != folder] == []


def test_saving_twice_gives_the_same_bytes_and_id(model: IndustryClassifier, tmp_path: Path) -> None:
    first, again, other = (model.save(tmp_path / name) for name in ("a", "a", "b"))
    assert first == again == other
    loaded = IndustryClassifier.load(tmp_path / "a")
    assert loaded.save(tmp_path / "c") == first


def test_training_again_drops_the_id(small: dict[str, Any], rows: Rows, tmp_path: Path) -> None:
    model = IndustryClassifier(**small).fit(*rows)
    first = model.save(tmp_path / "m")
    model.set_params(seed=3).fit(*rows)
    assert not hasattr(model, "model_id_")
    assert model.save(tmp_path / "m") != first


def test_metrics_travel_with_the_model(model: IndustryClassifier, tmp_path: Path, rows: Rows) -> None:
    model.save(tmp_path / "m", metrics=model.evaluate(*rows))
    saved = json.loads((tmp_path / "m" / "metrics.json").read_text())
    assert saved["evaluation"]["rows"] == len(rows[0])
    assert saved["training_loss"] == model.history_


def test_no_training_text_when_none_may_be_kept(small: dict[str, Any], rows: Rows, tmp_path: Path) -> None:
    model = IndustryClassifier(**small, examples=0).fit(*rows)
    model.save(tmp_path / "m")
    everything = b"".join(file.read_bytes() for file in (tmp_path / "m").iterdir())
    assert b"sausage" not in everything
    assert IndustryClassifier.load(tmp_path / "m").explain("sausage").nearest == ()


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "taxonomy.json", "metrics.json", "examples.jsonl"]
)
def test_a_changed_file_is_refused(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ArtifactError, match=f"{name} was changed") as caught:
        IndustryClassifier.load(folder)
    assert caught.value.hint


def test_a_missing_file_is_refused(folder: Path) -> None:
    (folder / "taxonomy.json").unlink()
    with pytest.raises(ArtifactError, match=r"taxonomy\.json is missing"):
        IndustryClassifier.load(folder)


def test_the_expected_id_is_checked(folder: Path, model: IndustryClassifier) -> None:
    assert IndustryClassifier.load(folder, expected_id=model.model_id_).model_id_ == model.model_id_
    with pytest.raises(ArtifactError, match="not the expected"):
        IndustryClassifier.load(folder, expected_id="0" * 64)


def test_links_are_not_followed(folder: Path, tmp_path: Path) -> None:
    (folder / "config.json").rename(tmp_path / "elsewhere.json")
    (folder / "config.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ArtifactError, match=r"config\.json cannot be read"):
        IndustryClassifier.load(folder)


def test_a_pipe_is_refused_without_waiting(folder: Path) -> None:
    (folder / "config.json").unlink()
    os.mkfifo(folder / "config.json")
    with pytest.raises(ArtifactError, match="plain file"):
        IndustryClassifier.load(folder)


@pytest.mark.parametrize("name", ["../outside.json", "/etc/hostname", "extra.json", "model/../x"])
def test_a_signature_may_name_our_files_only(folder: Path, name: str) -> None:
    signature = json.loads((folder / "signature.json").read_text())
    signature["files"][name] = "0" * 64
    (folder / "signature.json").write_text(json.dumps(signature))
    with pytest.raises(ArtifactError, match="does not name the files"):
        IndustryClassifier.load(folder)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", '{"format": "other/9", "files": {}}', '{"format": "onaiml-industry/1", "files": 3}'],
)
def test_a_damaged_signature_is_refused(folder: Path, content: str) -> None:
    (folder / "signature.json").write_text(content)
    with pytest.raises(ArtifactError):
        IndustryClassifier.load(folder)


def _set(folder: Path, name: str, change: Callable[[Any], None]) -> None:
    value = json.loads((folder / name).read_text())
    change(value)
    (folder / name).write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("config.json", lambda v: v["classes"].pop()),
        ("config.json", lambda v: v["classes"].append("F9")),
        ("config.json", lambda v: v["hyperparameters"].update(dim=8)),
        ("config.json", lambda v: v["hyperparameters"].update(bits=4)),
        ("config.json", lambda v: v["hyperparameters"].update(surprise=1)),
        ("config.json", lambda v: v.clear()),
        ("taxonomy.json", lambda v: v["rows"].clear()),
        ("taxonomy.json", lambda v: v.update(rows=[["a"]])),
        ("metrics.json", lambda v: v.clear()),
    ],
)
def test_parts_that_do_not_fit_are_refused_even_when_signed(
    folder: Path, name: str, change: Callable[[Any], None]
) -> None:
    _set(folder, name, change)
    _sign_again(folder)
    with pytest.raises(ArtifactError, match="do not fit together"):
        IndustryClassifier.load(folder)


def test_weights_that_are_not_numbers_are_refused(folder: Path) -> None:
    arrays = tensors.parse((folder / "model.safetensors").read_bytes())
    arrays["bias"][0] = np.nan
    (folder / "model.safetensors").write_bytes(tensors.dump(arrays))
    _sign_again(folder)
    with pytest.raises(ArtifactError, match="not finite"):
        IndustryClassifier.load(folder)


def test_a_folder_with_other_files_is_left_alone(model: IndustryClassifier, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ArtifactError, match="not a model"):
        model.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_saving_to_a_file_or_below_one_is_refused(model: IndustryClassifier, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ArtifactError, match="is a file"):
        model.save(tmp_path / "file")
    with pytest.raises(ArtifactError, match="cannot write"):
        model.save(tmp_path / "file" / "below")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no model folder"):
        IndustryClassifier.load(tmp_path / "none")


def test_the_weights_file_follows_the_safetensors_layout() -> None:
    data = tensors.dump({"b": np.array([1, -2], np.int32), "a": np.array([[1.0]], np.float16)})
    size = int.from_bytes(data[:8], "little")
    assert size % 8 == 0
    assert json.loads(data[8 : 8 + size]) == {
        "a": {"dtype": "F16", "shape": [1, 1], "data_offsets": [0, 2]},
        "b": {"dtype": "I32", "shape": [2], "data_offsets": [2, 10]},
    }
    assert data[8 + size :] == bytes.fromhex("003c 01000000 feffffff")


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 400]}},
        {"a": {"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}},
        {"a": {"dtype": "O", "shape": [1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": "1", "data_offsets": [0, 4]}},
        {"a": 3},
        [],
    ],
)
def test_a_weights_file_that_does_not_add_up_is_refused(header: object) -> None:
    text = json.dumps(header).encode()
    with pytest.raises(ArtifactError, match="damaged"):
        tensors.parse(len(text).to_bytes(8, "little") + text + b"\0" * 4)


@pytest.mark.parametrize("data", [b"", b"\1", b"\xff" * 8, b"\x09" + b"\0" * 7 + b"{}"])
def test_a_weights_file_without_a_header_is_refused(data: bytes) -> None:
    with pytest.raises(ArtifactError, match="no valid header"):
        tensors.parse(data)
