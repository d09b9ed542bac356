"""How many tokens of the model's context an answer and its prompt may have."""

from bot.config import Config, Effort

ASSUMED_CONTEXT = 8192
"""Tokens of context where the service doesn't tell."""


def answer_tokens(config: Config, effort: Effort, context: int | None) -> int:
    """Tokens that an answer may have; half of a small context stays for the conversation."""
    return min(config.efforts[effort].max_tokens, (context or ASSUMED_CONTEXT) // 2)


def prompt_tokens(config: Config, effort: Effort, context: int | None) -> int:
    """Tokens that a prompt may have: what the answer leaves of the context, or less if set so."""
    room = (context or ASSUMED_CONTEXT) - answer_tokens(config, effort, context)
    return min(room, config.conversation.max_tokens or room)
