"""Commands, typed as text."""

import asyncio
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert
from wcwidth import wcswidth

from bot.config import Config, builtin_languages
from bot.conversation.commands import COMMANDS, CommandCall, CommandError, is_command, parse
from bot.conversation.commands.catalog import help_in
from bot.conversation.events import Place
from bot.conversation.reply import ReplyState
from bot.conversation.texts import Texts
from bot.storage.tables import UsageRow
from tests.conversation.conftest import ADMIN, ANN, CHANNEL, MODERATOR, THREAD, Chat
from tests.doubles.inference import Say, Wait

TEXTS = Texts(Config(), "en")
DIRECT = Place("test", "dm-1", "dm", direct=True)
USED = {
    "platform": "test",
    "server": "server",
    "requests": 1,
    "prompt_tokens": 1,
    "completion_tokens": 1,
}


@pytest.mark.parametrize(
    "text", ["/help", "/effort high", "/persona", "/Effort", "/efort high", "/persona list"]
)
def test_a_slash_and_a_commands_name_or_nearly_one_is_a_command(text: str) -> None:
    assert is_command(text, TEXTS)


@pytest.mark.parametrize("text", ["help", "/", "/ help", "/2 is a half", "//", "", "no /help here"])
def test_other_text_is_not(text: str) -> None:
    assert not is_command(text, TEXTS)


@pytest.mark.parametrize(
    "text",
    ["/etc/hosts why?", "/srv/tide/ebb.conf twice?", "/tmp is full", "/stop.txt, what is it?"],
)
def test_a_path_at_the_start_is_a_word_of_the_question(text: str) -> None:
    assert not is_command(text, TEXTS)


async def test_an_unknown_command_names_the_nearest_one(chat: Chat) -> None:
    answer = await chat.command("/efort high")
    assert answer == "I don't know the command /efort. Did you mean /effort?"
    assert "/help lists the commands." in await chat.command("/xyzzy")


@pytest.mark.parametrize("name", COMMANDS)
async def test_help_names_every_command(chat: Chat, name: str) -> None:
    assert f"/{name}" in await chat.command("/help")


async def test_help_says_that_answers_can_be_wrong(chat: Chat) -> None:
    assert "written by an AI and can be wrong" in await chat.command("/help")


async def test_missing_and_surplus_words_show_the_usage(chat: Chat) -> None:
    assert await chat.command("/effort") == "Usage: /effort <level> [scope]"
    assert await chat.command("/effort high channel please") == "Usage: /effort <level> [scope]"
    assert await chat.command("/status now") == "Usage: /status"
    assert await chat.command("/persona create pirate") == "Usage: /persona create <name> <text>"
    assert await chat.command("/persona import a b") == "Usage: /persona import [name]"


async def test_settings_say_what_each_value_means(chat: Chat) -> None:
    told = await chat.command("/settings")
    for part in (
        "**I answer: when you mention me or reply to me**",
        "**Mentions in threads: not needed**",
        "**Time zone: not set**",
        "**Language: English**",
        "**My reasoning: hidden**",
    ):
        assert f"\n- {part} (the default)" in told
    shown = {"show_reasoning": True, "thread_mentions": True}
    chat.configure(Config.model_validate({"defaults": shown}))
    told = await chat.command("/settings")
    assert "**Mentions in threads: needed**" in told
    assert "**My reasoning: shown**" in told


@pytest.mark.parametrize(
    ("place", "end"),
    [
        (CHANNEL, "Commands change this channel, or this thread."),
        (Place("test", "server", ""), "This is what the whole workspace has"),
        (DIRECT, "- **My reasoning:"),
    ],
)
async def test_settings_end_with_what_a_change_would_be_for(
    chat: Chat, place: Place, end: str
) -> None:
    assert (await chat.command("/settings", place=place)).splitlines()[-1].startswith(end)


async def test_effort_is_set_for_the_channel_and_seen_in_settings(chat: Chat) -> None:
    answer = await chat.command("/effort HIGH")
    assert answer.startswith("Effort is now high for this channel.")
    assert "**Effort: high** (set in this channel)" in await chat.command("/settings")


async def test_effort_says_what_it_means_for_a_model_without_reasoning(chat: Chat) -> None:
    answer = await chat.command("/effort low")
    assert "doesn't reason" in answer
    assert str(Config().efforts["low"].max_tokens) in answer


async def test_effort_is_silent_about_models_that_do_not_tell(chat: Chat) -> None:
    del chat.inference.model["reasoning"]
    assert await chat.command("/effort low") == "Effort is now low for this channel."


