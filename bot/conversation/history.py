"""From a conversation's messages to chat-template messages that fit the model's context.

The form of a turn depends only on the turns before it, so that a longer conversation begins with
the same bytes as a shorter one and the service's prefix cache hits.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from bot.conversation.events import Attachment, Message, Question

ChatMessage = dict[str, str]
"""`{"role": "system" | "user" | "assistant", "content": …}`, as chat templates take them."""

CountTokens = Callable[[list[ChatMessage]], Awaitable[int]]
"""Counts the tokens of the prompt that these messages make."""

NO_WORDS = "[a message without words]"
ABOVE = "[said in the channel before this conversation]"
ASSISTANT, SOMEBODY = "the assistant", "somebody"
"""The speaker where it is the bot; and where the name is unknown, or is the bot's."""
ABOVE_SHARE = 4
"""The part of the budget for what stands above in the channel: a quarter at most."""
NAME_LENGTH = 32
FILE_NAME_LENGTH = 100
LONGEST_TOKENS = 16
"""Characters a token, on average, that no text has which people read: English has four to five."""
COUNTED_LENGTH = 100_000
"""Characters that are counted whatever the budget is: that takes some milliseconds."""
_SPEAKER = re.compile(r"\((?=[^()\n]* says\))")
DROP_STEP = 8
"""Old turns are dropped this many at a time: the prompt's beginning then stays the same for several
turns, where dropping one each turn would empty the prefix cache every time."""


@dataclass(frozen=True)
class Prompt:
    """Chat messages within the budget, and what had to be left out for that."""

    messages: list[ChatMessage]
    cut_characters: int = 0


def chat_messages(system_prompt: str, question: Question) -> list[ChatMessage]:
    """The whole conversation, untrimmed: system prompt, then turns that alternate.

    What stands above in the channel is quoted at the head of the first turn. A person is named
    when the speaker changes, as a line of its own: the first speaker needs no name unless it is an
    app or others are quoted before, and small models copy a `Name:` before every message into
    their answers.
    """
    messages: list[ChatMessage] = []
    above = _quoted(question.above)
    speaker: str | None = "" if above else None
    for message in [*question.history, question.message]:
        content = _content(message, trusted=message.author.is_bot)
        if not content:
            continue
        if message.author.is_bot:
            _append(messages, "assistant", content)
            continue
        if message.author.id != speaker and (speaker is not None or message.author.is_app):
            content = f"{_speaker_line(message)}\n{content}"
        speaker = message.author.id
        _append(messages, "user", content)
    if not messages or messages[-1]["role"] == "assistant":
        _append(messages, "user", NO_WORDS)  # a mention and no more, say
    while messages and messages[0]["role"] == "assistant":
        del messages[0]  # many chat templates insist on a user's turn first
    if above:
        messages[0]["content"] = f"{above}\n\n{messages[0]['content']}"
    return [{"role": "system", "content": system_prompt}, *messages]


