"""From a model's name to a model that can serve: files, chat format, engine."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from bot.inference.engines import EngineError, load_engine
from bot.inference.engines.base import Engine, Sampling
from bot.inference.grammar.grammar import GrammarError
from bot.inference.models.catalog import fetch, find, recommended_sampling
from bot.inference.models.requirements import unmet
from bot.inference.models.sources import ModelUnavailable, Progress
from bot.inference.text.prompt import ChatFormat
from bot.inference.text.turns import PromptError

if TYPE_CHECKING:
    from bot.config import InferenceConfig


@dataclass(frozen=True)
class Model:
    """A loaded model. `sampling` is what its makers recommend.

    `card_memory` tells the bytes in use on the engine's card, and all of them; None on the CPU.
    """

    chat_format: ChatFormat
    engine: Engine
    sampling: Sampling
    card_memory: Callable[[], tuple[int, int] | None] = lambda: None


def load_model(config: "InferenceConfig", progress: Progress) -> Model:
    """Fetch the configured model unless it is there, and load it.

    What keeps it from running on this machine is said before anything is fetched. Raises
    ModelUnavailable, PromptError, EngineError.
    """
    if known := find(config.model, config.models_dir):
        Thread(target=_read_ahead, args=[known], daemon=True).start()
    if problem := unmet(config):
        raise EngineError(problem)
    folder = fetch(config.model, config.models_dir, progress)
    progress("loading", 0.0)
    reached = "loading"

    def report(stage: str, share: float) -> None:
        nonlocal reached
        reached = stage
        progress(stage, share)

    with _damage_explained(config.model, folder, lambda: reached):
        chat_format = ChatFormat.from_folder(folder)
        with suppress(GrammarError):  # told to who asks for calls or JSON
            chat_format.grammars.vocabulary  # noqa: B018  made now, while nobody waits for an answer
        engine = load_engine(
            folder,
            device=config.device,
            engine=config.engine,
            slots=config.slots,
            context=config.context_tokens,
            weights=config.weights,
            progress=report,
        )
        from bot.inference.engines.device import card_memory, find_device

        memory = partial(card_memory, find_device(config.device))
        return Model(chat_format, engine, recommended_sampling(config.model, folder), memory)


def _read_ahead(folder: Path) -> None:
    """Have the system read the weights from disk while torch is being imported."""
    if not hasattr(os, "posix_fadvise"):  # on macOS
        return
    for path in sorted(folder.glob("*.safetensors")):
        with suppress(OSError), path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)


@contextmanager
def _damage_explained(name: str, folder: Path, stage: Callable[[], str]) -> Iterator[None]:
    """Raise ModelUnavailable in place of what libraries raise for files that they can't read.

    Once the weights are loaded, the files are good: what fails while warming up is the machine's.
    """
    from safetensors import SafetensorError

    try:
        yield
    except (EngineError, PromptError):
        raise
    except Exception as error:
        unreadable = (OSError, ValueError, LookupError, TypeError, AttributeError, SafetensorError)
        if type(error) is not Exception and not isinstance(error, unreadable):  # tokenizers' is
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        if stage() == "warming up":
            raise EngineError(
                f"the model {name} was loaded, but its first step failed: {reason}; bot check says"
                " what it needs of this machine"
            ) from error
        raise ModelUnavailable(
            f"the model {name} can't be read from {folder}: {reason}; delete the folder to have it"
            " fetched again, or copy the model there again"
        ) from error
