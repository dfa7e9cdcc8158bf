"""Whether a device computes in bfloat16, or only imitates it."""

import torch

__all__ = ["computes_in_bfloat16"]

_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")  # of x86 twice, of ARM twice


def computes_in_bfloat16(device: torch.device | str) -> bool:
    """Whether bfloat16 is worth while for networks on a device.

    PyTorch computes in bfloat16 on every processor. On one without instructions for it, networks
    become several times slower than in float32.
    """
    kind = torch.device(device).type
    if not torch.amp.is_autocast_available(kind):
        return False
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind != "cpu":
        return True
    if not hasattr(torch.cpu, "get_capabilities"):  # an older PyTorch
        return torch.cpu._is_avx512_bf16_supported()
    found = torch.cpu.get_capabilities()
    return any(found.get(name, False) for name in _INSTRUCTIONS)