async def fitting_prompt(
    system_prompt: str, question: Question, budget: int, count: CountTokens
) -> Prompt:
    """The conversation in at most `budget` tokens.

    What stands above in the channel is left out first, then the oldest turns (`fit`). How much of
    it there is at most depends on nothing but itself, so that it stays the same from turn to turn.
    """
    if above := _newest_within(question.above, budget // ABOVE_SHARE):
        messages = chat_messages(system_prompt, replace(question, above=above))
        if await _fits(messages, budget, count):
            return Prompt(messages)
    return await fit(chat_messages(system_prompt, replace(question, above=())), budget, count)


async def fit(messages: list[ChatMessage], budget: int, count: CountTokens) -> Prompt:
    """Drop the oldest turns until the prompt has at most `budget` tokens.

    The system prompt and the newest turn always stay; where only they are too long, the end of
    the newest turn is cut and a line says so to the model.
    """
    if await _fits(messages, budget, count):
        return Prompt(messages)
    system, turns = messages[0], messages[1:]

    async def fits(dropped: int) -> bool:
        return await _fits([system, *turns[dropped:]], budget, count)

    # The borders where a user's turn comes first, so that what is left still alternates.
    borders = [i for i, turn in enumerate(turns) if i and turn["role"] == "user"]
    fitting = await _first(borders, fits)
    if fitting is None:
        newest, cut = await _cut_to_fit(system, turns[-1], budget, count)
        return Prompt([system, newest], cut_characters=cut)
    rounded = -(-fitting // DROP_STEP) * DROP_STEP
    stable = next((border for border in borders if border >= rounded), fitting)
    return Prompt([system, *turns[stable:]])


def estimate_tokens(messages: Sequence[ChatMessage]) -> int:
    """A guess for servers that don't count: 3 bytes a token and 8 tokens around each turn.

    English text has about 4 bytes a token, most other scripts less than 3.
    """
    return sum(len(m["content"].encode()) // 3 + 8 for m in messages)


async def _fits(messages: list[ChatMessage], budget: int, count: CountTokens) -> bool:
    """Whether the prompt has at most `budget` tokens; counted only where its length doesn't tell.

    A file can be megabytes of text, and counting them over and over takes seconds.
    """
    length = sum(len(m["content"]) for m in messages)
    if length > max(budget * LONGEST_TOKENS, COUNTED_LENGTH):
        return False
    return _upper_bound(messages) <= budget or await count(messages) <= budget


def _upper_bound(messages: Sequence[ChatMessage]) -> int:
    # A token stands for at least one byte; templates add a fixed part and a few tokens a turn.
    return 256 + sum(len(m["content"].encode()) + 16 for m in messages)


async def _first(borders: Sequence[int], holds: Callable[[int], Awaitable[bool]]) -> int | None:
    """The first border that holds, by bisection: every border after it holds too."""
    low, high = 0, len(borders)
    while low < high:
        middle = (low + high) // 2
        if await holds(borders[middle]):
            high = middle
        else:
            low = middle + 1
    return borders[low] if low < len(borders) else None


async def _cut_to_fit(
    system: ChatMessage, turn: ChatMessage, budget: int, count: CountTokens
) -> tuple[ChatMessage, int]:
    text = turn["content"]

    def cut(kept: int) -> ChatMessage:
        left_out = len(text) - kept
        notice = f"\n\n[The message is longer: {left_out} more characters were left out.]"
        return turn | {"content": text[:kept] + notice if left_out else text}

    async def too_long(kept: int) -> bool:
        return not await _fits([system, cut(kept)], budget, count)

    step = max(1, budget // 1000)  # closer than that isn't worth the counts
    first_too_long = await _first(range(0, len(text) + 1, step), too_long)
    # Where no border is too long, the last one isn't.
    kept = len(text) // step * step if first_too_long is None else first_too_long - step
    kept = max(kept, 0)
    return cut(kept), len(text) - kept


def _newest_within(above: Sequence[Message], tokens: int) -> Sequence[Message]:
    """As many of the newest messages as have room in so many tokens, as far as one can guess."""
    for at in range(len(above) - 1, -1, -1):
        tokens -= estimate_tokens([{"content": _content(above[at])}])
        if tokens < 0:
            return above[at + 1 :]
    return above


def _quoted(above: Sequence[Message]) -> str:
    """What stands above as one block that nothing in it can end; "" for nothing."""
    lines: list[str] = []
    speaker: str | None = None
    for message in above:
        if content := _content(message):
            heading = [] if message.author.id == speaker else [_speaker_line(message)]
            speaker = message.author.id
            lines += [*heading, *content.splitlines()]
    return "\n".join([ABOVE, *(f"> {line}".rstrip() for line in lines)]) if lines else ""


def _speaker_line(message: Message) -> str:
    if message.author.is_bot:
        return f"({ASSISTANT} says)"
    name = plain_name(message.author.name)
    return f"({SOMEBODY if name.casefold() == ASSISTANT else name} says)"


def _without_speakers(text: str) -> str:
    """The text, in which nobody can name a speaker: `(Ann says)` has a backslash."""
    return _SPEAKER.sub(r"\\\g<0>", text)


def _append(messages: list[ChatMessage], role: str, content: str) -> None:
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"] += f"\n\n{content}"
    else:
        messages.append({"role": role, "content": content})


def _content(message: Message, *, trusted: bool = False) -> str:
    """What the message says. Only the model's own turns are `trusted` to name speakers."""
    text = message.text.strip()
    said = text if trusted else _without_speakers(text)
    parts = [said, *(_shown(a) for a in message.attachments)]
    return "\n\n".join(part for part in parts if part)


def _shown(attachment: Attachment) -> str:
    """The file's text, or a line that says what it is and why it has none."""
    name = plain_name(attachment.name, FILE_NAME_LENGTH)
    note = f" ({attachment.note})" if attachment.note else ""
    if attachment.text is None:
        return f"[{attachment.kind}: {name}]{note}"
    return f"{name}{note}:\n{_fenced(attachment.text, attachment.name)}"


def _fenced(text: str, name: str) -> str:
    """A fenced block; the fence is longer than any inside it (CommonMark 4.5)."""
    longest = max((len(run) for run in re.findall(r"`{3,}", text)), default=2)
    fence = "`" * (longest + 1)
    suffix = re.search(r"\.([A-Za-z0-9]+)$", name)
    language = suffix.group(1) if suffix else ""
    body = text.rstrip("\n")
    return f"{fence}{language}\n{body}\n{fence}"


def plain_name(name: str, length: int = NAME_LENGTH) -> str:
    """A name on one line that can't close the brackets around it."""
    return " ".join(re.sub(r"[()\[\]<>|`]", " ", name).split())[:length] or SOMEBODY
