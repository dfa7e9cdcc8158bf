"""State trees for the tests of checkpoints, and what it means that two are equal to the bit."""

from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

NUMPY = [np.dtype(f"{order}{code}") for order in "<>" for code in
         ["i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8"]]  # fmt: skip
NUMPY += [np.dtype(code) for code in ("?", "i1", "u1")]
TORCH = [
    torch.bool, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.uint16,
    torch.uint32, torch.uint64, torch.float8_e4m3fn, torch.float8_e5m2, torch.bfloat16,
    torch.float16, torch.float32, torch.float64,
]  # fmt: skip


def assert_same(found: Any, saved: Any, path: str = "tree") -> None:
    """Equal types and values, down to the bits of nan and the sign of zero."""
    assert type(found) is type(saved), path
    if isinstance(saved, dict):
        assert list(found) == list(saved), path
        for key in saved:
            assert [type(k) for k in found] == [type(k) for k in saved]
            assert_same(found[key], saved[key], f"{path}[{key!r}]")
    elif isinstance(saved, (list, tuple)):
        assert len(found) == len(saved), path
        for i, item in enumerate(saved):
            assert_same(found[i], item, f"{path}[{i}]")
    elif isinstance(saved, torch.Tensor):
        assert (found.dtype, found.shape) == (saved.dtype, saved.shape), path
        assert found.device.type == "cpu", path
        assert bits(found) == bits(saved), path
    elif isinstance(saved, (np.ndarray, np.generic)):
        native = saved.astype(saved.dtype.newbyteorder("="))
        assert (found.dtype, found.shape) == (native.dtype, saved.shape), path
        assert found.tobytes() == native.tobytes(), path
    elif isinstance(saved, float):
        assert repr(found) == repr(saved), path
    else:
        assert found == saved, path


def bits(tensor: torch.Tensor) -> bytes:
    """The bytes of a tensor in row order."""
    storage = tensor.detach().cpu().resolve_neg().contiguous()
    return bytes(storage.clone().untyped_storage())


@st.composite
def tensors(draw: Any) -> torch.Tensor:
    dtype = draw(st.sampled_from(TORCH))
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=3)))
    numbers = st.integers(0, 1 if dtype == torch.bool else 255)
    size = int(np.prod(shape, dtype=int)) * dtype.itemsize
    content = draw(st.lists(numbers, min_size=size, max_size=size))
    tensor = torch.tensor(content, dtype=torch.uint8).view(dtype).reshape(shape)
    return tensor.transpose(0, -1) if tensor.ndim > 1 and draw(st.booleans()) else tensor


def arrays() -> st.SearchStrategy[np.ndarray]:
    shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    plain = hnp.arrays(st.sampled_from(NUMPY), shapes)
    return st.one_of(
        plain, plain.map(lambda a: a.T), plain.map(lambda a: a[..., ::-1] if a.ndim else a)
    )


def scalars() -> st.SearchStrategy[np.generic]:
    kinds = st.sampled_from([dtype for dtype in NUMPY if dtype.isnative])
    return kinds.flatmap(lambda dtype: hnp.arrays(dtype, ()).map(lambda array: array[()]))


KEYS = st.one_of(
    st.text(max_size=8),
    st.integers(),
    st.sampled_from(["$array", "$int", "$", "__metadata__", "1"]),
)
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**200), 2**200), st.text(max_size=8),
    st.floats(), st.sampled_from([float("nan"), float("-inf"), -0.0, 5e-324, 2**53, 2**53 + 1]),
    arrays(), scalars(), tensors(),
)  # fmt: skip
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
    max_leaves=12,
)
