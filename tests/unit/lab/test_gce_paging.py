# Copyright: HybridOps contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Page tokens of the GCE emulator."""

from __future__ import annotations

import pytest
from fleetlab.gce.errors import ApiError
from fleetlab.gce.paging import MAX_RESULTS, Pages


def test_every_item_comes_once_in_order_and_the_list_is_made_once() -> None:
    pages: Pages[int] = Pages()
    made = []

    def snapshot() -> list[int]:
        made.append(1)
        return list(range(1201))

    seen: list[int] = []
    token, sizes = "", []
    while True:
        items, token = pages.page("list", token, 500, snapshot)
        seen += items
        sizes.append(len(items))
        if not token:
            break
    assert (seen, sizes, len(made)) == (list(range(1201)), [500, 500, 201], 1)


def test_a_full_last_page_has_no_token() -> None:
    pages: Pages[int] = Pages()
    assert pages.page("q", "", 3, lambda: [1, 2, 3]) == ([1, 2, 3], "")


@pytest.mark.parametrize("size", [None, 0])
def test_the_default_size_is_googles(size: int | None) -> None:
    pages: Pages[int] = Pages()
    items, token = pages.page("q", "", size, lambda: list(range(MAX_RESULTS + 1)))
    assert len(items) == MAX_RESULTS
    assert token


def test_a_token_can_be_used_again_after_a_lost_answer() -> None:
    pages: Pages[int] = Pages()
    _first, token = pages.page("q", "", 2, lambda: [1, 2, 3])
    assert pages.page("q", token, 2, list) == pages.page("q", token, 2, list) == ([3], "")


@pytest.mark.parametrize(
    ("query", "token", "size"), [("q", "made-up", 2), ("other", None, 2), ("q", "", MAX_RESULTS + 1)]
)
def test_wrong_tokens_and_sizes_are_refused(query: str, token: str | None, size: int) -> None:
    pages: Pages[int] = Pages()
    _items, good = pages.page("q", "", 2, lambda: [1, 2, 3])
    with pytest.raises(ApiError) as refused:
        pages.page(query, good if token is None else token, size, lambda: [1, 2, 3])
    assert (refused.value.code, refused.value.reason) == (400, "invalid")
