from bot.inference.engines.gptoss.pages import Pages, page_hash


def fill(pages: Pages, tokens: list[int]) -> list[int]:
    """A sequence's pages, published when full, and given back."""
    taken, before = [], b""
    for begin in range(0, len(tokens), pages.size):
        taken.append(pages.take())
        if len(part := tokens[begin : begin + pages.size]) == pages.size:
            before = page_hash(before, part)
            pages.publish(taken[-1], before)
    pages.give_back(taken)
    return taken


def test_a_sequence_that_begins_alike_finds_the_full_pages() -> None:
    pages = Pages(8, 2)
    taken = fill(pages, [1, 2, 3, 4, 5])
    assert pages.find([1, 2, 3, 4, 9, 9])[0] == taken[:2]
    assert pages.find([1, 2, 9, 9, 9])[0] == taken[:1]
    assert pages.find([9, 2, 3, 4, 5])[0] == []


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
    assert pages.free == 1
    assert pages.take() not in taken
    assert pages.free == 0


def test_a_page_is_free_when_its_last_user_gives_it_back() -> None:
    pages = Pages(1, 2)
    taken = fill(pages, [1, 2])
    pages.share(taken)
    pages.share(taken)
    pages.give_back(taken)
    assert pages.free == 0
    pages.give_back(taken)
    assert pages.free == 1


def test_the_least_recently_used_pages_go_first_and_a_sequences_end_before_its_beginning() -> None:
    pages = Pages(4, 2)
    first, second = fill(pages, [1, 2, 3, 4]), fill(pages, [5, 6, 7, 8])
    pages.share(first)  # a use
    pages.give_back(first)
    assert [pages.take() for _ in range(4)] == [second[1], second[0], first[1], first[0]]


def test_pages_without_a_name_go_before_all_others() -> None:
    pages = Pages(3, 2)
    taken = fill(pages, [1, 2, 3])
    assert pages.take() != taken[0]
    assert pages.take() != taken[0]


def test_a_page_taken_for_something_else_is_found_no_more() -> None:
    pages = Pages(1, 2)
    fill(pages, [1, 2])
    pages.take()
    assert pages.find([1, 2, 3])[0] == []
