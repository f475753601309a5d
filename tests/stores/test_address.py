"""The URL of a database server says where it is; its password is found in safe places and shown nowhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderator.errors import ArgumentError, ModeratorError, StoreError
from moderator.stores.address import PASSWORD_VARIABLE, parse, redacted

SENTINEL = "s3ntinel/of:a@pass#word"
QUOTED = "s3ntinel%2Fof%3Aa%40pass%23word"


@pytest.fixture(autouse=True)
def no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)


def test_a_url_names_user_host_port_and_database() -> None:
    found = parse("mysql://ann@db.example:3307/shop")
    assert (found.scheme, found.user, found.host, found.port, found.database) == (
        "mysql", "ann", "db.example", 3307, "shop",
    )  # fmt: skip
    assert not found.plaintext


def test_the_port_is_mysqls_own_where_none_is_named() -> None:
    assert parse("mariadb://ann@db.example/shop").port == 3306


def test_a_unix_socket_is_named_in_the_query() -> None:
    found = parse("mysql://ann@localhost/shop?unix_socket=%2Frun%2Fmysqld%2Fmysqld.sock")
    assert (found.socket, found.place) == ("/run/mysqld/mysqld.sock", "/run/mysqld/mysqld.sock")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ann@db.example",
        "mysql://ann@db.example/",
        "mysql://ann@db.example/shop/more",
        "mysql://ann@db.example:port/shop",
        "mysql://ann@db.example/shop?timeout=soon",
        "mysql://ann@db.example/shop?timeout=0",
        "mysql://ann@[::1/shop",
        "mysql://ann@db.example/sh`op",
    ],
)
def test_a_malformed_url_is_refused_with_how_to_write_it(url: str) -> None:
    with pytest.raises(ArgumentError) as refusal:
        parse(url)
    assert "mysql://user@host:3306/database" in refusal.value.hint


def test_an_unknown_word_in_the_query_is_refused_by_its_name() -> None:
    with pytest.raises(ArgumentError, match="unknown in the store's URL: ssl_verify"):
        parse("mysql://ann@db.example/shop?ssl_verify=0")


def test_plaintext_over_a_network_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"between here and db\.example"):
        parse("mysql://ann@db.example/shop?plaintext=1")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_plaintext_on_this_machine_can_be_asked_for(host: str) -> None:
    assert parse(f"mysql://ann@{host}/shop?plaintext=1").plaintext


# Passwords


def test_the_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, SENTINEL)
    assert parse("mysql://ann@db.example/shop").with_credentials().password == SENTINEL


def test_the_password_comes_from_a_mysql_option_file(tmp_path: Path) -> None:
    (tmp_path / "my.cnf").write_text(f'[mysqld]\nskip-networking\n[client]\nuser=bob\npassword="{SENTINEL}"\n')
    found = parse(f"mysql://db.example/shop?option_file={tmp_path}/my.cnf").with_credentials()
    assert (found.user, found.password) == ("bob", SENTINEL)


def test_a_user_in_the_url_outranks_that_of_the_option_file(tmp_path: Path) -> None:
    (tmp_path / "my.cnf").write_text("[client]\nuser=bob\n")
    assert parse(f"mysql://ann@db.example/shop?option_file={tmp_path}/my.cnf").with_credentials().user == "ann"


@pytest.mark.parametrize("text", [None, f"password={SENTINEL}\n", f"[client\npassword={SENTINEL}\n"])
def test_an_option_file_that_cannot_be_read_is_refused_without_telling_what_it_holds(
    tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "my.cnf").write_text(text)
    with pytest.raises(StoreError, match=r"my\.cnf") as refusal:
        parse(f"mysql://db.example/shop?option_file={tmp_path}/my.cnf").with_credentials()
    assert "s3ntinel" not in f"{refusal.value}{refusal.value.hint}{refusal.value.__cause__}"


def test_a_password_in_the_url_is_taken_and_not_shown() -> None:
    found = parse(f"mysql://ann:{QUOTED}@db.example/shop").with_credentials()
    assert (found.password, found.shown) == (SENTINEL, "mysql://ann@db.example/shop")
    assert "s3ntinel" not in repr(found)


@pytest.mark.parametrize("password", [SENTINEL, QUOTED, "s3ntinel", "s3ntinel?/@", ":s3ntinel"])
def test_no_refusal_of_a_url_tells_its_password_whatever_characters_that_has(password: str) -> None:
    for url in (f"mysql://ann:{password}@db.example", f"mysql://ann:{password}@db.example:x/shop?bad=1"):
        with pytest.raises(ModeratorError) as refusal:
            parse(url)
        assert "s3ntinel" not in f"{refusal.value}{refusal.value.hint}"


@settings(max_examples=50)
@given(password=st.text(min_size=1, max_size=30), rest=st.sampled_from(["h/d", "h:1/d?ssl_ca=x", ""]))
def test_a_redacted_url_holds_nothing_of_its_password(password: str, rest: str) -> None:
    assert redacted(f"mysql://ann:{password}@{rest}") == f"mysql://ann@{rest}"


@settings(max_examples=30)
@given(st.from_regex(r"mysql://[a-z]{0,5}@?[a-z.]{1,9}/[a-z]{1,5}(\?unix_socket=/[a-z/]{1,9})?", fullmatch=True))
def test_a_url_without_a_password_is_shown_as_it_is(url: str) -> None:
    assert redacted(url) == url


def test_a_sqlite_url_is_shown_as_it_is() -> None:
    assert re.fullmatch(r"sqlite:///.*", redacted("sqlite:////data/a:b@c.db"))