async def test_a_bad_level_or_scope_names_what_is_allowed(chat: Chat) -> None:
    assert await chat.command("/effort max") == (
        "“max” isn't an effort level. Choose low, medium or high."
    )
    assert await chat.command("/effort low galaxy") == (
        "“galaxy” isn't something I can change here. Choose channel or server."
    )


async def test_slacks_scope_has_its_own_name_and_the_common_one(chat: Chat) -> None:
    place = Place("slack", "server", "channel")
    for name in ("workspace", "SERVER"):
        answer = await chat.command(f"/effort high {name}", place=place)
        assert answer.startswith("Effort is now high for the whole workspace.")
    assert (await chat.command("/effort high galaxy", place=place)).endswith(
        "Choose channel or workspace."
    )


async def test_effort_is_set_while_the_service_refuses_to_tell_its_model(chat: Chat) -> None:
    chat.inference.api_key = "sesame"
    assert await chat.command("/effort low") == "Effort is now low for this channel."


async def test_settings_of_a_thread_are_its_own(chat: Chat) -> None:
    await chat.command("/effort high", place=THREAD)
    assert "**Effort: medium** (the default)" in await chat.command("/settings")
    assert "**Effort: high** (set in this thread)" in await chat.command("/settings", place=THREAD)


async def test_who_may_change_what_follows_the_permissions(chat: Chat) -> None:
    assert "Effort is now" in await chat.command("/effort low", ANN, THREAD)
    assert "Effort is now" in await chat.command("/effort low", ANN, DIRECT)
    assert await chat.command("/effort low", ANN) == (
        "Only moderators can change the settings for this channel."
    )
    assert "Effort is now" in await chat.command("/effort low", MODERATOR)
    assert await chat.command("/effort low server", MODERATOR) == (
        "Only administrators can change the settings for the whole server."
    )
    assert "Effort is now" in await chat.command("/effort low server", ADMIN)


async def test_a_server_of_the_file_has_permissions_of_its_own(chat: Chat) -> None:
    servers = {"server": {"permissions": {"change_channel": "everyone"}}}
    chat.configure(Config.model_validate({"servers": servers}))
    assert "Effort is now" in await chat.command("/effort low", ANN)


async def test_the_files_permissions_hold_in_every_server_without_its_own(chat: Chat) -> None:
    permissions = {"change_channel": "everyone", "change_server": "moderators"}
    chat.configure(Config.model_validate({"defaults": {"permissions": permissions}}))
    assert "Effort is now" in await chat.command("/effort low", ANN)
    assert "Effort is now" in await chat.command("/effort low server", MODERATOR)
    assert await chat.command("/effort low server", ANN) == (
        "Only moderators can change the settings for the whole server."
    )


async def test_a_persona_is_used_by_its_name_alone(chat: Chat) -> None:
    assert await chat.command("/persona riddles") == "This channel now uses the riddles persona."
    assert "**Persona: riddles** (set in this channel)" in await chat.command("/settings")


async def test_an_unknown_persona_names_the_nearest_or_all(chat: Chat) -> None:
    assert await chat.command("/persona ridles") == (
        "I don't know a persona called “ridles”. Did you mean riddles?"
    )
    assert "Choose code-review, concise, default or riddles." in await chat.command(
        "/persona use zzz"
    )


async def test_personas_are_listed_with_where_they_come_from(chat: Chat) -> None:
    await chat.command("/persona create pirate Talk like a pirate.")
    listed = await chat.command("/persona")
    assert "**pirate** (made here, version 1): Talk like a pirate." in listed
    assert "**riddles** (from the configuration)" in listed


async def test_a_persona_lives_through_create_edit_history_undo_and_delete(chat: Chat) -> None:
    assert await chat.command("/persona create pirate Arr.") == "Saved pirate, version 1."
    assert await chat.command("/persona edit pirate Ahoy, always.") == "Saved pirate, version 2."
    assert "> Ahoy, always." in await chat.command("/persona show pirate")
    assert (
        await chat.command("/persona undo pirate")
        == "pirate is back as it was before, as version 3."
    )
    assert "> Arr." in await chat.command("/persona show pirate")
    assert "Deleted pirate" in await chat.command("/persona delete pirate")
    assert "a persona called “pirate”" in await chat.command("/persona show pirate")
    assert "pirate is back" in await chat.command("/persona undo pirate")
    history = await chat.command("/persona history pirate")
    assert len(history.splitlines()) == 5
    assert "deleted" in history


