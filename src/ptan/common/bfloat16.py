"""Whether a device computes in bfloat16, or PyTorch only imitates it."""

import torch

__all__ = ["computes_in_bfloat16"]


def computes_in_bfloat16(device: torch.device | str) -> bool:
    """Whether a device has instructions for bfloat16; without them it is slower than float32."""
    kind = torch.device(device).type
    if not torch.amp.is_autocast_available(kind):
        return False
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind != "cpu":
        return True
    if not hasattr(torch.cpu, "get_capabilities"):  # an older PyTorch
        return torch.cpu._is_avx512_bf16_supported()
    found = torch.cpu.get_capabilities()  # of x86 the first two, of ARM the others
    return any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))
