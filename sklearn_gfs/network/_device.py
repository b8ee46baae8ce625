"""
Where networks are trained: the names that estimators take, the device that torch gives for them, and its memory.

Moving arrays there belongs in the modules that compute with them.
"""

from __future__ import annotations

from sklearn_gfs._chunks import working_memory

# Largest share of a GPU's free memory for one array.
_SHARE = 0.5

DEVICES = ("auto", "cpu", "cuda")


def find_device(device: str) -> str:
    """
    Return torch's name of the device; "auto" is the GPU where there is one.

    Raises
    ------
    ValueError
        If the device is a GPU and torch has none.
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


def room_on(device: str) -> float:
    """
    Return the largest size of an array on this device, in bytes: scikit-learn's working memory, or a share of a GPU.

    The share is of the GPU's free memory. Memory that torch has reserved and does not use is free, too.
    """
    if not device.startswith("cuda"):
        return working_memory()
    import torch

    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return _SHARE * (torch.cuda.mem_get_info(device)[0] + unused)
