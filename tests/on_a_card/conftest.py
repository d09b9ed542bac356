import pytest

pytest.importorskip("torch")
pytest.importorskip("triton")

from bot.bench.older_card import run_as
from bot.inference.engines import EngineError


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--as",
        dest="capability",
        metavar="8.0",
        help="run the kernels of an older card on this one",
    )


def pytest_configure(config: pytest.Config) -> None:
    if capability := config.getoption("capability", None):
        try:
            run_as(capability)
        except EngineError as error:
            raise pytest.UsageError(str(error)) from error
