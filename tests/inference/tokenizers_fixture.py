"""Small tokenizers, built here, with the chat formats of the models that the bot is made for.

They know about 500 tokens each and encode any text. Used wherever a test needs a chat format but no
downloaded model.
"""

from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("transformers")

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

GPT_OSS = Path(__file__).parents[3] / "shared/data/gpt-oss-20b"
"""The true tokenizer, chat template and configuration of gpt-oss, where a machine has them."""

HARMONY_CONTROLS = [
    "<|startoftext|>",
    "<|endoftext|>",
    "<|return|>",
    "<|constrain|>",
    "<|channel|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|call|>",
]

HARMONY_TEMPLATE = """\
{{- "<|start|>system<|message|>You are a large language model.\\n" }}
{{- "Current date: " + strftime_now("%Y-%m-%d") + "\\n\\n" }}
{%- if reasoning_effort is not defined %}{% set reasoning_effort = "medium" %}{% endif %}
{{- "Reasoning: " + reasoning_effort + "\\n\\n" }}
{%- if builtin_tools %}{{- "# Tools\\n\\n## browser\\n\\nnamespace browser {}\\n\\n" }}{% endif %}
{{- "# Valid channels: analysis, commentary, final.<|end|>" }}
{%- set instructions = messages[0].content if messages[0].role == "system" else "" %}
{%- if messages[0].role == "system" %}{%- set messages = messages[1:] %}{%- endif %}
{%- if instructions or tools %}
    {{- "<|start|>developer<|message|>" }}
    {%- if instructions %}{{- "# Instructions\\n\\n" + instructions + "\\n\\n" }}{%- endif %}
    {%- for tool in tools or [] %}
        {{- "// " + tool.function.description + "\\ntype " + tool.function.name }}
        {%- for name, schema in tool.function.parameters.properties.items() %}
            {{- " " + name + ": " + schema.type }}
        {%- endfor %}
        {{- "\\n" }}
    {%- endfor %}
    {{- "<|end|>" }}
{%- endif %}
{%- set called = namespace(name=none) %}
{%- for message in messages %}
    {%- if message.role == "assistant" and message.tool_calls %}
        {%- set answered = namespace(later=false) %}
        {%- for later in messages[loop.index:] %}
            {%- if later.role == "assistant" and "tool_calls" not in later %}
                {%- set answered.later = true %}
            {%- endif %}
        {%- endfor %}
        {%- if message.thinking and not answered.later %}
            {{- "<|start|>assistant<|channel|>analysis<|message|>" + message.thinking + "<|end|>" }}
        {%- endif %}
        {%- set call = message.tool_calls[0].function %}
        {{- "<|start|>assistant to=functions." + call.name + "<|channel|>commentary json" }}
        {{- "<|message|>" + (call.arguments | tojson) + "<|call|>" }}
        {%- set called.name = call.name %}
    {%- elif message.role == "tool" %}
        {{- "<|start|>functions." + called.name + " to=assistant<|channel|>commentary" }}
        {{- "<|message|>" + (message.content | tojson) + "<|end|>" }}
    {%- elif message.role == "assistant" %}
        {%- if "<|channel|>" in message.content %}{{ raise_exception("tags") }}{% endif %}
        {{- "<|start|>assistant<|channel|>final<|message|>" + message.content + "<|end|>" }}
    {%- elif message.role == "user" %}
        {{- "<|start|>user<|message|>" + message.content + "<|end|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ "<|start|>assistant" }}{% endif %}"""

SMOLLM2_TEMPLATE = """\
{% for message in messages %}\
{% if loop.first and messages[0]['role'] != 'system' %}\
{{ '<|im_start|>system\\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face\
<|im_end|>\\n' }}{% endif %}\
{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}\
{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"""

QWEN3_TEMPLATE = """\
{%- for message in messages %}
    {%- if message.role == "assistant" and "</think>" in message.content %}
        {%- set content = message.content.split("</think>")[-1].lstrip("\\n") %}
    {%- else %}
        {%- set content = message.content %}
    {%- endif %}
    {{- "<|im_start|>" + message.role + "\\n" + content + "<|im_end|>\\n" }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- "<|im_start|>assistant\\n" }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- "<think>\\n\\n</think>\\n\\n" }}
    {%- endif %}
{%- endif %}"""

