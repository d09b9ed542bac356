"""Answers with what Discord has no form for, and what the model reads of them later."""

import asyncio

from tests.doubles.inference import Say, Wait
from tests.platforms.discord.conftest import Scene

ANSWER = (
    "| Mooring | Depth |\n|:--|--:|\n| Heron | 3.2 m |\n\n"
    "##### Drag\n\nDrag is \\[ F = \\tfrac12 \\rho v^2 C A \\] and [more](https://a.example/b)."
)

SUPPRESS_EMBEDS = 1 << 2
"""https://docs.discord.com/developers/resources/message#message-object-message-flags"""


async def test_people_see_columns_bold_headings_signs_and_quiet_links(scene: Scene) -> None:
    scene.script(Say(ANSWER))
    answer = await scene.ask("drag?")
    assert "```\nMooring │ Depth\n" in answer.text
    assert "**Drag**" in answer.text
    assert "F = 1/2" in answer.text
    assert "[more](<https://a.example/b>)" in answer.text
    assert answer.flags & SUPPRESS_EMBEDS
    assert "\\" not in answer.text
    assert "|" not in answer.text


async def test_the_next_prompt_has_the_answer_as_the_model_wrote_it(scene: Scene) -> None:
    scene.script(Say(ANSWER))
    first = await scene.ask("drag?")
    question = scene.ann.say(scene.general, "and at rest?", reply_to=first)
    await scene.answer_to(question)
    assert scene.inference.prompts[1][-2] == {"role": "assistant", "content": ANSWER}


async def test_an_answer_of_several_messages_is_one_in_the_next_prompt(scene: Scene) -> None:
    written = "\n".join(f"{at}. **word** " + "and more " * 30 for at in range(20)).strip()
    scene.script(Say(written))
    first = await scene.ask("list")
    assert len(scene.general.from_bot) > 2
    await scene.answer_to(scene.ann.say(scene.general, "next", reply_to=first))
    assert scene.inference.prompts[1][-2] == {"role": "assistant", "content": written}


async def test_text_where_a_language_stands_is_shown_whole(scene: Scene) -> None:
    scene.script(Say("```" + "z" * 3000 + "\n```"))
    await scene.ask("the whole token")
    shown = [message.text for message in scene.general.from_bot]
    assert sum(text.count("z") for text in shown) >= 3000
    assert all(text.count("```") == 2 for text in shown)


async def test_commands_are_answered_while_an_answer_of_noise_is_written(scene: Scene) -> None:
    go_on = asyncio.Event()
    scene.script(Say("***k" * 6750), Wait(go_on))
    question = scene.ann.say(scene.general, "@bot say it with feeling")
    await scene.discord.until(lambda: len(scene.general.from_bot) > 3)
    await scene.ann.slash(scene.general, "help").acknowledged()
    go_on.set()
    await scene.answer_to(question)
    assert sum(message.text.count("k") for message in scene.general.from_bot) >= 6750
