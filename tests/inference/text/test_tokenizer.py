"""What is read of a model's folder, beside what transformers reads of it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("transformers")

from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

from bot.inference.text.tokenizer import ChatTokenizer
from tests.inference.tokenizers_fixture import (
    GPT_OSS,
    chatml_tokenizer,
    harmony_tokenizer,
    sentencepiece_tokenizer,
)

MESSAGES = [
    {"role": "user", "content": "What's <b>new</b>, Zoë?"},
    {"role": "assistant", "content": "Nothing."},
    {"role": "user", "content": "…"},
]
TOOL = {
    "name": "look",
    "description": "<looks> ü",
    "parameters": {"type": "object", "properties": {}},
}


def assert_alike(folder: Path, **options: Any) -> None:
    theirs = PreTrainedTokenizerFast.from_pretrained(folder, fix_mistral_regex=False)
    ours = ChatTokenizer.from_folder(folder)
    assert json.loads(ours.backend_tokenizer.to_str()) == json.loads(
        theirs.backend_tokenizer.to_str()
    )
    assert ours.eos_token_id == theirs.eos_token_id
    assert ours.get_chat_template() == theirs.get_chat_template()
    rendered = theirs.apply_chat_template(
        MESSAGES, tokenize=False, add_generation_prompt=True, **options
    )
    assert ours.apply_chat_template(MESSAGES, **options) == rendered


@pytest.mark.parametrize("make", [chatml_tokenizer, harmony_tokenizer, sentencepiece_tokenizer])
def test_a_saved_tokenizer_is_read_as_transformers_reads_it(
    make: Callable[[], PreTrainedTokenizerFast], tmp_path: Path
) -> None:
    make().save_pretrained(tmp_path)
    assert_alike(tmp_path)


@pytest.mark.slow  # transformers takes ten seconds to read it
@pytest.mark.skipif(not GPT_OSS.is_dir(), reason="this machine has no files of gpt-oss")
def test_gpt_oss_is_read_as_transformers_reads_it() -> None:
    assert_alike(GPT_OSS, reasoning_effort="low", tools=[{"type": "function", "function": TOOL}])


def test_tokens_and_templates_of_the_configuration_are_added(tmp_path: Path) -> None:
    chatml_tokenizer().save_pretrained(tmp_path)
    (tmp_path / "chat_template.jinja").unlink()
    file = tmp_path / "tokenizer_config.json"
    config = json.loads(file.read_text())
    pad = AddedToken("<pad-here>", special=True).__getstate__()
    config["pad_token"] = {"__type": "AddedToken"} | pad
    config["chat_template"] = (
        "{% for m in messages %}{% generation %}{{ m | tojson }}{% endgeneration %}"
        "{% if loop.last %}{% break %}{% endif %}{% endfor %}{{ eos_token }}{{ pad_token }}"
    )
    file.write_text(json.dumps(config))
    assert_alike(tmp_path)


def test_a_template_that_refuses_says_why(tmp_path: Path) -> None:
    import jinja2

    chatml_tokenizer("{{ raise_exception('turns must alternate') }}").save_pretrained(tmp_path)
    with pytest.raises(jinja2.TemplateError, match="turns must alternate"):
        ChatTokenizer.from_folder(tmp_path).apply_chat_template(MESSAGES)


def test_a_template_is_told_the_day_and_no_time_of_day(tmp_path: Path) -> None:
    chatml_tokenizer("{{ strftime_now('%Y-%m-%d %H:%M:%S') }}").save_pretrained(tmp_path)
    told = ChatTokenizer.from_folder(tmp_path).apply_chat_template(MESSAGES)
    assert told.endswith(" 00:00:00")
