"""Block sizes of kernels for one row: measured on an H200, chosen by a small autotune elsewhere.

Triton times the choices once for each shape and card and keeps the result beside its compiled
kernels (https://triton-lang.org/main/python-api/generated/triton.autotune.html), so that a restart
sums in the same order and gives the same tokens.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
import triton

from bot.inference.engines.gptoss.kernels.launch import capability

MEASURED = (9, 0)
"""The compute capability that the first choice of each kernel is the fastest one for.

An H100 has the H200's processor. To time kernels by themselves would mislead there: they overlap.
"""


class Blocks(triton.Config):  # type: ignore[misc]
    """A choice as Triton keeps its results by: of this card, not of all with its architecture."""

    def __str__(self) -> str:
        return f"{super().__str__()}, card: {torch.cuda.get_device_name()}"


Fit = Callable[[dict[str, int], dict[str, Any]], Blocks]


def tuned(
    choices: Sequence[dict[str, int]],
    fit: Fit,
    key: Sequence[str],
    restore: Sequence[str] = (),
) -> Callable[[Any], Any]:
    """For a kernel whose block sizes are one of `choices`, the first where that was measured.

    `fit` makes a configuration of a choice and the kernel's arguments by name. `key` are the
    arguments that another choice may be best for, `restore` the tensors that it changes in place.
    """

    def fitting(
        configs: list[triton.Config], named: dict[str, Any], **arguments: Any
    ) -> list[triton.Config]:
        wanted = configs[:1] if capability() == MEASURED else configs
        return [fit(config.kwargs, named | arguments) for config in wanted]

    decorator: Callable[[Any], Any] = triton.autotune(
        [triton.Config(dict(choice)) for choice in choices],
        key=list(key),
        restore_value=list(restore),
        prune_configs_by={"early_config_prune": fitting},
        cache_results=True,
    )
    return decorator
