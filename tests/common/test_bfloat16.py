"""Which devices compute in bfloat16."""

import pytest
import torch

from ptan.common.bfloat16 import computes_in_bfloat16


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, False),
        ({"avx512_f": True, "avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"architecture": "aarch64", "neon": True, "bf16": True}, True),
    ],
)
def test_processors_by_their_instructions(monkeypatch, found, wanted) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: found, raising=False)
    assert computes_in_bfloat16("cpu") is wanted
    assert not computes_in_bfloat16("meta")  # has no autocast


@pytest.mark.parametrize("has", [False, True])
def test_others_say_so_themselves(monkeypatch, has) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return has or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert computes_in_bfloat16("cuda:1") is has
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)  # an older PyTorch
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has, raising=False)
    assert computes_in_bfloat16(torch.device("cpu")) is has
