"""Pages of lists: how many at once, and what a token is (semantics §1)."""

import pytest

from tallystick.platform.ids import new_id
from tallystick.platform.resources.pages import from_token, page_request, to_token
from tallystick.platform.resources.wire import InvalidBody


@pytest.mark.parametrize(
    ("size", "largest", "wanted"),
    [
        pytest.param(None, 100, 100, id="the most where nothing is asked"),
        pytest.param(None, 200, 100, id="100 where more may be asked"),
        pytest.param(None, 50, 50, id="no more than may be asked"),
        pytest.param("1", 100, 1, id="one"),
        pytest.param("200", 200, 200, id="the most"),
    ],
)
def test_page_sizes(size: str | None, largest: int, wanted: int) -> None:
    assert page_request(size, None, largest).size == wanted


@pytest.mark.parametrize("size", ["0", "-1", "101", "1.5", "ten", "", "\uff11\uff10", "9" * 5000])
def test_other_sizes_are_refused(size: str) -> None:
    with pytest.raises(InvalidBody) as caught:
        page_request(size, None, 100)
    assert [(each.field, each.code) for each in caught.value.problems] == [("pageSize", "out_of_range")]


def test_a_token_names_the_last_id_and_an_empty_one_is_none() -> None:
    last = new_id()
    assert from_token(to_token(last)) == last
    assert page_request(None, to_token(last), 100).after == last
    assert page_request(None, "", 100).after is None


@pytest.mark.parametrize("token", ["nonsense", "=", "é", to_token("no-id")])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidBody):
        from_token(token)
