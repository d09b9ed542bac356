"""What a model may write in its turn: calls of what was offered, and answers in their form."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.inference.grammar.json_schema import rule


@dataclass(frozen=True)
class Function:
    """A function that may be called; `arguments` is the rule of its arguments.

    own: whether it is a tool that the model was trained on, to which it speaks by its name only.
    """

    name: str
    arguments: str
    own: bool = False

    @property
    def recipient(self) -> str:
        """Whom gpt-oss's messages to it name."""
        return self.name if self.own else f"functions.{self.name}"


@dataclass(frozen=True)
class Rules:
    """What a turn is held to.

    It may call `functions`, several if `parallel`, or `must_call` one. Its answer keeps to
    `answer`, a JSON schema, if there is one.
    """

    functions: Sequence[Function] = ()
    must_call: bool = False
    parallel: bool = True
    answer: dict[str, Any] | None = None

    def harmony_message(self) -> str:
        """A message of gpt-oss from its channel's name on, as a grammar.

        What is neither a call nor an answer with a form ends with its header, and is free then.
        """
        kinds = ['"analysis" <|message|>']
        if self.functions:
            kinds.append('("commentary" | "analysis") " to=" call')
        if not self.must_call:
            kinds += ['"commentary" <|message|>'] if self.functions else []
            final = "" if self.answer is None else rule(self.answer)
            kinds.append(f'"final" form <|message|> {final}')
        return _grammar(
            start=kinds,
            call=[f'"{one.recipient}" form <|message|> {one.arguments}' for one in self.functions],
            form=['(" "? <|constrain|> "json" | " json" | " code")?'],
        )

    def tagged_answer(self) -> str:
        """An answer in which calls stand between tags (see text.tagged_calls), as a grammar."""
        answer = [] if self.answer is None else [rule(self.answer)]
        if not self.functions:
            return _grammar(start=answer)
        inside = " | ".join(map(_tagged, self.functions))
        rules = {"inside": [f'"\\n"? ({inside}) "\\n"? "</tool_call>"']}
        if self.must_call or answer:
            calls = 'call ("\\n" call)*' if self.parallel else "call"
            kinds = [calls] if self.must_call else [*answer, calls]
            return _grammar(start=kinds, call=['"<tool_call>" inside'], **rules)
        # In free text, the first tag begins a call.
        rules["opening[lazy]"], rules["TEXT"] = ['TEXT "<tool_call>"'], [r"/(.|\n)*/"]
        kinds = ["(opening inside)* TEXT"] if self.parallel else ["opening inside", "TEXT"]
        return _grammar(start=kinds, **rules)


def _tagged(function: Function) -> str:
    beginning = json.dumps({"name": function.name})[:-1] + ', "arguments": '
    return f'{json.dumps(beginning)} {function.arguments} "}}"'


def _grammar(**rules: Sequence[str]) -> str:
    """A grammar of `rules`, each with its alternatives; those that have none are left out."""
    return "\n".join(f"{name}: {' | '.join(kinds)}" for name, kinds in rules.items() if kinds)
