"""The configuration file edited while `bot chat` runs."""

from pathlib import Path
from typing import Any

from bot.exit_code import ExitCode
from bot.storage import Store
from tests.doubles.inference import ScriptedInference
from tests.end_to_end.processes import Bot, piped, write_config


async def edited(bot: Bot, config: Path, told: str, **sections: Any) -> None:
    """Write the file until the bot tells of it: it may not be watching yet at the first time."""
    while True:
        write_config(config.parent, **sections)
        try:
            await bot.err.see(told, seconds=2)
        except AssertionError:
            continue
        return


async def test_changes_hold_from_the_next_answer_on_or_say_why_they_do_not(tmp_path: Path) -> None:
    async with ScriptedInference().running() as inference:
        connection = {"url": inference.url}
        config = write_config(tmp_path, inference=connection)
        async with piped(config) as bot:

            async def system_prompt() -> str:
                bot.type("Hi\n")
                await bot.out.see("Hello there")
                return inference.prompts[-1][0]["content"]

            before = await system_prompt()
            # `bot chat` logs warnings and errors: a change that is taken over says nothing.
            riddles = {"persona": "riddles"}
            waits = '"keys": \\["inference.slots"\\].*wait for a restart'
            slots = connection | {"slots": 2}
            await edited(bot, config, waits, inference=slots, defaults=riddles)
            after = await system_prompt()
            assert (before == after, "riddles" in after) == (False, True)

            problem = r"bot\.yaml:\d+.*defaults\.persona.*ridles"
            await edited(bot, config, problem, inference=slots, defaults={"persona": "ridles"})
            assert await system_prompt() == after
            bot.process.terminate()
            assert await bot.exit_code() == ExitCode.OK
        async with Store.open(f"sqlite+aiosqlite:///{tmp_path / 'bot.db'}") as store:
            (noted,) = await store.changes.newest(10)
        found = (noted.scope, noted.name, noted.before, noted.after)
        assert found == (None, "defaults.persona", "default", "riddles")
