"""What the documentation says of commands and personas is so."""

import re
from pathlib import Path

import pytest
import yaml

from bot.config import Config
from bot.conversation.commands import COMMANDS
from tests.conversation.conftest import Chat

DOCS = Path(__file__).parents[2] / "docs"
COMMANDS_PAGE = (DOCS / "commands.md").read_text(encoding="utf-8")
PERSONAS_PAGE = (DOCS / "personas.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```yaml\n# config/(\S+)\n(.*?)^```", PERSONAS_PAGE, re.M | re.S)


def shown(usage: str) -> str:
    """`/effort <level> [scope]` as the page has it: `/effort LEVEL [SCOPE]`."""
    usage = re.sub(r"[<\[]\w+[>\]]", lambda option: option[0].upper(), usage)
    return usage.replace("<TEXT>", "PROMPT").replace("<", "").replace(">", "")


def test_the_page_of_commands_has_each_with_its_options() -> None:
    listed = re.findall(r"^\| `(/.*?)` \|", COMMANDS_PAGE, re.MULTILINE)
    assert sorted(listed) == sorted(shown(command.usage) for command in COMMANDS.values())


@pytest.mark.parametrize("page", [COMMANDS_PAGE, PERSONAS_PAGE], ids=["commands", "personas"])
async def test_what_a_page_types_in_chat_works(chat: Chat, page: str) -> None:
    lines = re.findall(r"^    (/.*)$", page, re.MULTILINE)
    assert lines
    for line in lines:
        assert (await chat.run(line)).done, line


def test_the_personas_of_the_cookbook_load() -> None:
    files = dict(SNIPPETS)
    sections = {"personas": {}} | yaml.safe_load(files.pop("bot.yaml"))
    for name, text in files.items():
        sections["personas"][Path(name).stem] = yaml.safe_load(text)
    config = Config.model_validate(sections)
    (server,) = config.servers.values()
    (channel,) = server.channels.values()
    assert len(files) > 3
    assert channel.persona in config.personas
