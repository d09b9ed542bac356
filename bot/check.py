"""`bot check`: whether what the configuration names can be used, one finding each."""

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.config import Config
from bot.inference.models.catalog import ModelUnavailable, is_fetched, presets


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    subject: str
    ok: bool
    detail: str


def check(config: Config) -> Iterator[Finding]:
    """Look at configuration, model, device, tokens and storage; nothing is changed or fetched."""
    where = config.path or "built-in defaults"
    personas, servers = len(config.personas), len(config.servers)
    yield Finding("configuration", True, f"{where}: {personas} personas, {servers} servers")
    if config.inference.url:
        server = re.sub("//.*@", "//***@", config.inference.url)
        yield Finding("inference", True, f"another server answers: {server}")
    else:
        yield _model(config)
        yield _device(config.inference.device)
    yield from _tokens(config)
    for key, origin in config.origins.items():
        if key not in TOKEN_FORMS:
            yield Finding(key, True, f"from {origin}")
    yield _storage(config.storage.url)


def _model(config: Config) -> Finding:
    name, folder = config.inference.model, config.inference.models_dir
    try:
        fetched = is_fetched(name, folder)
    except ModelUnavailable as error:
        return Finding("model", False, str(error))
    if fetched:
        return Finding("model", True, f"{name}, on disk")
    size = f" ({preset.size_text})" if (preset := presets().get(name)) else ""
    return Finding("model", True, f"{name}{size} is fetched at the first start; bot models fetch")


def _device(device: str) -> Finding:
    if importlib.util.find_spec("torch") is None:
        problem = (
            "torch is not installed: pip install 'gptoss-bot[inference]', or set inference.url"
        )
        return Finding("device", False, problem)
    import torch

    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return Finding("device", True, f"CPU, {torch.get_num_threads()} threads")
    if not torch.cuda.is_available():
        return Finding(
            "device", False, f"{device} is set, but torch {torch.__version__} sees no GPU"
        )
    index = torch.device("cuda" if device == "auto" else device).index or 0
    if index >= torch.cuda.device_count():
        return Finding("device", False, f"{device}: there are {torch.cuda.device_count()} GPUs")
    properties = torch.cuda.get_device_properties(index)
    memory = properties.total_memory / 2**30
    return Finding("device", True, f"{properties.name}, {memory:.0f} GiB")


TOKEN_FORMS = {
    # https://docs.discord.com/developers/reference#authentication: three base64 parts
    "discord.token": (r"[\w-]{18,}\.[\w-]{6,}\.[\w-]{25,}", "three parts joined by dots"),
    # https://docs.slack.dev/authentication/tokens
    "slack.bot_token": (r"xoxb-[\w-]+", "xoxb-…"),
    "slack.app_token": (r"xapp-[\w-]+", "xapp-…"),
    "slack.signing_secret": (r"[0-9a-f]{32}", "32 hexadecimal digits"),
}


def _tokens(config: Config) -> Iterator[Finding]:
    for key, (form, description) in TOKEN_FORMS.items():
        section, name = key.split(".")
        token = getattr(getattr(config, section), name).get_secret_value()
        source = f" (from {origin})" if (origin := config.origins.get(key)) else ""
        if not token:
            yield Finding(key, True, "not set")
        elif re.fullmatch(form, token):
            yield Finding(key, True, f"set, in the right form{source}")
        else:
            problem = f"not in the form that such tokens have: {description}{source}"
            yield Finding(key, False, problem)


def _storage(url: str) -> Finding:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.ext.asyncio import create_async_engine

    try:
        engine = create_async_engine(make_url(url))  # opens nothing yet
    except (SQLAlchemyError, ImportError) as error:
        return Finding("storage", False, f"storage.url can't be used: {error}")
    return Finding("storage", True, engine.url.render_as_string(hide_password=True))
