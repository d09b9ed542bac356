"""The page's templates, in the bot's language."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.config import Config
from bot.conversation.texts import Texts


def texts_of(config: Config) -> Texts:
    """The page's words: it speaks the language that holds where none was set."""
    return Texts(config, config.defaults.language)


def render(name: str, texts: Texts, **values: Any) -> str:
    """A page, or a part of one."""
    return _environment().get_template(name).render(t=texts, **values)


def number(value: float, texts: Texts, digits: int = 0) -> str:
    """A number as the language writes it: `1,234.5` or `1.234,5`."""
    signs = texts("number_signs")
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", signs))


PAGES = [("/", "page_overview")]
"""What the navigation leads to, and the texts that name it."""


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["number"] = number
    environment.globals["pages"] = PAGES
    return environment
