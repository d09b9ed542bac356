"""A model's tokenizer and chat template, read from its folder.

They are what transformers' PreTrainedTokenizerFast makes of the same files; importing that takes
seconds, in which nobody gets an answer.
"""

import json
from datetime import date, datetime, time
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import jinja2
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import AddedToken, Tokenizer


class ChatTokenizer:
    """A tokenizer, its special tokens by name, and its chat template; attributes as transformers'.

    `templates` are by name: "default", and perhaps "tool_use" for requests with tools.
    """

    def __init__(
        self, tokenizer: Tokenizer, special_tokens: dict[str, str], templates: dict[str, str]
    ) -> None:
        self.backend_tokenizer = tokenizer
        self.special_tokens_map = special_tokens
        self._templates = templates

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Read tokenizer.json and what belongs to it. Raises OSError and ValueError."""
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        config = _read(folder / "special_tokens_map.json") | _read(folder / "tokenizer_config.json")
        special = {
            name: value if isinstance(value, str) else value["content"]
            for name, value in config.items()
            if name.endswith("_token") and isinstance(value, (str, dict))
        }
        known = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
        for _, token in sorted(config.get("added_tokens_decoder", {}).items(), key=_by_id):
            if token["content"] not in known:
                tokenizer.add_tokens([AddedToken(**token)])
                known.add(token["content"])
        vocabulary = tokenizer.get_vocab()
        missing = [token for token in special.values() if token not in known | vocabulary.keys()]
        tokenizer.add_special_tokens([AddedToken(token, special=True) for token in missing])
        return cls(tokenizer, special, _templates(folder, config))

    @property
    def chat_template(self) -> str | None:
        return self._templates.get("default")

    @property
    def eos_token_id(self) -> int | None:
        eos = self.special_tokens_map.get("eos_token")
        return self.backend_tokenizer.token_to_id(eos) if eos else None

    def get_chat_template(self) -> str:
        return self._templates["default"]

    def apply_chat_template(
        self,
        messages: list[dict[str, Any]],
        *,
        tokenize: bool = False,
        add_generation_prompt: bool = True,
        tools: list[dict[str, Any]] | None = None,
        **options: Any,
    ) -> str:
        """The template's text for `messages`. Raises jinja2.TemplateError and TypeError."""
        name = "tool_use" if tools and "tool_use" in self._compiled else "default"
        return self._compiled[name].render(
            messages=messages,
            tools=tools,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **self.special_tokens_map,
            **options,
        )

    @cached_property
    def _compiled(self) -> dict[str, jinja2.Template]:
        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = _strftime_now
        return {
            name: environment.from_string(template) for name, template in self._templates.items()
        }


def _read(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def _by_id(entry: tuple[str, Any]) -> int:
    return int(entry[0])


def _templates(folder: Path, config: dict[str, Any]) -> dict[str, str]:
    """Templates by name, a file's before those of the configuration."""
    found = config.get("chat_template") or {}
    if isinstance(found, str):
        found = {"default": found}
    elif isinstance(found, list):
        found = {template["name"]: template["template"] for template in found}
    if (file := folder / "chat_template.jinja").is_file():
        found = found | {"default": file.read_text(encoding="utf-8")}
    for file in sorted((folder / "additional_chat_templates").glob("*.jinja")):
        found = found | {file.stem: file.read_text(encoding="utf-8")}
    return dict(found)


class _Generation(Extension):
    """`{% generation %}` marks what training looks at; here it is as if it were not there."""

    tags = {"generation"}  # noqa: RUF012  as jinja2 has it

    def parse(self, parser: Any) -> Any:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(message)


def _to_json(value: Any, **options: Any) -> str:
    """As is, where jinja2's own filter escapes for HTML."""
    return json.dumps(value, **{"ensure_ascii": False} | options)


def _strftime_now(form: str) -> str:
    # Of today, not of now: with the time of day, no prompt would begin as an earlier one did.
    return datetime.combine(date.today(), time()).strftime(form)
