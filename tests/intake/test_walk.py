"""Every path is either found or passed over with a reason; nothing is followed, opened or met twice."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path

import pytest

from moderator.contracts import Found
from moderator.errors import ArgumentError
from moderator.intake.walk import walk
from moderator.models import Unjudged
from moderator.paths import printable


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(sources: Iterable[str], **options: object) -> list[str]:
    """The names of what is found."""
    items = walk(list(sources), **options)  # type: ignore[arg-type]
    return [item[0].name for item in items if not isinstance(item, Unjudged)]


def codes(sources: Iterable[str], **options: object) -> dict[str, str]:
    """What is passed over, by name."""
    items = walk(list(sources), **options)  # type: ignore[arg-type]
    return {item.path: item.code for item in items if isinstance(item, Unjudged)}


def touch(*paths: str) -> None:
    for path in paths:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_bytes(b"x")


def test_a_folder_is_walked_in_sorted_order_files_first(here: Path) -> None:
    touch("in/b/2.png", "in/b/1.png", "in/a/3.png", "in/z.png")
    assert names(["in"]) == ["in/z.png", "in/a/3.png", "in/b/1.png", "in/b/2.png"]


def test_what_is_found_below_a_dot_is_named_without_it(here: Path) -> None:
    touch("one.png", "in/two.png", "in/.git/three.png")
    for sources in (["."], ["./"], ["./."], ["./one.png", ".//in"]):
        assert names(sources) == ["one.png", "in/two.png", "in/.git/three.png"]
    assert codes(["."], exclude=[".git"]) == {"in/.git": "excluded"}


def test_a_file_that_is_named_is_told_apart_from_one_met_in_a_folder(here: Path) -> None:
    touch("named.txt", "in/met.txt")
    flags = {item[0].name: item[1] for item in walk(["named.txt", "in"]) if not isinstance(item, Unjudged)}
    assert flags == {"named.txt": True, "in/met.txt": False}


def test_what_is_found_carries_what_tells_a_change(here: Path) -> None:
    Path("one.png").write_bytes(b"12345")
    os.utime("one.png", ns=(5, 1_700_000_000_123_456_789))
    (item,) = walk(["one.png"])
    assert item == (Found("one.png", str(here / "one.png"), 5, 1_700_000_000_123_456_789, {}), True)


def test_a_file_reached_in_several_ways_is_found_once(here: Path) -> None:
    touch("in/one.png")
    assert names(["in", "in/one.png", "./in/../in", str(here / "in")]) == ["in/one.png"]


def test_hard_links_are_two_pictures(here: Path) -> None:
    touch("in/one.png")
    os.link("in/one.png", "in/two.png")
    assert names(["in"]) == ["in/one.png", "in/two.png"]


def test_a_pattern_is_expanded(here: Path) -> None:
    touch("in/1.png", "in/2.jpg", "in/deep/3.png")
    assert names(["in/**/*.png"]) == ["in/1.png", "in/deep/3.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_taken_as_it_is(here: Path) -> None:
    touch("a[1].png", "a1.png")
    assert names(["a[1].png"]) == ["a[1].png"]


@pytest.mark.parametrize("source", ["nowhere", "*.png", "in/nothing/*"])
def test_a_source_that_is_not_there_is_refused_by_name(here: Path, source: str) -> None:
    with pytest.raises(ArgumentError, match="no such file or folder") as refusal:
        list(walk([source]))
    assert source in str(refusal.value)


def test_all_sources_are_checked_before_the_first_file_is_yielded(here: Path) -> None:
    touch("one.png")
    with pytest.raises(ArgumentError, match="nowhere"):
        next(walk(["one.png", "nowhere"]))


def test_no_source_at_all_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no pictures were named"):
        list(walk([]))


def test_a_dash_reads_the_list(here: Path) -> None:
    touch("1.png", "2 two.png")
    assert names(["-"], listed=["1.png\n", "\n", "2 two.png\r\n"]) == ["1.png", "2 two.png"]


def test_a_listed_path_that_is_gone_is_told_and_the_rest_are_found(here: Path) -> None:
    touch("1.png")
    assert names(["-"], listed=["gone.png", "1.png"]) == ["1.png"]
    assert codes(["-"], listed=["gone.png", "1.png"]) == {"gone.png": "missing"}


def test_a_listed_path_with_a_null_byte_is_told(here: Path) -> None:
    assert codes(["-"], listed=["a\0b.png"]) == {"a\0b.png": "missing"}


def test_a_manifest_names_pictures_with_their_metadata(here: Path) -> None:
    touch("shop/pictures/1.png")
    Path("shop/list.csv").write_text("path,sku\npictures/1.png,A-7\n")
    (item,) = walk(["shop/list.csv"])
    assert not isinstance(item, Unjudged)
    assert item[0].name == "shop/pictures/1.png"
    assert item[0].metadata == {"sku": "A-7"}


def test_a_manifest_inside_a_folder_is_not_read(here: Path) -> None:
    touch("in/1.png")
    Path("in/list.csv").write_text("path\nnowhere.png\n")
    assert names(["in"]) == ["in/1.png", "in/list.csv"]


def test_metadata_is_joined_by_absolute_path(here: Path) -> None:
    touch("in/1.png", "in/2.png")
    table = {str(here / "in/2.png"): {"sku": "B"}}
    found = [item[0].metadata for item in walk(["in"], metadata=table) if not isinstance(item, Unjudged)]
    assert found == [{}, {"sku": "B"}]


def test_a_symbolic_link_is_told_and_not_followed(here: Path) -> None:
    touch("secret/one.png", "in/two.png")
    Path("in/link.png").symlink_to(here / "secret/one.png")
    Path("in/folder").symlink_to(here / "secret")
    Path("in/dangling").symlink_to("nowhere")
    Path("in/loop").symlink_to(here / "in")
    assert names(["in"]) == ["in/two.png"]
    assert codes(["in"]) == dict.fromkeys(["in/link.png", "in/folder", "in/dangling", "in/loop"], "symlink")


def test_a_named_symbolic_link_to_a_file_is_told_too(here: Path) -> None:
    touch("one.png")
    Path("link.png").symlink_to("one.png")
    assert codes(["link.png"]) == {"link.png": "named_symlink"}


def test_a_pipe_and_a_socket_are_told_and_not_opened(here: Path) -> None:
    Path("in").mkdir()
    os.mkfifo("in/pipe.png")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("in/socket.png")
        assert codes(["in"]) == {"in/pipe.png": "not_regular", "in/socket.png": "not_regular"}


def test_a_device_is_told(here: Path) -> None:
    assert codes(["/dev/null"]) == {"/dev/null": "named_not_regular"}


def test_an_excluded_folder_is_told_and_not_entered(here: Path) -> None:
    touch("in/.git/hidden.png", "in/deep/.git/hidden.png", "in/one.png")
    assert names(["in"], exclude=[".git"]) == ["in/one.png"]
    assert codes(["in"], exclude=[".git"]) == {"in/.git": "excluded", "in/deep/.git": "excluded"}


def test_a_folder_that_is_named_is_entered_even_where_its_name_is_excluded(here: Path) -> None:
    touch("node_modules/one.png")
    assert names(["node_modules"], exclude=["node_modules"]) == ["node_modules/one.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root lists every folder")
def test_a_folder_that_cannot_be_listed_is_told(here: Path) -> None:
    touch("in/shut/one.png", "in/two.png")
    Path("in/shut").chmod(0)
    try:
        assert codes(["in"]) == {"in/shut": "unreadable_folder"}
        assert names(["in"]) == ["in/two.png"]
    finally:
        Path("in/shut").chmod(0o700)


def test_a_folder_nested_deeply_is_walked(here: Path) -> None:
    deep = Path("in")
    for _ in range(300):
        deep.mkdir()
        deep /= "d"
    deep.mkdir()
    (deep / "one.png").touch()
    assert names(["in"]) == [str(deep / "one.png")]


def test_hostile_names_are_found_and_can_be_printed(here: Path) -> None:
    folder = os.fsencode(here) + b"/in"
    os.mkdir(folder)  # noqa: PTH102 - a name that is no text
    for name in (b"new\nline.png", b"caf\xe9.png", b"-rf.png", b"=1+1.png", b"\x1b[31m.png", b"a:b.png"):
        with open(folder + b"/" + name, "wb"):  # noqa: PTH123
            pass
    assert sorted(names(["in"])) == [
        "in/\x1b[31m.png", "in/-rf.png", "in/=1+1.png", "in/a:b.png", "in/caf\\xe9.png", "in/new\nline.png",
    ]  # fmt: skip


def test_a_name_that_is_no_utf8_keeps_its_own_path(here: Path) -> None:
    with open(os.fsencode(here) + b"/caf\xe9.png", "wb"):  # noqa: PTH123
        pass
    (item,) = walk(["."])
    assert not isinstance(item, Unjudged)
    assert os.fsencode(item[0].path) == os.fsencode(here) + b"/caf\xe9.png"


def test_printable_leaves_text_alone_and_shows_other_bytes() -> None:
    assert printable("naïve 猫.png") == "naïve 猫.png"
    assert printable(os.fsdecode(b"caf\xe9\xff")) == "caf\\xe9\\xff"
