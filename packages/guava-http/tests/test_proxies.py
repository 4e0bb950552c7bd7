"""TrustedProxies: what proxies say is believed from the right, and from nobody else."""

import random

import pytest
from guava_http import Headers, Origin, TrustedProxies


class Request:
    scheme, host = "http", "inner"

    def __init__(self, peer="10.0.0.1", **fields):
        self.peer = (peer, 5) if isinstance(peer, str) else peer
        self.HEADERS = Headers()
        for name, value in fields.items():
            for one in [value] if isinstance(value, str) else value:
                self.HEADERS.add(name.replace("_", "-"), one)


PROXIES = TrustedProxies(["10.0.0.0/8", "fd00::/8", "192.0.2.7"])


def origin(proxies=PROXIES, **given):
    return tuple(proxies.origin(Request(**given)))


def test_nobody_else_is_believed():
    fields = {
        "X_Forwarded_For": "1.2.3.4",
        "X_Forwarded_Proto": "https",
        "X_Forwarded_Host": "evil",
        "Forwarded": "for=1.2.3.4;proto=https;host=evil",
    }
    assert origin(peer="203.0.113.9", **fields) == ("203.0.113.9", "http", "inner")
    assert origin(TrustedProxies([]), **fields) == ("10.0.0.1", "http", "inner")
    assert origin(peer=None, **fields) == ("", "http", "inner")


@pytest.mark.parametrize(
    "field, client",
    [
        ("203.0.113.9", "203.0.113.9"),
        ("203.0.113.9, 10.1.1.1", "203.0.113.9"),
        (
            "1.2.3.4, 203.0.113.9, 10.1.1.1, 192.0.2.7",
            "203.0.113.9",
        ),  # 1.2.3.4 is the client's lie
        ("10.3.3.3, 10.1.1.1", "10.3.3.3"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:DB8::1]:4711, fd00::5", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:203.0.113.9, ::ffff:10.0.0.5", "203.0.113.9"),
        ("1.2.3.4, unknown, 10.1.1.1", ""),
        ("1.2.3.4, _hidden", ""),
        ("1.2.3.4, nonsense", ""),
        ("1.2.3.4,,10.1.1.1", "10.0.0.1"),
        ("", "10.0.0.1"),
        (", ", "10.0.0.1"),
        (", ".join(["10.0.0.2"] * 101), "10.0.0.1"),
        (["1.2.3.4", "203.0.113.9", "10.1.1.1"], "203.0.113.9"),
    ],
)
def test_from_the_right(field, client):
    assert origin(X_Forwarded_For=field)[0] == client


def test_scheme_and_host():
    fields = {"X_Forwarded_For": "203.0.113.9", "X_Forwarded_Proto": "HTTPS"}
    assert origin(**fields, X_Forwarded_Host="shop.example:8443") == (
        "203.0.113.9",
        "https",
        "shop.example:8443",
    )
    assert origin(**fields, X_Forwarded_Host="[2001:db8::1]")[2] == "[2001:db8::1]"
    for bad in ("a/b", "a b", "a@b", "", "a:123456", "[::1", "ü"):
        assert origin(**fields, X_Forwarded_Host=bad)[2] == "inner", bad
    assert origin(X_Forwarded_For="203.0.113.9", X_Forwarded_Proto="ftp")[1] == "http"
    assert origin(X_Forwarded_Proto="https", X_Forwarded_Host="shop") == ("", "https", "shop")


def test_the_elements_of_one_proxy_belong_together():
    # The first proxy trusted wrote "https" and "shop", whatever the client had sent before.
    assert origin(
        X_Forwarded_For="6.6.6.6, 203.0.113.9, 10.1.1.1",
        X_Forwarded_Proto="ftp, https, http",
        X_Forwarded_Host="evil, shop, mid",
    ) == ("203.0.113.9", "https", "shop")
    assert origin(X_Forwarded_For="203.0.113.9, 10.1.1.1", X_Forwarded_Proto="https") == (
        "203.0.113.9",
        "https",
        "inner",
    )


@pytest.mark.parametrize(
    "field, expected",
    [
        ("for=203.0.113.9", ("203.0.113.9", "http", "inner")),
        ("For=203.0.113.9;Proto=https;Host=shop", ("203.0.113.9", "https", "shop")),
        ('for="[2001:db8:cafe::17]:4711"', ("2001:db8:cafe::17", "http", "inner")),
        ('for="203.0.113.9:80" ; by=10.0.0.1', ("203.0.113.9", "http", "inner")),
        ("for=6.6.6.6;host=evil, for=203.0.113.9;host=shop, for=10.1.1.1", ("203.0.113.9",)),
        (["for=6.6.6.6", "for=203.0.113.9", "for=10.1.1.1"], ("203.0.113.9",)),
        ("for=1.2.3.4, for=unknown", ("",)),
        ('for="_gazonk"', ("",)),
        ('for="203.0.113.9\\"', ("10.0.0.1",)),
        ("for=203.0.113.9;", ("10.0.0.1",)),
        ("for=203.0.113.9;for=6.6.6.6", ("10.0.0.1",)),
        ("for 203.0.113.9", ("10.0.0.1",)),
        ("for=[::1]", ("10.0.0.1",)),
        ("", ("10.0.0.1",)),
        ('for="20\\3.0.113.9"', ("203.0.113.9",)),
    ],
)
def test_forwarded(field, expected):
    assert origin(Forwarded=field)[: len(expected)] == expected


def test_forwarded_goes_before_its_elder():
    assert origin(Forwarded="for=203.0.113.9", X_Forwarded_For="6.6.6.6")[0] == "203.0.113.9"


def test_unix_sockets():
    fields = {"X_Forwarded_For": "203.0.113.9"}
    assert origin(TrustedProxies(["unix"]), peer=None, **fields)[0] == "203.0.113.9"
    request = Request(**fields)
    request.peer = "/run/socket"
    assert TrustedProxies(["unix"]).origin(request).client == "203.0.113.9"
    assert TrustedProxies(["10.0.0.0/8"]).origin(request) == Origin("", "http", "inner")
    assert origin(TrustedProxies(["unix"]), **fields)[0] == "10.0.0.1"


@pytest.mark.parametrize("seed", range(3))
def test_against_a_model(seed):
    chance = random.Random(seed)
    for _ in range(500):
        chain = [
            f"{chance.choice(['10', '203'])}.{chance.randrange(256)}.0.{chance.randrange(256)}"
            for _ in range(chance.randrange(1, 6))
        ]
        client = next((a for a in reversed(chain) if a.startswith("203")), chain[0])
        assert origin(X_Forwarded_For=", ".join(chain))[0] == client
        assert origin(Forwarded=",".join(f"for={a}" for a in chain))[0] == client


def test_any_text_is_borne():
    chance = random.Random(1)
    letters = 'for=;,"\\:[]1.20 \tprotohost_'
    for _ in range(3000):
        text = "".join(chance.choices(letters, k=chance.randrange(40))).strip()
        for name in ("Forwarded", "X_Forwarded_For", "X_Forwarded_Host", "X_Forwarded_Proto"):
            client, scheme, host = origin(**{name: text})
            assert scheme in ("http", "https") and isinstance(client, str) and host


@pytest.mark.parametrize("proxies", [["10.0.0.1/8"], ["proxy.example"], [""], ["10.0.0.0/33"]])
def test_what_is_no_proxy(proxies):
    with pytest.raises(ValueError, match="an address, a network or 'unix'"):
        TrustedProxies(proxies)


def test_one_str_is_not_several():
    with pytest.raises(TypeError, match="several"):
        TrustedProxies("10.0.0.1")
