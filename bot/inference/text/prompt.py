"""Messages to token ids: the model's own chat template, safe against typed control tokens.

The template never sees what people typed: it gets placeholders. In what it renders, added tokens of
the tokenizer (`<|end|>`, `<think>`, …) can only be the template's own. The runs of text between
them, placeholders replaced by what was typed, are encoded by a second tokenizer that has no added
tokens. For ordinary text the ids are those of `apply_chat_template`.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from jinja2 import TemplateError
from tokenizers import Encoding, Tokenizer, pre_tokenizers

from bot.inference.grammar.grammar import Grammars
from bot.inference.text import browser
from bot.inference.text.detokenizer import Detokenizer
from bot.inference.text.placeholders import Placeholders
from bot.inference.text.tokenizer import ChatTokenizer
from bot.inference.text.turns import (
    PromptError,
    Turn,
    check,
    common_messages,
    fold_instructions,
    harmony_messages,
    texts,
    tool_definitions,
)

EFFORTS = ("low", "medium", "high")
THINK_OPEN, THINK_CLOSE = "<think>", "</think>"

LONG = 2**16
"""Characters that take noticeable time to encode."""
ORDINARY_LENGTH = 8
"""Characters of a token: more than most have, as English words have 5 with their space."""
LONGEST_MEAN_LENGTH = 16
"""Only endless repetition of the same characters has tokens of this mean length."""

_HARMONY = {"<|start|>", "<|channel|>", "<|message|>", "<|end|>"}
_HARMONY_STOPS = ("<|return|>", "<|call|>")


class PromptTooLong(PromptError):
    """Longer than the context; the text says how long, such as "more than 9 tokens"."""


class ReasoningStyle(StrEnum):
    """How a model sets its reasoning apart from its answer."""

    NONE = "none"
    HARMONY = "harmony"
    """Channels between control tokens: https://cookbook.openai.com/articles/openai-harmony"""
    THINK = "think"
    """A `<think>` … `</think>` block before the answer."""


class ToolStyle(StrEnum):
    """How a model writes its calls."""

    HARMONY = "harmony"
    """A message to the function."""
    TAGS = "tags"
    """Qwen's and Hermes': `<tool_call>{"name": …, "arguments": …}</tool_call>` in the answer."""


def _tool_style(template: str, reasoning: ReasoningStyle) -> ToolStyle | None:
    if not re.search(r"\btools\b", template):
        return None
    if reasoning is ReasoningStyle.HARMONY:
        return ToolStyle.HARMONY
    # Qwen3-Coder's calls have the tags too, and XML of their own inside.
    return ToolStyle.TAGS if "<tool_call>" in template and "<function=" not in template else None


