"""
Where networks are trained: the names that estimators take, and the device that torch gives for them.

Moving arrays there belongs in the modules that compute with them.
"""

from __future__ import annotations

DEVICES = ("auto", "cpu", "cuda")


def find_device(device: str) -> str:
    """
    Return torch's name of the device; "auto" is the GPU where there is one.

    Raises
    ------
    ValueError
        If a GPU is asked for where torch has none.
    """
    if device == "cpu":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "auto":
        return "cpu"
    built = torch.version.cuda
    reason = "it is built without CUDA" if built is None else f"it is built for CUDA {built}, but no GPU answers"
    raise ValueError(
        f"device='cuda' was asked for, but torch finds no CUDA device: {reason}. Use device='auto', which takes the "
        "processor where there is no GPU, or device='cpu'."
    )
