"""From a model's name to a model that can serve: files, chat format, engine."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.inference.engines import load_engine
from bot.inference.engines.base import Engine, Sampling
from bot.inference.models.catalog import fetch, recommended_sampling
from bot.inference.models.sources import Progress
from bot.inference.text.prompt import ChatFormat

if TYPE_CHECKING:
    from bot.config.schema import InferenceConfig


@dataclass(frozen=True)
class Model:
    """A loaded model. `sampling` is what its makers recommend."""

    chat_format: ChatFormat
    engine: Engine
    sampling: Sampling


def load_model(config: "InferenceConfig", progress: Progress) -> Model:
    """Fetch the configured model unless it is there, and load it.

    Raises ModelUnavailable, PromptError, EngineError.
    """
    folder = fetch(config.model, config.models_dir, progress)
    progress("loading", 0.0)
    chat_format = ChatFormat.from_folder(folder)
    engine = load_engine(
        folder,
        device=config.device,
        engine=config.engine,
        slots=config.slots,
        context=config.context_tokens,
        progress=progress,
    )
    return Model(chat_format, engine, recommended_sampling(config.model, folder))
