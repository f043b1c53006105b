"""A model as a folder that can be read, compared and checked: JSON, raw arrays, and a signature over both.

There is no pickle, so opening a model from elsewhere runs no code of its author. `signature.json` holds the sha256
of every file; each file is read once and what was hashed is what is used. A signature inside the folder shows damage
and careless edits. Against someone who rewrites the signature too, keep the model id elsewhere and pass it to `load`.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from onai.ml.errors import ArtifactError

FORMAT = "onaiml-industry/1"
SIGNATURE = "signature.json"
REQUIRED = ("config.json", "metrics.json", "model.safetensors", "taxonomy.json")
OPTIONAL = ("examples.jsonl",)
_FILE_LIMIT = 2 << 30
_HINT = "Copy the folder again, or train and save the model again."


def json_bytes(value: object) -> bytes:
    """Return canonical JSON: equal values give equal bytes, so equal models give equal ids."""
    return (json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def write(folder: Path, files: Mapping[str, bytes]) -> str:
    """Write `files` and their signature to `folder` in one step and return the model id (sha256 of the signature).

    A folder that holds an earlier model is replaced; a folder with anything else in it is refused with
    `ArtifactError`. Readers never see half a model: the files appear under the name when all are on disk.
    """
    # Resolved first, so that a link to the model's folder is kept and its target is what is replaced.
    folder = folder.expanduser().resolve()
    if folder.exists() and not folder.is_dir():
        raise ArtifactError(f"{folder} is a file, not a folder", "Give another folder.")
    if folder.exists() and any(folder.iterdir()) and not (folder / SIGNATURE).is_file():
        raise ArtifactError(f"{folder} holds files that are not a model", "Give an empty or a new folder.")
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    signature = json_bytes({"format": FORMAT, "files": sums})
    try:
        _place(folder, {**files, SIGNATURE: signature})
    except OSError as error:
        raise ArtifactError(f"cannot write {folder}: {error.strerror}", "Give a folder you may write to.") from None
    return hashlib.sha256(signature).hexdigest()


def _place(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files beside the folder, then swap it in."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        fresh, stale = Path(scratch) / "fresh", Path(scratch) / "stale"
        fresh.mkdir()
        for name, data in files.items():
            with open(fresh / name, "wb") as target:
                target.write(data)
                target.flush()
                os.fsync(target.fileno())
        if folder.exists():
            folder.rename(stale)
        try:
            fresh.rename(folder)
        except OSError:
            if stale.exists():  # or it would go with the scratch folder
                stale.rename(folder)
            raise


def read(folder: Path, expected_id: str | None = None) -> tuple[str, dict[str, bytes]]:
    """Return the model id and the content of every signed file of `folder`.

    Raises `ArtifactError` when the folder is not a model, a file is missing, changed, a link or not one of ours,
    or the id differs from `expected_id`. Files that the signature does not name are never read.
    """
    if not folder.is_dir():
        raise ArtifactError(f"there is no model folder {folder}", "Check the path, or train and save a model first.")
    raw = _content(folder / SIGNATURE)
    model_id = hashlib.sha256(raw).hexdigest()
    if expected_id is not None and expected_id != model_id:
        raise ArtifactError(f"the model is {model_id[:12]}, not the expected {expected_id[:12]}", _HINT)
    sums = _sums(raw)
    files: dict[str, bytes] = {}
    for name in sorted(sums):
        data = _content(folder / name)
        if hashlib.sha256(data).hexdigest() != sums[name]:
            raise ArtifactError(f"{name} was changed after the model was saved", _HINT)
        files[name] = data
    return model_id, files


def _sums(raw: bytes) -> dict[str, str]:
    try:
        signature = json.loads(raw)
        form, sums = signature["format"], signature["files"]
        names = set(sums)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ArtifactError(f"{SIGNATURE} is damaged", _HINT) from None
    if form != FORMAT:
        raise ArtifactError(f"the model has the format {form!r}, this version reads {FORMAT!r}", "Update onaiml.")
    # Only our own fixed names are opened, so no name can lead out of the folder.
    if not isinstance(sums, dict) or not set(REQUIRED) <= names <= {*REQUIRED, *OPTIONAL}:
        raise ArtifactError(f"{SIGNATURE} does not name the files of a model", _HINT)
    return sums


def _content(path: Path) -> bytes:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as source:
            state = os.fstat(source.fileno())
            if not stat.S_ISREG(state.st_mode) or state.st_size > _FILE_LIMIT:
                raise ArtifactError(f"{path.name} is not a plain file of at most 2 GiB", _HINT)
            return source.read()
    except OSError as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"cannot be read ({error.strerror})"
        raise ArtifactError(f"{path.name} {reason}", _HINT) from None
