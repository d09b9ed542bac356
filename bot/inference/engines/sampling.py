"""Drawing the next token from logits, on the logits' own device."""

import torch
from torch import Tensor

from bot.inference.engines.base import Sampling

GREEDY_BELOW = 1e-5
"""Temperatures under this would overflow and are as good as zero."""


class Sampler:
    """The random draws of one sequence; with a seed they repeat on the same kind of device."""

    def __init__(self, sampling: Sampling, device: torch.device) -> None:
        self._sampling = sampling
        self._generator = torch.Generator(device)
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)
        self._drawn = torch.empty(0, dtype=torch.bool)

    def __call__(self, logits: Tensor) -> int:
        """The token drawn from `logits`, shape [vocabulary]."""
        if self._sampling.repetition_penalty == 1:
            return self._draw(logits)
        token = self._draw(self._penalize(logits))
        self._drawn[token] = True
        return token

    def _penalize(self, logits: Tensor) -> Tensor:
        """Make the tokens drawn so far less likely (Keskar et al. 2019, CTRL, section 4.1)."""
        if len(self._drawn) != len(logits):
            self._drawn = torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
        penalty = self._sampling.repetition_penalty
        logits = logits.float()  # 16 bits would overflow
        return torch.where(
            self._drawn, torch.where(logits > 0, logits / penalty, logits * penalty), logits
        )

    def _draw(self, logits: Tensor) -> int:
        if self._sampling.temperature < GREEDY_BELOW:
            return int(logits.argmax())
        probabilities = torch.softmax(logits.float() / self._sampling.temperature, dim=-1)
        tokens = None
        if self._sampling.top_p < 1:
            probabilities, tokens = _nucleus(probabilities, self._sampling.top_p)
        if self._sampling.min_p > 0:
            floor = self._sampling.min_p * probabilities.max()
            probabilities = torch.where(probabilities < floor, 0.0, probabilities)
        # Inverse of the cumulative distribution: one random number, no pass of noise.
        cumulative = probabilities.cumsum(-1)
        point = torch.rand(1, generator=self._generator, device=logits.device) * cumulative[-1]
        choice = torch.searchsorted(cumulative, point, right=True).clamp_(max=len(cumulative) - 1)
        return int(choice if tokens is None else tokens[choice])


def _nucleus(probabilities: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """The fewest tokens that have `top_p` together (Holtzman et al. 2019), most likely first.

    Sorting a whole vocabulary takes longer than anything else here. Tokens below half of
    (1 - top_p) / vocabulary have less than 1 - top_p together, so the nucleus is above.
    """
    floor = (1 - top_p) / (2 * len(probabilities))
    tokens = (probabilities >= floor).nonzero().squeeze(-1)
    best, order = probabilities[tokens].sort(descending=True)
    before = best.cumsum(-1) - best
    before[0] = -1.0  # the likeliest stays even at top_p 0
    return torch.where(before < top_p, best, 0.0), tokens[order]
