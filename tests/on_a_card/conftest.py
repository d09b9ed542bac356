import pytest

pytest.importorskip("torch")
pytest.importorskip("triton")

from tests.on_a_card.pretend import pretend


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--as",
        dest="capability",
        metavar="8.0",
        help="run the kernels of an older card on this one",
    )


def pytest_configure(config: pytest.Config) -> None:
    if capability := config.getoption("capability", None):
        major, minor = map(int, capability.split("."))
        pretend((major, minor))
