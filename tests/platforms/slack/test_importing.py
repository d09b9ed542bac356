"""/persona import: a character card or a text becomes a persona, after a look at it."""

from tests.conversation.cards import as_json, as_picture, card
from tests.doubles.slack import View
from tests.platforms.slack.conftest import Scene


async def test_a_card_in_a_picture_is_shown_looked_at_and_saved(scene: Scene) -> None:
    ada = scene.team.member("Ada", admin=True)
    ada.say(scene.general, "@bot /persona import", files={"aria.png": as_picture(ccv3=card(3))})
    button = await scene.slack.until(lambda: next((m for m in ada.ephemerals if m.buttons), None))
    shown = "\n".join(message.text for message in ada.ephemerals)
    assert "aria-of-the-isles" in shown
    assert "Nothing is saved yet." in shown
    assert not scene.general.from_bot
    form = await ada.click(button, "Look at it and save it").response
    assert isinstance(form, View)
    assert form.values["Name"] == "aria-of-the-isles"
    assert form.values["System prompt"].startswith("You are Aria of the Isles.")
    await ada.submit(form, {"Name": "aria"}).acknowledged()
    await scene.slack.until(lambda: "Saved aria, version 1." in ada.ephemerals[-1].text)


async def test_what_cannot_be_imported_is_one_line(scene: Scene) -> None:
    ada = scene.team.member("Ada", admin=True)
    ada.say(scene.general, "@bot /persona import", files={"cat.png": as_picture()})
    await scene.slack.until(lambda: ada.ephemerals)
    assert ada.ephemerals[-1].text == "“cat.png” has no character card in it."
    scene.ann.say(scene.general, "@bot /persona import", files={"a.json": as_json(card())})
    await scene.slack.until(lambda: scene.ann.ephemerals)
    assert "Only " in scene.ann.ephemerals[-1].text
    assert "admin" in scene.ann.ephemerals[-1].text


async def test_the_slash_command_says_how_to_send_a_file(scene: Scene) -> None:
    given = scene.team.member("Ada", admin=True).slash(scene.general, "/bot-persona import")
    assert "send it in a message that mentions me" in (await given.response).text


async def test_the_longest_prompt_is_saved_from_its_form(scene: Scene) -> None:
    ada, longest = scene.team.member("Ada", admin=True), ("moor " * 1600)[:7998]
    files = {"mooring.txt": longest.encode()}
    ada.say(scene.general, "@bot /persona import", files=files)
    button = await scene.slack.until(lambda: next((m for m in ada.ephemerals if m.buttons), None))
    form = await ada.click(button, "Look at it and save it").response
    assert isinstance(form, View)
    await ada.submit(form, {}).acknowledged()
    await scene.slack.until(lambda: "Saved mooring" in ada.ephemerals[-1].text)
    ada.slash(scene.general, "/persona use mooring server")
    await scene.slack.until(lambda: "Saved mooring" not in ada.ephemerals[-1].text)
    await scene.ask("hi")
    assert scene.last_prompt()[0]["content"].startswith(longest)