async def test_an_undo_that_deletes_a_persona_says_so(chat: Chat) -> None:
    for line in ("create pirate Arr.", "delete pirate", "create pirate Ahoy."):
        await chat.command(f"/persona {line}")
    assert "Deleted pirate." in await chat.command("/persona undo pirate")
    assert "pirate is back" in await chat.command("/persona undo pirate")
    assert "> Arr." in await chat.command("/persona show pirate")


async def test_a_persona_of_the_file_can_be_changed_here_but_not_deleted(chat: Chat) -> None:
    assert "configuration file" in await chat.command("/persona delete riddles")
    assert "version 1" in await chat.command("/persona edit riddles Speak in puzzles.")
    await chat.command("/persona riddles")
    await chat.answer("Hi")
    assert chat.inference.prompts[0][0]["content"].startswith("Speak in puzzles.")


async def test_a_persona_that_was_deleted_while_in_use_gives_way_to_the_default(
    chat: Chat,
) -> None:
    await chat.command("/persona create pirate Arr.")
    await chat.command("/persona pirate")
    await chat.command("/persona delete pirate")
    await chat.answer("Hi")
    assert chat.inference.prompts[0][0]["content"].startswith(Config().personas["default"].prompt)


async def test_creating_what_exists_is_refused(chat: Chat) -> None:
    assert "already" in await chat.command("/persona create riddles New.")


async def test_a_form_gives_a_persona_all_its_parts_and_an_edit_keeps_those_it_does_not_name(
    chat: Chat,
) -> None:
    async def made(command: str, **values: str) -> dict[str, str]:
        """The form for the next change, after this one."""
        given = {"name": "pirate"} | values
        assert "Saved pirate" in (await chat.run(CommandCall(COMMANDS[command], given))).text
        edit = CommandCall(COMMANDS["persona edit"], {"name": "pirate"})
        return await chat.core.fill_form(edit, await chat.context())

    parts = {"text": "Arr.\nAhoy.", "description": "Talks like one", "level": "high"}
    assert await made("persona create", **parts) == parts
    assert await chat.command("/persona show pirate") == (
        "**pirate** (made here, version 1)\n> Arr.\n> Ahoy."
    )
    listed = (await chat.command("/persona")).splitlines()
    assert "- **pirate** (made here, version 1): Talks like one" in listed
    await chat.command("/persona pirate")
    assert "**Effort: high** (the persona's own)" in await chat.command("/settings")
    assert await made("persona edit", text="Hoist.") == parts | {"text": "Hoist."}
    emptied = {"text": "Hoist.", "description": "", "level": ""}
    assert await made("persona edit", **emptied) == emptied


async def test_of_a_long_prompt_lists_show_the_beginning(chat: Chat) -> None:
    await chat.command(f"/persona create long {'x' * 100}")
    assert f": {'x' * 80}\n" in await chat.command("/persona")
    assert (await chat.command("/persona history long")).endswith(f": {'x' * 60}")


@pytest.mark.parametrize("name", ["Bad!", "x" * 33, "ä"])
async def test_a_bad_persona_name_is_refused_with_the_rule(chat: Chat, name: str) -> None:
    answer = await chat.command(f"/persona create {name} Arr.")
    assert "a-z" in answer
    assert "\n" not in answer


async def test_a_prompt_that_is_too_long_is_refused_with_the_limit(chat: Chat) -> None:
    assert "8000" in await chat.command(f"/persona create pirate {'x' * 8001}")
    parts = {"name": "pirate", "text": "Arr.", "description": "x" * 201}
    refused = await chat.run(CommandCall(COMMANDS["persona create"], parts))
    assert "200" in refused.text
    assert "Saved" in await chat.command(f"/persona create pirate {'x' * 8000}")


async def test_what_has_no_versions_says_so(chat: Chat) -> None:
    assert "never changed here" in await chat.command("/persona history riddles")
    assert "no earlier version" in await chat.command("/persona undo riddles")


async def test_only_administrators_change_personas(chat: Chat) -> None:
    await chat.command("/persona create pirate Arr.")
    refusal = "Only administrators can change this server's personas."
    for line in ("create x X", "edit pirate X", "delete pirate", "undo pirate"):
        assert await chat.command(f"/persona {line}", MODERATOR) == refusal
    for line in ("create x", "edit pirate"):
        with pytest.raises(CommandError, match=refusal):
            await chat.core.fill_form(
                parse(f"/persona {line}", TEXTS), await chat.context(MODERATOR)
            )


