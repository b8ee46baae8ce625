"""torch tensors among arguments: told apart without importing torch, and read as NumPy's arrays; nothing else."""

from __future__ import annotations

import sys
from typing import Any


def is_tensor(value: Any) -> bool:
    """Whether the value is a torch tensor, without importing torch."""
    return "torch" in sys.modules and isinstance(value, sys.modules["torch"].Tensor)


def as_floats(name: str, tensor: Any) -> Any:
    """Return a tensor of float32 or float64, of any other real numbers as float64, where it is if there is float64."""
    tensor = _plain(name, tensor)
    if str(tensor.dtype) in ("torch.float32", "torch.float64"):
        return tensor
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def from_tensor(name: str, value: Any) -> Any:
    """Return a tensor as an array, of floats that NumPy lacks as float64; and whatever is no tensor as it is."""
    if not is_tensor(value):
        return value
    tensor = as_floats(name, value) if value.dtype.is_floating_point else _plain(name, value)
    return tensor.cpu().numpy()


def _plain(name: str, tensor: Any) -> Any:
    """Return a tensor without gradients, if it is dense."""
    if str(tensor.layout) != "torch.strided":
        raise TypeError(f"{name} is a sparse tensor; it must be dense, as to_dense() makes it")
    return tensor.detach()
