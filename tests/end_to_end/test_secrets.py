"""A password in an address of the configuration is nowhere that an operator could read it."""

from pathlib import Path

import pytest

from bot.exit_code import ExitCode
from tests.end_to_end.processes import converse, write_config


@pytest.mark.parametrize(
    "sections",
    [
        {"storage": {"url": "postgresql+asyncpg://bot:sesame@127.0.0.1:1/bot"}},
        {
            "inference": {
                "url": "http://bot:sesame@127.0.0.1:1/v1",
                "request_timeout_seconds": 0.1,
            }
        },
    ],
    ids=["database", "server"],
)
async def test_an_address_that_can_not_be_reached_is_told_without_its_password(
    tmp_path: Path, sections: dict[str, dict[str, object]]
) -> None:
    pytest.importorskip("asyncpg")
    config = write_config(tmp_path, **{"inference": {"url": "http://127.0.0.1:1"}} | sections)
    bot, code = await converse(config, "Hi\n", BOT_LOG_LEVEL="debug")
    assert code != ExitCode.OK
    assert bot.err.text
    assert "sesame" not in bot.err.text + bot.out.text