class ChatFormat:
    """A model's tokenizer and chat template, as far as prompts and answers need them.

    `eos` holds end-of-turn ids beyond the tokenizer's own, as in `generation_config.json`.
    Raises PromptError when the tokenizer has no chat template.
    """

    reasoning: ReasoningStyle
    tools: ToolStyle | None
    """How the model calls tools; None where its template has none."""
    stop_ids: frozenset[int]
    """Tokens that end the model's turn."""

    def __init__(self, tokenizer: ChatTokenizer, eos: Iterable[int] = ()) -> None:
        if not tokenizer.chat_template:
            raise PromptError("the model has no chat template; choose one that is tuned for chat")
        self._templated = tokenizer
        self._tokenizer: Tokenizer = tokenizer.backend_tokenizer
        self._plain = _without_added_tokens(self._tokenizer)
        added = self._tokenizer.get_added_tokens_decoder()
        # Some tokenizers add runs of white space too; those control nothing.
        self._controls = {i for i, token in added.items() if re.search(r"\w", token.content)}
        tags = (THINK_OPEN, THINK_CLOSE)
        self._hidden = frozenset(
            i for i, token in added.items() if token.special and token.content not in tags
        )
        template = tokenizer.get_chat_template()
        own = tokenizer.eos_token_id
        stops = {*eos} if own is None else {*eos, own}
        if {token.content for token in added.values()} >= _HARMONY:
            self.reasoning = ReasoningStyle.HARMONY
            ids = map(self._tokenizer.token_to_id, _HARMONY_STOPS)
            stops |= {token for token in ids if token is not None}
        elif any(tag in template for tag in tags):
            self.reasoning = ReasoningStyle.THINK
        else:
            self.reasoning = ReasoningStyle.NONE
        self.stop_ids = frozenset(stops)
        self.tools = _tool_style(template, self.reasoning)
        self._has_browser = self.tools is ToolStyle.HARMONY and browser.is_known_to(template)
        self.vocabulary_size = self._tokenizer.get_vocab_size()
        self.grammars = Grammars(self._tokenizer, self.stop_ids)

    @classmethod
    def from_folder(cls, path: Path) -> Self:
        """Read `tokenizer.json`, the chat template and the end-of-turn ids of a model's folder."""
        if not (path / "tokenizer.json").is_file():
            raise PromptError(f"{path} has no tokenizer.json")
        tokenizer = ChatTokenizer.from_folder(path)
        eos: list[int] = []
        for file in (path / "generation_config.json", path / "config.json"):
            if file.is_file():
                found = json.loads(file.read_text(encoding="utf-8")).get("eos_token_id")
                eos += [found] if isinstance(found, int) else found or []
        return cls(tokenizer, eos)

    def render(
        self,
        turns: Sequence[Turn],
        effort: str | None = None,
        most: int | None = None,
        tools: Sequence[Mapping[str, Any]] = (),
    ) -> list[int]:
        """Token ids of a prompt that ends where the model's answer begins.

        `tools` have a `name`, a `description` and `parameters`, a JSON schema; those that the model
        was trained on are shown in the words that it was trained on. `effort` is low,
        medium or high, handed to the template as `reasoning_effort`; templates with a thinking
        switch get `enable_thinking`, off for low. None leaves both to the template's defaults.
        The template may show today's date, so prompts are stable within a day. Where it knows
        instructions only at the start, later system messages are joined to the first.

        Raises PromptError for an unknown role or effort, for text that is not Unicode, and for
        messages that the template refuses or would leave out; PromptTooLong, before the work of
        encoding it all, for text far over `most` tokens.
        """
        if most is not None:
            self._check_length([*texts(turns), *map(str, tools)], most)
        check(turns)
        try:
            rendered, hidden = self._render_all(turns, tools, effort)
        except PromptError:
            folded = fold_instructions(turns)
            if folded == list(turns):
                raise
            rendered, hidden = self._render_all(folded, tools, effort)

        def encode(run: str) -> list[int]:
            return self._encode_text(hidden.fill(run))

        ids: list[int] = []
        position = 0
        encoding = _encode(self._tokenizer, rendered)
        for token, (begin, end) in zip(encoding.ids, encoding.offsets, strict=True):
            if token in self._controls:
                ids += encode(rendered[position:begin])
                ids.append(token)
                position = end
        return ids + encode(rendered[position:])

    def own_tools(self, tools: Sequence[Mapping[str, Any]]) -> frozenset[str]:
        """The names of those tools that the model was trained on in a form of their own."""
        return browser.own_tools(tools) if self._has_browser else frozenset()

    def encode(self, text: str, most: int | None = None) -> list[int]:
        """Token ids of `text` as it is, behind what the tokenizer begins every text with.

        Raises PromptTooLong, before the work of encoding it all, for text far over `most` tokens.
        """
        if most is not None:
            self._check_length([text], most)
        return [*self._tokenizer.encode("").ids, *self._encode_text(text)]

    def _render_all(
        self, turns: Sequence[Turn], tools: Sequence[Mapping[str, Any]], effort: str | None
    ) -> tuple[str, Placeholders]:
        """The template's text with placeholders, and what they stand for. Raises PromptError."""
        hidden = Placeholders()
        own = self.own_tools(tools)
        if self.reasoning is ReasoningStyle.HARMONY:
            messages = harmony_messages(turns, hidden, own)
        else:
            messages = common_messages(turns, hidden)
        functions = tool_definitions([tool for tool in tools if tool["name"] not in own], hidden)
        options: dict[str, Any] = {"tools": functions} if functions else {}
        if own:
            options["builtin_tools"] = [browser.NAME]
        rendered = self._apply_template(messages, options, effort)
        if own:
            rendered = browser.as_trained(rendered)
        if left_out := hidden.left_out(rendered):
            raise PromptError(f"the model's chat template leaves out {left_out}")
        return rendered, hidden

    def opens_reasoning(self, prompt: list[int]) -> bool:
        """Whether `prompt` itself opens the `<think>` block that the model goes on in."""
        return self.reasoning is ReasoningStyle.THINK and self._tokenizer.decode(
            prompt[-16:], skip_special_tokens=False
        ).rstrip().endswith(THINK_OPEN)

    def control_ids(self, text: str) -> list[int]:
        """Token ids of `text` that we wrote ourselves: control tokens in it are control tokens."""
        return list(self._tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: list[int]) -> str:
        """The text of `ids`, control tokens included."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=False))

    def detokenizer(self) -> Detokenizer:
        """A fresh incremental detokenizer, which leaves the model's special tokens out."""
        return Detokenizer(self._tokenizer, self._hidden)

    def _check_length(self, texts: list[str], most: int) -> None:
        """Raise PromptTooLong where long text can't have as few tokens as `most`."""
        length = sum(map(len, texts))
        ordinary, longest = (max(n * most, LONG) for n in (ORDINARY_LENGTH, LONGEST_MEAN_LENGTH))
        if length > longest:
            raise PromptTooLong(f"more than {longest} characters")
        if length > ordinary:
            beginning = "\n".join(texts)[:ordinary]
            if len(_encode(self._plain, beginning).ids) > most:
                raise PromptTooLong(f"more than {most} tokens")

    def _apply_template(
        self, messages: list[dict[str, Any]], options: dict[str, Any], effort: str | None
    ) -> str:
        if effort is not None:
            if effort not in EFFORTS:
                raise PromptError(f"unknown effort; it is one of {', '.join(EFFORTS)}")
            options = options | {"reasoning_effort": effort, "enable_thinking": effort != "low"}
        try:
            return str(
                self._templated.apply_chat_template(
                    messages, tokenize=False, add_generation_prompt=True, **options
                )
            )
        except (TemplateError, TypeError) as error:
            reason = " ".join(str(error).split())
            raise PromptError(
                f"the model's chat template refuses these messages: {reason}"
            ) from error

    def _encode_text(self, text: str) -> list[int]:
        """Token ids of ordinary text, with no control token among them whatever it spells.

        Where the vocabulary itself knows a control token's text (Unigram models do), the text is
        encoded in two parts, cut inside it.
        """
        encoding = _encode(self._plain, text)
        for token, (begin, end) in zip(encoding.ids, encoding.offsets, strict=True):
            if token in self._controls and end - begin > 1:
                cut = begin + 1
                return self._encode_text(text[:cut]) + self._encode_text(text[cut:])
        return list(encoding.ids)


def _encode(tokenizer: Tokenizer, text: str) -> Encoding:
    # As a batch of one: that lets other threads run, `encode` holds them up for seconds.
    return tokenizer.encode_batch([text], add_special_tokens=False)[0]


def _without_added_tokens(tokenizer: Tokenizer) -> Tokenizer:
    """The same vocabulary and rules, for which every text is ordinary text."""
    plain = Tokenizer(tokenizer.model)
    plain.normalizer = tokenizer.normalizer
    rule = tokenizer.pre_tokenizer
    if isinstance(rule, pre_tokenizers.Metaspace) and rule.prepend_scheme == "first":
        # "First" is the start of the prompt, not of each run of text between control tokens.
        rule = pre_tokenizers.Metaspace(rule.replacement, "never", rule.split)
    plain.pre_tokenizer = rule
    return plain
