"""What is shown of an error."""

import pytest

from bot.one_line import one_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\n  lines", "two lines"),
        ("502, url='http://me:sesame@proxy:8080'", "502, url='http://***@proxy:8080'"),
        ("//a:b@c and //d@e: no", "//***@c and //***@e: no"),
        ("https://slack.com/api/ me@home", "https://slack.com/api/ me@home"),
        ("", "OSError"),
    ],
)
def test_an_error_is_one_line_without_passwords(text: str, shown: str) -> None:
    assert one_line(OSError(text)) == shown
