"""`bot init`, with answers piped in: from an empty folder to a bot that answers."""

import asyncio
import re
import shutil
import stat
from pathlib import Path

import pytest

from bot.config import builtin_config_dir
from bot.exit_code import ExitCode
from bot.platforms.discord.permissions import invitation
from tests.command import run_command
from tests.doubles.discord import DiscordDouble
from tests.doubles.inference import ScriptedInference
from tests.doubles.slack import SlackDouble
from tests.end_to_end.processes import piped

EXAMPLE = Path(__file__).parents[2] / ".env.example"
SHIPPED = (builtin_config_dir() / "bot.yaml").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def init(*answers: str) -> tuple[str, str, int]:
    """What `bot init` writes when it is answered so, to standard output and error."""
    lines = "".join(f"{answer}\n" for answer in answers)
    done = await asyncio.to_thread(run_command, "init", "--config", "config/bot.yaml", stdin=lines)
    return done.stdout, done.stderr, done.exit_code


async def init_as_a_process(*answers: str) -> tuple[str, int]:
    """What its process writes to standard output: nothing echoes what is typed there."""
    async with piped(Path("config/bot.yaml"), command="init") as bot:
        bot.type("".join(f"{answer}\n" for answer in answers))
        assert bot.process.stdin
        bot.process.stdin.close()
        code = await bot.exit_code()
    return bot.out.text, code


def values(folder: Path) -> dict[str, str]:
    lines = (folder / ".env").read_text(encoding="utf-8").splitlines()
    return dict(re.match("(.*?)=(.*)", line).groups() for line in lines if re.match(r"\w+=.", line))


def kept(folder: Path) -> dict[str, str]:
    return values(folder) if (folder / ".env").exists() else {}


async def test_answers_make_a_bot_that_is_checked_and_answers_on_both_platforms(
    tmp_path: Path,
) -> None:
    discord, slack = DiscordDouble(), SlackDouble()
    async with discord.running(), slack.running(), ScriptedInference().running() as inference:
        guild, team = discord.guild("Home"), slack.workspace("Home")
        config = SHIPPED.replace("https://discord.com/api/v10", discord.api_url)
        config = config.replace("https://slack.com/api/", slack.api_url)
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "bot.yaml").write_text(config, encoding="utf-8")
        shutil.copy(EXAMPLE, tmp_path / ".env")  # its lines without a value do no harm
        out, code = await init_as_a_process(
            "both",
            discord.token,
            "ai-",
            slack.bot_token,
            slack.app_token,
            inference.url,
            "concise",
        )
        assert code == ExitCode.OK, out
        assert "bad " not in out
        assert invitation(discord.application_id) in out
        assert "https://api.slack.com/apps?new_app=1&manifest_yaml=" in out
        assert "%2Fai-effort" in out
        for secret in (discord.token, slack.bot_token, slack.app_token):
            assert secret not in out
        assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
        assert values(tmp_path) == {
            "DISCORD_TOKEN": discord.token,
            "SLACK_COMMAND_PREFIX": "ai-",
            "SLACK_BOT_TOKEN": slack.bot_token,
            "SLACK_APP_TOKEN": slack.app_token,
            "INFERENCE_URL": inference.url,
            "DEFAULT_PERSONA": "concise",
        }
        async with piped(Path("config/bot.yaml"), command="run") as bot:
            await bot.err.see("discord is connected|slack is connected")
            await bot.err.see("discord is connected|slack is connected")
            await slack.connected()
            ann, sue = guild.member("Ann"), team.member("Sue")
            here = ann.say(guild.channel("general"), "@bot hi")
            there = sue.say(team.channel("general"), "@bot hi")
            await discord.until(lambda: here.replies)
            await slack.until(lambda: there.replies)

        # Again, on what there is: an empty line keeps each answer.
        before = values(tmp_path)
        out, _, code = await init()
        assert code == ExitCode.OK, out
        assert values(tmp_path) == before
        out, _, code = await init("Discord", "", inference.url, "riddles")
        assert values(tmp_path) == before | {"DEFAULT_PERSONA": "riddles"}
        assert "Slack stays set up: to leave it out, empty SLACK_BOT_TOKEN in .env" in out


async def test_in_an_empty_folder_the_terminals_bot_is_ready(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    out, _, code = await init("none", "here", "smollm2-135m", "riddles")
    assert code == ExitCode.OK, out
    assert (tmp_path / "config" / "bot.yaml").read_text(encoding="utf-8") == SHIPPED
    key = values(tmp_path)["INFERENCE_API_KEY"]
    assert re.fullmatch(r"[\w-]{40,}", key)
    assert key not in out
    assert "DEFAULT_PERSONA in .env" in out


async def test_what_is_in_dotenv_besides_stays(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes("# mine\r\nHF_TOKEN=hf_1\r\n".encode("utf-16"))
    (tmp_path / ".env").chmod(0o644)
    async with ScriptedInference().running() as inference:
        _, _, code = await init("none", inference.url, "default")
    assert code == ExitCode.OK
    assert values(tmp_path)["HF_TOKEN"] == "hf_1"
    assert "# mine" in (tmp_path / ".env").read_text(encoding="utf-8")
    assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


async def test_a_token_that_is_refused_is_one_line_and_is_not_kept(tmp_path: Path) -> None:
    discord = DiscordDouble()
    async with discord.running():
        (tmp_path / "config").mkdir()
        config = SHIPPED.replace("https://discord.com/api/v10", discord.api_url)
        (tmp_path / "config" / "bot.yaml").write_text(config, encoding="utf-8")
        (tmp_path / ".env").write_text(f"DISCORD_TOKEN={discord.token}\n", encoding="utf-8")
        _, err, code = await init("discord", "a.b.c")
    assert code == ExitCode.UNUSABLE
    (line,) = err.splitlines()
    assert line.startswith("discord.token: Discord does not accept it")
    assert values(tmp_path) == {"DISCORD_TOKEN": discord.token}


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (["irc"], "found 'irc', allowed: discord, slack, both, none"),
        (["slack", "Bot "], "'/Boteffort' can't name a command, allowed:"),
        (["none", "gpu-box:8000"], "config/bot.yaml:"),
        (["none", "here", "gpt-oss-20b"], "gpt-oss-20b needs a CUDA card"),
    ],
)
async def test_an_answer_that_can_not_be_is_one_line(
    tmp_path: Path, answers: list[str], problem: str
) -> None:
    pytest.importorskip("torch")
    _, err, code = await init(*answers)
    assert code == ExitCode.UNUSABLE
    (line,) = err.splitlines()
    assert line.startswith(problem)
    assert "gpu-box" not in str(kept(tmp_path))
