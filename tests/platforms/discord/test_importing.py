"""/persona import: a character card or a text becomes a persona, after a look at it."""

from tests.conversation.cards import as_json, as_picture, card
from tests.doubles.discord import Modal
from tests.platforms.discord.conftest import Scene
from tests.platforms.discord.test_commands import admin, say


async def test_a_card_in_a_picture_is_shown_looked_at_and_saved(scene: Scene) -> None:
    ada = admin(scene)
    given = ada.slash(scene.general, "persona import", file=("aria.png", as_picture(chara=card())))
    await scene.discord.until(lambda: given.messages and given.messages[-1].buttons)
    (shown,) = given.messages
    assert shown.ephemeral
    assert "**aria-of-the-isles**" in shown.text
    assert "Nothing is saved yet." in shown.text
    assert "aria" not in await say(ada, scene.general, "persona list")
    form = await ada.click(shown, "Look at it and save it").response
    assert isinstance(form, Modal)
    assert form.values["Name"] == "aria-of-the-isles"
    assert form.values["System prompt"].startswith("You are Aria of the Isles.")
    sent = ada.submit(form, {"Name": "aria"})
    await scene.discord.until(lambda: sent.messages and not sent.messages[-1].loading)
    assert "Saved aria, version 1." in sent.messages[-1].text
    await say(ada, scene.general, "persona use", name="aria")
    await scene.ask("hi")
    assert "keeps the lighthouse" in scene.inference.prompts[-1][0]["content"]


async def test_only_who_may_change_the_server_imports(scene: Scene) -> None:
    answer = await say(
        scene.ann, scene.general, "persona import", file=("aria.json", as_json(card()))
    )
    assert "Only administrators" in answer


async def test_what_is_no_card_is_refused_in_one_line(scene: Scene) -> None:
    answer = await say(
        admin(scene), scene.general, "persona import", file=("cat.png", as_picture())
    )
    assert answer == "“cat.png” has no character card in it."


async def test_a_text_file_can_come_with_a_mention(scene: Scene) -> None:
    files = {"sailor.txt": b"Talk like a sailor."}
    asked = admin(scene).say(scene.general, "@bot /persona import", files=files)
    told = await scene.told(asked)
    assert "sailor**, 19 of 8000 characters" in told
    assert "/persona create opens a form that begins with it" in told


async def test_the_longest_prompt_is_saved_from_its_form(scene: Scene) -> None:
    ada, longest = admin(scene), ("moor " * 1600)[:7998]
    file = ("mooring.txt", longest.encode())
    given = ada.slash(scene.general, "persona import", file=file)
    await scene.discord.until(lambda: given.messages and given.messages[-1].buttons)
    form = await ada.click(given.messages[-1], "Look at it and save it").response
    assert isinstance(form, Modal)
    sent = ada.submit(form, {})
    await scene.discord.until(lambda: sent.messages and not sent.messages[-1].loading)
    await say(ada, scene.general, "persona use", name="mooring", scope="server")
    await scene.ask("hi")
    assert scene.inference.prompts[-1][0]["content"].startswith(longest)