async def test_forget_deletes_what_is_stored_but_quotas_go_on_counting(chat: Chat) -> None:
    await chat.answer("Hi", ANN)
    old = datetime.now(UTC) - timedelta(days=2)
    async with chat.core.store.engine.begin() as connection:
        await connection.execute(insert(UsageRow).values(USED | {"user_id": ANN.id, "hour": old}))
    assert "deleted" in await chat.command("/forget", ANN)
    assert chat.started_over == []
    assert (await chat.core.store.usage.of("test", user_id=ANN.id)).requests == 1


async def test_a_conversation_is_started_over_in_ones_own_thread_or_with_the_right_to(
    chat: Chat,
) -> None:
    refusal = "Only moderators can start the conversation over here."
    assert refusal in await chat.command("/new", ANN)
    assert refusal in await chat.command("/new", ANN, THREAD)
    assert chat.started_over == []
    chat.threads_of = ANN.id
    for author, place in ((ANN, THREAD), (MODERATOR, CHANNEL), (ANN, DIRECT)):
        assert "starts over" in await chat.command("/new", author, place)
    assert len(chat.started_over) == 3


async def test_who_is_blocked_gives_no_command_but_those_about_their_own_data(chat: Chat) -> None:
    chat.configure(Config.model_validate({"access": {"block": {"users": [ADMIN.id]}}}))
    assert await chat.command("/effort high") == "You can't ask me here."
    assert (await chat.run("/effort high")).access_denied
    assert not (await chat.run("/privacy")).access_denied
    assert (await chat.core.read(CHANNEL)).effort.value == "medium"
    edit = CommandCall(COMMANDS["persona create"])
    with pytest.raises(CommandError, match="can't ask"):
        await chat.core.fill_form(edit, await chat.context())
    assert "deleted" in await chat.command("/forget")
    assert "/forget" in await chat.command("/privacy")


async def test_a_server_has_as_many_personas_as_it_may(chat: Chat) -> None:
    chat.configure(Config.model_validate({"storage": {"personas_per_server": 2}}))
    for name in ("one", "two"):
        assert "Saved" in await chat.command(f"/persona create {name} Arr.")
    assert "2 personas" in await chat.command("/persona create three Arr.")
    assert "Saved" in await chat.command("/persona edit one Ahoy.")
    await chat.command("/persona delete two")
    assert "Saved" in await chat.command("/persona create three Arr.")
    assert "never changed here" in await chat.command("/persona history two")


async def test_a_persona_keeps_its_newest_versions(chat: Chat) -> None:
    chat.configure(Config.model_validate({"storage": {"versions_per_persona": 3}}))
    await chat.command("/persona create pirate Version 1.")
    for version in range(2, 6):
        await chat.command(f"/persona edit pirate Version {version}.")
    history = await chat.command("/persona history pirate")
    assert [line.split()[-1] for line in history.splitlines()] == ["5.", "4.", "3."]


async def test_status_tells_the_model_and_the_queue(chat: Chat) -> None:
    chat.inference.state = {"running": 2, "waiting": 3, "tokens_per_second": 12.6}
    context = replace(await chat.context(), started=time.monotonic() - 3 * 3600 - 1)
    status = await chat.core.run(parse("/status", TEXTS), context)
    assert status.text.splitlines() == [
        "Model: scripted",
        "Answering 2, waiting 3",
        "Speed: 13 tokens a second",
        "Running for 3 h",
    ]


async def test_status_of_a_server_that_tells_nothing_names_the_model(chat: Chat) -> None:
    chat.inference.state = {}
    model, running = (await chat.command("/status")).splitlines()
    assert model == "Model: scripted"
    assert running.startswith("Running for ")


async def test_status_of_a_loading_service_tells_the_stage(chat: Chat) -> None:
    chat.inference.ready = False
    assert await chat.command("/status") == "The model isn't ready yet: loading 50%."
    chat.inference.progress = None
    assert await chat.command("/status") == "The model isn't ready yet: loading."


async def test_privacy_says_what_is_stored_and_where_nothing_can_leave_nothing_of_it(
    chat: Chat,
) -> None:
    stored, left = (await chat.command("/privacy")).splitlines()
    assert "/forget" in stored
    assert left.startswith("Since I started, nothing has left for you and others here")


