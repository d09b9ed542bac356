from array import array

from bot.inference.engines.gptoss.pages import Pages, page_hash, salt_hash


def fill(pages: Pages, tokens: list[int], salt: str | None = None) -> list[int]:
    """A sequence's pages, published when full, and freed."""
    taken, before = [], salt_hash(salt)
    for begin in range(0, len(tokens), pages.size):
        taken.append(pages.allocate())
        if len(part := tokens[begin : begin + pages.size]) == pages.size:
            before = page_hash(before, part)
            pages.publish(taken[-1], before)
    pages.free(taken)
    return taken


def test_a_sequence_that_begins_alike_finds_the_full_pages() -> None:
    pages = Pages(8, 2)
    taken = fill(pages, [1, 2, 3, 4, 5])
    assert pages.find([1, 2, 3, 4, 9, 9])[0] == taken[:2]
    assert pages.find([1, 2, 9, 9, 9])[0] == taken[:1]
    assert pages.find([9, 2, 3, 4, 5])[0] == []


def test_the_next_page_goes_on_from_the_hash_of_the_last_one_found() -> None:
    pages = Pages(8, 2)
    fill(pages, [1, 2, 3, 4])
    first = page_hash(salt_hash(None), [1, 2])
    assert pages.find([1, 2, 3, 4, 5])[1] == [first, page_hash(first, [3, 4])]


def test_the_same_tokens_after_others_are_another_page() -> None:
    pages = Pages(8, 2)
    fill(pages, [1, 2, 3, 4])
    assert pages.find([3, 4, 5])[0] == []


def test_the_last_token_is_never_found() -> None:
    pages = Pages(8, 2)
    taken = fill(pages, [1, 2, 3, 4])
    assert pages.find([1, 2, 3, 4])[0] == taken[:1]


def test_a_page_in_use_is_not_taken_for_something_else() -> None:
    pages = Pages(2, 2)
    taken = fill(pages, [1, 2])
    pages.share(taken)
    assert pages.available == 1
    assert pages.allocate() not in taken
    assert pages.available == 0


def test_a_page_is_free_when_its_last_user_frees_it() -> None:
    pages = Pages(1, 2)
    taken = fill(pages, [1, 2])
    pages.share(taken)
    pages.share(taken)
    pages.free(taken)
    assert pages.available == 0
    pages.free(taken)
    assert pages.available == 1


def test_the_least_recently_used_pages_go_first_and_a_sequences_end_before_its_beginning() -> None:
    pages = Pages(4, 2)
    first, second = fill(pages, [1, 2, 3, 4]), fill(pages, [5, 6, 7, 8])
    pages.share(first)  # a use
    pages.free(first)
    assert [pages.allocate() for _ in range(4)] == [second[1], second[0], first[1], first[0]]


def test_pages_without_a_name_go_before_all_others_though_they_were_used_last() -> None:
    pages = Pages(4, 2)
    named = fill(pages, [1, 2, 3, 4])
    unnamed = fill(pages, [5]) + fill(pages, [6])
    assert {pages.allocate(), pages.allocate()} == {*range(4)} - {*named}
    assert unnamed[0] not in named
    assert [pages.allocate(), pages.allocate()] == [named[1], named[0]]


def test_a_page_taken_for_something_else_is_found_no_more() -> None:
    pages = Pages(1, 2)
    fill(pages, [1, 2])
    pages.allocate()
    assert pages.find([1, 2, 3])[0] == []


def test_a_sequence_finds_pages_of_its_own_salt_only() -> None:
    pages = Pages(8, 2)
    by_salt = {salt: fill(pages, [1, 2, 3, 4], salt) for salt in (None, "a", "b")}
    for salt, taken in by_salt.items():
        assert pages.find([1, 2, 3, 4, 5], salt)[0] == taken
    assert pages.find([1, 2, 3, 4, 5], "c")[0] == []


def test_a_salt_that_is_a_pages_content_finds_nothing_behind_that_page() -> None:
    pages = Pages(8, 2)
    fill(pages, [1, 2, 3, 4])
    salt = array("q", [1, 2]).tobytes().decode()
    assert pages.find([3, 4, 5], salt)[0] == []
