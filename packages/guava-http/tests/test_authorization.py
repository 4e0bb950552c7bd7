"""The Authorization field, RFC 9110, 11.6.2; RFC 7617; RFC 6750."""

import base64
import random

import pytest
from guava_http import Authorization, parse_authorization


def basic(text):
    return "Basic " + base64.b64encode(text).decode()


@pytest.mark.parametrize(
    ("value", "username", "password"),
    [
        ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin", "open sesame"),
        (basic(b"a:"), "a", ""),
        (basic(b":b"), "", "b"),
        (basic(b"a:b:c"), "a", "b:c"),
        (basic("é:\u20ac".encode()), "é", "\u20ac"),
        (basic(b"\xe9:b"), "é", "b"),
        ("bAsIc   " + base64.b64encode(b"a:b").decode() + " ", "a", "b"),
    ],
)
def test_basic(value, username, password):
    assert parse_authorization(value) == Authorization("basic", username, password)


def test_other_schemes():
    assert parse_authorization("Bearer abc.d-e_f~g+h/i==") == Authorization(
        "bearer", token="abc.d-e_f~g+h/i=="
    )
    digest = parse_authorization(r'Digest username="a\"b", uri="/x,y" , ,qop=auth,nc=01')
    assert digest.scheme == "digest"
    assert digest.params == {"username": 'a"b', "uri": "/x,y", "qop": "auth", "nc": "01"}
    assert digest.token is digest.username is None
    assert parse_authorization("Negotiate") == Authorization("negotiate")


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", " ", "Basic", "Basic !", "Basic YQ", "Basic YQ==", "Basic YTpi\n", "B\xe9 x"),
        *(
            "Basic YTp i",
            basic(b"a:\x00b"),
            basic(b"a:b\r\n"),
            "Bearer a b",
            "Bearer é",
            'Digest a="b',
        ),
        *("Digest a=b c=d", "Digest a=b, a=c", "Digest ,", "Digest a=b;c=d", "(x) y", "Basic é"),
    ],
)
def test_what_is_not_well_formed_is_none(value):
    assert parse_authorization(value) is None


def test_secrets_do_not_show():
    assert "sesame" not in repr(parse_authorization(basic(b"a:sesame")))
    assert "sesame" not in repr(parse_authorization("Bearer sesame"))
    assert "sesame" not in repr(parse_authorization("Digest a=sesame"))


def test_it_is_a_value():
    assert parse_authorization("Bearer x") == parse_authorization("bearer  x")
    assert len({parse_authorization("Bearer x"), parse_authorization("Bearer x")}) == 1
    with pytest.raises(AttributeError):
        parse_authorization("Bearer x").token = "y"


def test_anything_is_read():
    pick = random.Random(8)
    pieces = ["Basic ", "Digest ", "a", "=", '"', "\\", ",", " ", "\t", "\x00", "é", "YTpi", "=="]
    for _ in range(20_000):
        value = "".join(pick.choices(pieces, k=pick.randrange(12)))
        found = parse_authorization(value)
        assert found is None or found.scheme == found.scheme.lower()
    assert parse_authorization("Digest " + 'a="' * 50_000) is None
    assert parse_authorization("Digest " + "\\" * 50_000) is None