async def test_a_channel_prompt_of_the_file_is_shown_in_settings(chat: Chat) -> None:
    servers = {"server": {"channels": {"channel": {"system_prompt": "Only haiku."}}}}
    chat.configure(Config.model_validate({"servers": servers}))
    source = "from the configuration file, for this channel"
    assert f"**Instructions: Only haiku.** ({source})" in await chat.command("/settings")
    await chat.answer("Hi", place=CHANNEL)
    assert chat.inference.prompts[0][0]["content"].startswith("Only haiku.")


async def test_a_database_that_fails_is_one_clear_line(chat: Chat, tmp_path: Path) -> None:
    context = await chat.context()
    with sqlite3.connect(tmp_path / "bot.db") as database:
        database.execute("DROP TABLE settings")
    assert (await chat.core.run(parse("/effort high", TEXTS), context)).text == (
        "That couldn't be saved because the database isn't working. The bot's log says why."
    )


async def test_status_while_the_service_is_away_says_so(chat: Chat) -> None:
    chat.inference.ready = False
    chat.inference.stage = "connecting"
    assert "connecting" in await chat.command("/status")
    chat.inference.ready = True
    chat.inference.api_key = "sesame"
    assert await chat.command("/status") == "The model isn't ready yet: connecting."


async def test_regenerate_answers_the_last_question_again_or_says_that_there_is_none(
    chat: Chat,
) -> None:
    assert "haven't asked anything here" in await chat.command("/regenerate")
    chat.regenerates = True
    assert await chat.command("/regenerate") == "Answering again."


async def test_options_that_come_one_by_one_do_what_the_typed_line_does(chat: Chat) -> None:
    effort = COMMANDS["effort"]
    done = await chat.run(CommandCall(effort, {"level": "low", "scope": "channel"}))
    assert "Effort is now" in done.text
    refused = await chat.run(CommandCall(effort, {"level": "huge", "scope": "channel"}))
    assert "high" in refused.text
    assert (done.done, refused.done) == (True, False)


@pytest.mark.parametrize(
    ("line", "form"),
    [
        ("/persona create", ("persona create", {})),
        ("/persona edit pirate", ("persona edit", {"name": "pirate"})),
        ("/persona create pirate Talk like one.", None),
        ("/persona edit", None),
        ("/effort", None),
        ("/help", None),
    ],
)
def test_a_line_without_the_long_text_asks_for_it_with_a_form(
    line: str, form: tuple[str, dict[str, str]] | None
) -> None:
    try:
        call = parse(line, TEXTS)
    except CommandError:
        assert form is None
    else:
        assert ((call.command.name, call.values) if call.needs_form else None) == form


async def test_the_form_of_a_persona_begins_with_what_is_there(chat: Chat) -> None:
    await chat.command("/persona create pirate Talk like one.")
    edit = CommandCall(COMMANDS["persona edit"], {"name": "pirate"})
    filled = await chat.core.fill_form(edit, await chat.context())
    assert filled["text"] == "Talk like one."
    create = CommandCall(COMMANDS["persona create"])
    assert await chat.core.fill_form(create, await chat.context()) == {}
    named = parse("/persona create riddler", TEXTS)
    assert await chat.core.fill_form(named, await chat.context()) == {"name": "riddler"}
    with pytest.raises(CommandError, match="administrators"):
        await chat.core.fill_form(create, await chat.context(ANN))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("/set answer ALWAYS", "answer is now always for this channel."),
        ("/set thread-mentions on server", "thread_mentions is now true for the whole server."),
        ("/set thread_mentions OFF", "thread_mentions is now false for this channel."),
        ("/set thread_mentions yes", "thread_mentions is now true for this channel."),
        ("/set thread_mentions no", "thread_mentions is now false for this channel."),
        ("/set thread_mentions True", "thread_mentions is now true for this channel."),
        ("/set thread_mentions False", "thread_mentions is now false for this channel."),
        ("/set channel_messages 0", "channel_messages is now 0 for this channel."),
        ("/set channel_messages 100", "channel_messages is now 100 for this channel."),
        ("/set time_zone Europe/Berlin", "time_zone is now Europe/Berlin for this channel."),
        ("/set answer sometimes", "mention, thread or always"),
        ("/set thread_mentions maybe", "isn't a value for thread_mentions. Choose true or false."),
        ("/set time_zone Europe", "isn't a value for time_zone. Choose a name such as"),
        ("/set channel_messages 101", "a number from 0 to 100"),
        ("/set time_zone Berlin", "Europe/Berlin"),
        ("/set volume 11", "isn't a setting"),
        ("/set answer", "/set <setting> <value> [scope]"),
    ],
)
async def test_a_setting_is_set_or_it_is_told_what_is_allowed(
    chat: Chat, line: str, told: str
) -> None:
    assert told in await chat.command(line)


