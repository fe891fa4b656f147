"""Where the encoder runs, and in which precision."""

from __future__ import annotations

from typing import Any

import torch

from sktandem.exceptions import SourceError

__all__ = ["autocast_of", "check_device", "device_of"]


def device_of(device: Any) -> Any:
    """Return the device, "auto" being settled."""
    if not isinstance(device, str) or device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def check_device(given: Any) -> None:
    """Refuse a device that torch does not know, or cannot use here."""
    try:
        device = torch.device(device_of(given))
    except (RuntimeError, TypeError):
        raise SourceError(
            "device must be 'auto' or a device of torch, such as 'cpu' or "
            f"'cuda:0', got {given!r}."
        ) from None
    try:
        torch.empty(0, device=device).cpu()
    except (AssertionError, RuntimeError, NotImplementedError) as error:
        raise SourceError(
            f"device={given!r}, and torch cannot use it here: "
            f"{str(error).splitlines()[0]} device='auto' takes what there is."
        ) from None


def autocast_of(mixed_precision: str | None, device: Any) -> torch.dtype | None:
    """Return the type in which the encoder computes, None for its own."""
    if mixed_precision == "auto":
        on_gpu = torch.device(device).type == "cuda"
        if not on_gpu or not torch.cuda.is_bf16_supported(including_emulation=False):
            return None
    return None if mixed_precision is None else torch.bfloat16
