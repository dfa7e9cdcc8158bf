"""Whether a device computes in bfloat16, or only imitates it."""

import torch

__all__ = ["computes_in_bfloat16"]

_INSTRUCTIONS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")  # of x86 twice, of ARM twice
_QUESTIONS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


def computes_in_bfloat16(device: torch.device | str) -> bool:
    """Whether bfloat16 is worth while on a device.

    PyTorch computes in bfloat16 on every processor. On one without instructions for it, networks
    become several times slower than in float32.

    Args:
        device: Where the networks live.

    Returns:
        True for an x86 processor with AVX-512 BF16 or AMX, an ARM processor with BF16, a CUDA
        device that has it, and any other device that PyTorch's autocast knows; False elsewhere.
    """
    kind = torch.device(device).type
    if not torch.amp.is_autocast_available(kind):
        return False
    if kind == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if kind != "cpu":
        return True
    if hasattr(torch.cpu, "get_capabilities"):
        found = torch.cpu.get_capabilities()
        return any(found.get(name, False) for name in _INSTRUCTIONS)
    # An older PyTorch has single questions, and fewer of them.
    return any(hasattr(torch.cpu, name) and getattr(torch.cpu, name)() for name in _QUESTIONS)
