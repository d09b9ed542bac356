"""What apps post can have any shape: none may cost an answer."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bot.platforms.slack.words import attached_files, words

NAMES = """
accessory alt_text attachments author_name blocks channel_id elements fallback fields files footer
indent is_share is_msg_unfurl message message_blocks name offset pretext range rows style text title
title_link url user_id value
"""
KINDS = """
rich_text rich_text_section rich_text_list rich_text_quote rich_text_preformatted section header
markdown context table image video mrkdwn plain_text raw_text user channel usergroup broadcast emoji
link date ordered text
"""
KEYS, TYPES = st.sampled_from(NAMES.split()), st.sampled_from(KINDS.split())
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | TYPES | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.builds(
            lambda kind, rest: rest | {"type": kind},
            TYPES,
            st.dictionaries(KEYS, inner, max_size=4),
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_a_message_of_any_shape_has_words(message: dict[str, Any]) -> None:
    assert isinstance(words(message), str)
    assert all(isinstance(file, dict) for file in attached_files(message))
