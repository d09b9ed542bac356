"""The page's templates, in the bot's language."""

from functools import cache
from pathlib import Path
from typing import Any

from babel.numbers import format_decimal, format_percent
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bot.config import Config
from bot.conversation.texts import Texts


def texts_of(config: Config, platform: str = "") -> Texts:
    """The page's words: it speaks the language that holds where none was set."""
    return Texts(config, config.defaults.language, platform)


def render(template: str, texts: Texts, /, **values: Any) -> str:
    """A page, or a part of one."""
    return _environment().get_template(template).render(t=texts, **values)


def number(value: float, texts: Texts, digits: int = 0) -> str:
    """A number as the language writes it: `1,234.5` or `1.234,5`."""
    form = "#,##0" + ("." + "0" * digits if digits else "")
    return format_decimal(value, form, locale=texts.locale)


def share(value: float, texts: Texts) -> str:
    """A part of a whole as the language writes it: `50%` or `50 %`."""
    return format_percent(value, locale=texts.locale)


PAGES = [("/", "page_overview"), ("/servers", "page_servers"), ("/changes", "page_changes")]
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