QWEN3_TOOLS_TEMPLATE = """\
{%- if tools %}{{- "<|im_start|>system\\n# Tools\\n" }}
    {%- for tool in tools %}{{- tool | tojson }}{%- endfor %}
    {{- "\\nWrite <tool_call>{...}</tool_call>.<|im_end|>\\n" }}
{%- endif %}
{%- for message in messages %}
    {%- if message.role == "tool" %}
        {{- "<|im_start|>user\\n<tool_response>\\n" + message.content }}
        {{- "\\n</tool_response><|im_end|>\\n" }}
    {%- else %}
        {{- "<|im_start|>" + message.role + "\\n" + message.content }}
        {%- for call in message.tool_calls or [] %}
            {{- '<tool_call>\\n{"name": "' + call.function.name + '", "arguments": ' }}
            {{- (call.function.arguments | tojson) + "}\\n</tool_call>" }}
        {%- endfor %}
        {{- "<|im_end|>\\n" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- "<|im_start|>assistant\\n" }}{%- endif %}"""

ALWAYS_THINKING_TEMPLATE = SMOLLM2_TEMPLATE.replace("assistant\\n'", "assistant\\n<think>\\n'")

MISTRAL_TEMPLATE = """\
{{ bos_token }}{% for message in messages %}\
{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\
{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}\
{% endif %}\
{% if message['role'] == 'user' %}{{ '[INST]' + ' ' + message['content'] | trim + '[/INST]' }}\
{% else %}{{ message['content'] | trim + eos_token }}{% endif %}{% endfor %}"""

_CORPUS = [
    "system user assistant developer analysis commentary final Instructions Reasoning: low medium",
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face. Current date: 2026",
    "Hello, how are you? Why is the sky blue? The sky is blue because the air scatters the light.",
    "The user asks for three colours. I think that red, green and blue are a good answer to that.",
]


@cache
def harmony_tokenizer() -> PreTrainedTokenizerFast:
    """gpt-oss's form: byte-level, all control tokens special, a template of harmony's structure."""
    tokenizer = _byte_level()
    tokenizer.add_special_tokens(HARMONY_CONTROLS)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|return|>", chat_template=HARMONY_TEMPLATE
    )


@cache
def chatml_tokenizer(template: str = QWEN3_TEMPLATE) -> PreTrainedTokenizerFast:
    """ChatML with Qwen3's thinking switch, whose tags are added tokens but not special.

    Other templates: SMOLLM2_TEMPLATE has no reasoning, ALWAYS_THINKING_TEMPLATE opens the block.
    """
    tokenizer = _byte_level()
    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    tokenizer.add_tokens(
        [AddedToken(tag, special=False, normalized=False) for tag in ("<think>", "</think>")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", chat_template=template
    )


@cache
def sentencepiece_tokenizer() -> PreTrainedTokenizerFast:
    """Mistral's form: spaces as ▁, bytes for unknown characters, roles that must alternate."""
    controls = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]"]
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        show_progress=False,
        special_tokens=[*controls, *(f"<0x{byte:02X}>" for byte in range(256))],
    )
    tokenizer.train_from_iterator(
        (f" {word}" for text in _CORPUS for word in text.split()), trainer
    )
    # Training makes the byte tokens special; in real vocabularies they are ordinary tokens.
    plain = Tokenizer(tokenizer.model)
    plain.pre_tokenizer, plain.decoder = tokenizer.pre_tokenizer, tokenizer.decoder
    plain.add_special_tokens(controls)
    return PreTrainedTokenizerFast(
        tokenizer_object=plain,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        chat_template=MISTRAL_TEMPLATE,
    )


@cache
def gpt_oss_tokenizer() -> PreTrainedTokenizerFast:
    """The true one; skips the test where ../shared has none."""
    if not GPT_OSS.is_dir():
        pytest.skip("needs gpt-oss's tokenizer in ../shared/data/gpt-oss-20b")
    return PreTrainedTokenizerFast.from_pretrained(GPT_OSS, fix_mistral_regex=False)


def _byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(_CORPUS, trainer)
    return tokenizer
