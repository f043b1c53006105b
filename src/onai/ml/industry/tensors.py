"""Arrays to bytes and back in the safetensors layout: data only, so that opening a model cannot run code.

The layout (huggingface/safetensors, "Format"): 8 bytes little-endian length of the header, a JSON header of
name -> {dtype, shape, data_offsets}, then the raw little-endian arrays. Written here because it is fifty lines and
the scorer must run where only NumPy is installed; the safetensors package reads these files as well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onai.ml.errors import ArtifactError

Array = NDArray[np.float32] | NDArray[np.float16] | NDArray[np.int32]
_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "I32": np.dtype("<i4")}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_HEADER_LIMIT = 1 << 20


def dump(arrays: Mapping[str, Array]) -> bytes:
    """Return the bytes of `arrays` (float32, float16 or int32), names in sorted order."""
    header: dict[str, object] = {}
    blocks: list[bytes] = []
    at = 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        block = array.astype(array.dtype.newbyteorder("<")).tobytes()
        header[name] = {
            "dtype": _NAMES[array.dtype.newbyteorder("<")],
            "shape": list(array.shape),
            "data_offsets": [at, at + len(block)],
        }
        blocks.append(block)
        at += len(block)
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(blocks)


def parse(data: bytes) -> dict[str, Array]:
    """Return the arrays in `data`, as copies. Raises `ArtifactError` for anything that does not add up."""
    size = int.from_bytes(data[:8], "little")
    if len(data) < 8 or size > min(_HEADER_LIMIT, len(data) - 8):
        raise ArtifactError("the weights file has no valid header")
    try:
        header = json.loads(data[8 : 8 + size])
        body = memoryview(data)[8 + size :]
        return {name: _array(entry, body) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ArtifactError(f"the weights file is damaged: {error}") from None


def _array(entry: Mapping[str, object], body: memoryview) -> Array:
    dtype, shape, offsets = _DTYPES[str(entry["dtype"])], entry["shape"], entry["data_offsets"]
    if not (isinstance(shape, list) and isinstance(offsets, list)):
        raise TypeError("shape and offsets must be lists")
    begin, end = offsets
    if not all(type(n) is int and n >= 0 for n in (*shape, begin, end)) or not begin <= end <= len(body):
        raise ValueError("an array lies outside the file")
    if math.prod(shape) * dtype.itemsize != end - begin:
        raise ValueError("a shape does not match its bytes")
    array: Array = np.frombuffer(body[begin:end], dtype=dtype).reshape(shape).copy()
    return array
