"""A link opens what it was made for, for as long as it was made for, and nothing else."""

from datetime import timedelta

import pytest

from tallystick.platform.signed_urls import BadSignature, LinkExpired, SignedUrls
from tests.support.clock import MovableClock

SECRET = b"x" * 32


def parts(url: str) -> tuple[str, str, str]:
    path, _, query = url.partition("?expires=")
    expires, _, signature = query.partition("&signature=")
    return path, expires, signature


def test_a_link_opens_until_it_expires() -> None:
    clock = MovableClock()
    urls = SignedUrls(SECRET, clock)
    link = parts(urls.sign("/downloads/a", timedelta(minutes=5)))
    clock.instant += timedelta(minutes=5, seconds=-1)
    urls.check(*link)
    SignedUrls(SECRET, clock).check(*link)
    clock.instant += timedelta(seconds=1)
    with pytest.raises(LinkExpired):
        urls.check(*link)


def test_a_changed_link_opens_nothing() -> None:
    urls = SignedUrls(SECRET, MovableClock())
    path, expires, signature = parts(urls.sign("/downloads/a", timedelta(minutes=5)))
    for changed in [
        ("/downloads/b", expires, signature),
        (path, str(int(expires) + 1), signature),
        (path, expires, signature[:-1]),
        (path, None, signature),
        (path, expires, None),
        (path, "soon", "é"),
    ]:
        with pytest.raises(BadSignature):
            urls.check(*changed)
    with pytest.raises(BadSignature):
        SignedUrls(b"y" * 32, MovableClock()).check(path, expires, signature)