async def test_what_is_set_is_in_effect_at_once_and_shown(chat: Chat) -> None:
    assert (await chat.core.settings(CHANNEL)).channel_messages.value == 20
    await chat.command("/set channel_messages 3")
    assert (await chat.core.settings(THREAD)).channel_messages.value == 3
    assert "**Earlier messages: 3** (set in this channel)" in await chat.command("/settings")


async def test_members_change_no_setting_of_a_channel(chat: Chat) -> None:
    assert "moderators" in await chat.command("/set answer always", author=ANN)
    assert await chat.command("/set answer always", author=ANN, place=THREAD) == (
        "answer is now always for this thread."
    )


async def test_details_tell_what_ones_last_answer_took(chat: Chat) -> None:
    assert "haven't answered you" in await chat.command("/details", ANN)
    chat.inference.script(Say(reasoning="Hm."), Say("Hello."))
    await chat.answer("Hi", ANN, THREAD)
    told = await chat.command("/details", ANN)
    names = ["Model", "Persona", "Effort", "Time", "Read", "Thought", "Wrote"]
    assert [line.split(":")[0] for line in told.splitlines()] == [f"- {name}" for name in names]
    assert "- Model: scripted\n- Persona: default\n- Effort: medium\n" in told
    assert told.endswith("- Thought: 3 tokens\n- Wrote: 4 tokens")
    assert "haven't answered you" in await chat.command("/details", MODERATOR)


async def test_details_name_no_persona_where_the_channel_has_instructions_of_its_own(
    chat: Chat,
) -> None:
    servers = {"server": {"channels": {"channel": {"system_prompt": "Only haiku."}}}}
    chat.configure(Config.model_validate({"servers": servers}))
    await chat.answer("Hi", ANN)
    assert "Persona" not in await chat.command("/details", ANN)


async def test_who_stops_answers_stops_their_own_and_a_moderator_everybodys(chat: Chat) -> None:
    assert "not writing an answer for you" in await chat.command("/stop")
    for _ in range(3):
        chat.inference.script(Wait(asyncio.Event()))
    anns, *others = [await chat.ask("Hi", asker) for asker in (ANN, MODERATOR, ADMIN)]
    assert await chat.command("/stop", ANN) == "Stopping."
    assert (await chat.ended(anns)).state is ReplyState.STOPPED
    assert "not writing an answer for you" in await chat.command("/stop", ANN)
    assert await chat.command("/stop", MODERATOR) == "Stopping."
    assert {(await chat.ended(reply)).state for reply in others} == {ReplyState.STOPPED}


@pytest.mark.parametrize("language", builtin_languages())
@pytest.mark.parametrize("platform", ["discord", "slack", "console"])
def test_help_begins_with_how_to_ask_and_fits_60_columns(platform: str, language: str) -> None:
    texts = Texts(Config(), language, platform)
    lines = help_in(texts).splitlines()
    assert lines[:2] == ["```", texts("help_ask").splitlines()[0]]
    assert texts("help_buttons").splitlines()[1] in lines
    assert lines[-2:] == ["```", texts("can_be_wrong")]
    assert [line for line in lines[:-1] if wcswidth(line) > 60] == []
    command = "/bot-effort" if platform == "slack" else "/effort"
    assert f"  {command} <level> [scope]" in lines


@pytest.mark.parametrize(
    ("line", "has_time", "channel"),
    [
        ("/summary", False, ""),
        ("/summary last", False, ""),
        ("/summary #general", False, "#general"),
        ("/summary 3 days", True, ""),
        ("/summary 2026-11-20 09:00 #general", True, "#general"),
        ("/summary 2h <#C0123|general>", True, "<#C0123|general>"),
    ],
)
async def test_a_summary_takes_a_time_of_several_words_and_a_channel(
    chat: Chat, line: str, has_time: bool, channel: str
) -> None:
    assert await chat.command(line) == ""
    ((since, given),) = chat.wishes
    assert (since is not None, given) == (has_time, channel)


async def test_a_bad_time_for_a_summary_says_what_is_allowed(chat: Chat) -> None:
    assert "“soon” isn't a time I know. Write a time (9:00)" in await chat.command("/summary soon")
    assert not chat.wishes
