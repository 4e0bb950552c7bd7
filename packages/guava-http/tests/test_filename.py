"""Names of files that a client sent, made safe to create."""

import random
import re
import unicodedata

import pytest
from guava_http import secure_filename


@pytest.mark.parametrize(
    ("name", "plain", "unicode"),
    [
        ("report.pdf", "report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini", "boot.ini"),
        ("C:\\Users\\me\\a.txt", "a.txt", "a.txt"),
        ("C:a.txt", "C_a.txt", "C_a.txt"),
        ("a.txt:stream", "a.txt_stream", "a.txt_stream"),
        ("/", "file", "file"),
        ("", "file", "file"),
        (".", "file", "file"),
        ("....", "file", "file"),
        ("../..", "file", "file"),
        ("___", "file", "file"),
        (".bashrc", "bashrc", "bashrc"),
        ("a/b/", "b", "b"),
        ("-rf", "rf", "rf"),
        ("-.-rf", "rf", "rf"),
        ("~root", "root", "root"),
        ("a.txt. . ", "a.txt", "a.txt"),
        ("CON", "_CON", "_CON"),
        ("nul.tar.gz", "_nul.tar.gz", "_nul.tar.gz"),
        ("Com1", "_Com1", "_Com1"),
        ("lpt\xb9.x", "_lpt1.x", "_lpt\xb9.x"),
        ("aux .x", "aux_.x", "_aux .x"),
        ("console", "console", "console"),
        ("a\x00b.txt", "a_b.txt", "ab.txt"),
        ("a\r\nb.txt", "a_b.txt", "ab.txt"),
        ("My  cinema.mov", "My_cinema.mov", "My cinema.mov"),
        ("Café.pdf", "Cafe.pdf", "Café.pdf"),
        ("Cafe\u0301.pdf", "Cafe.pdf", "Café.pdf"),
        ("日本.txt", "file.txt", "日本.txt"),
        ("日本", "file", "日本"),
        ("\uff0e\uff0e\uff0fetc", "etc", "\uff0e\uff0e\uff0fetc"),
        ("a\u202egpj.exe", "agpj.exe", "agpj.exe"),  # reads "aexe.jpg" on a screen
        ("a\u2028b", "ab", "ab"),
        ("\ud800.txt", "file.txt", "txt"),
        ("$(rm -rf a);`b`&c|d", "_rm_-rf_a_b_c_d", "$(rm -rf a);`b`&c_d"),
        ('a"b<c>d?e*f', "a_b_c_d_e_f", "a_b_c_d_e_f"),
        ("a.b-c_d+e=f@g,h~i", "a.b-c_d+e=f@g,h~i", "a.b-c_d+e=f@g,h~i"),
    ],
)
def test_names(name, plain, unicode):
    assert secure_filename(name) == plain
    assert secure_filename(name, unicode=True) == unicode


def test_what_is_safe_stays_as_it_is():
    """At every length, also where a name of a device gets longer by what makes it harmless."""
    for n in range(16, 40):
        for name in ("CON." + "x" * 40, "x" * 40, "é" * 40, "con" + " ." * 40 + "x"):
            for unicode in (False, True):
                safe = secure_filename(name, unicode=unicode, max_bytes=n)
                assert len(safe.encode()) <= n
                assert secure_filename(safe, unicode=unicode, max_bytes=n) == safe


def test_length_is_in_bytes_and_the_extension_stays():
    assert secure_filename("x" * 1000 + ".tar.gz") == "x" * 252 + ".gz"
    assert secure_filename("x" * 100_000 + ".gz") == "x" * 252 + ".gz"
    assert secure_filename("x." + "y" * 1000) == "x." + "y" * 253
    name = secure_filename("é" * 1000 + ".png", unicode=True)
    assert len(name.encode()) in (254, 255)
    assert re.fullmatch("é+[.]png", name)
    assert secure_filename("a" * 20 + ".txt", max_bytes=16) == "a" * 12 + ".txt"
    assert len(secure_filename("con." + "a" * 500)) <= 255


def test_default():
    assert secure_filename("..", default="upload") == "upload"
    assert secure_filename("日本.txt", default="upload") == "upload.txt"
    assert secure_filename("", default="../x y") == "x_y"
    with pytest.raises(ValueError, match="nothing is left"):
        secure_filename("a", default="..")


def test_errors():
    with pytest.raises(TypeError, match="name must be a str, not bytes"):
        secure_filename(b"a")
    with pytest.raises(ValueError, match="at least 16"):
        secure_filename("a", max_bytes=15)


@pytest.mark.parametrize("unicode", [False, True])
def test_whatever_comes_the_promise_holds(unicode):
    pick = random.Random(5)
    pieces = [*"a.b/\\:*?\"<>|~-_ \t\r\n\x00\x7f\x9f%$'", "..", "con", "NUL", "com1", "é"]
    pieces += [
        "\u0301",
        "\uff0f",
        "\u2215",
        "\u202e",
        "\ufeff",
        "\ud800",
        "日",
        "😀",
        "ﬁ",
        "½",
        "x" * 90,
    ]
    for _ in range(20_000):
        name = secure_filename(
            "".join(pick.choices(pieces, k=pick.randrange(12))), unicode=unicode
        )
        assert 0 < len(name.encode()) <= 255
        assert not re.search(r'[\x00-\x1f\x7f<>:"/\\|?*]', name)
        assert name[0] not in " .-~"
        assert name[-1] not in " ."
        stem = name.partition(".")[0].rstrip().lower()
        assert stem not in ("con", "nul", "com1")
        if unicode:
            assert not {unicodedata.category(c) for c in name} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        else:
            assert re.fullmatch(r"[A-Za-z0-9_.+@=,~-]+", name)
        assert secure_filename(name, unicode=unicode) == name
