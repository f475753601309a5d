"""Plugins are found by entry point; a broken one is named and never in the way of the others."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest

import moderator
from moderator.errors import ArgumentError, PluginError
from moderator.models import Report
from moderator.registry import Registry

Install = Callable[..., None]


def reporter(format_name: str) -> type[moderator.Reporter]:
    """A real reporter that renders its own name."""

    class Named(moderator.Reporter):
        name = format_name

        def render(self, report: Report) -> str:
            return format_name

    return Named


def plugin_with(*reporters: object) -> object:
    """A plugin that registers these reporters."""

    class Plugin:
        @moderator.hookimpl
        def register_reporters(self) -> list[object]:
            return list(reporters)

    return Plugin()


class Raising:
    """A plugin whose hooks raise."""

    @moderator.hookimpl
    def register_reporters(self) -> list[object]:
        raise RuntimeError("no disk\nsecond line")

    @moderator.hookimpl
    def scan_finished(self, report: Report) -> None:
        raise SystemExit("leaving")


def a_report() -> Report:
    return Report("policy", "store", "2025-01-01T00:00:00", 0.0, judged=0, embedded=0, unchanged=0)


def test_discovery_finds_the_builtin_plugin(own_entry_points: None) -> None:
    registry = Registry.discover()
    assert "builtin" in [plugin.name for plugin in registry.plugins]
    assert {"clip", "onnx"} <= set(registry.embedders)


def test_discovery_finds_a_strangers_plugin_with_its_version(installed: Install) -> None:
    source = (
        "from moderator import Reporter, hookimpl\n"
        "class Shout(Reporter):\n"
        "    name = 'shout'\n"
        "    def render(self, report):\n"
        "        return 'HEY'\n"
        "@hookimpl\n"
        "def register_reporters():\n"
        "    return [Shout]\n"
    )
    installed("stranger", "1.2.3", {"stranger": "stranger_plugin"}, stranger_plugin=source)
    registry = Registry.discover()
    assert registry.reporter("shout").render(a_report()) == "HEY"
    assert [plugin.version for plugin in registry.plugins if plugin.name == "stranger"] == ["1.2.3"]


@pytest.mark.parametrize("statement", ["raise ValueError('no luck')", "raise SystemExit(3)", "import nowhere_at_all"])
def test_a_plugin_that_cannot_be_imported_is_a_fault_with_its_version(
    installed: Install, own_entry_points: None, statement: str
) -> None:
    installed("broken", "0.9", {"aaa-broken": "broken_plugin"}, broken_plugin=statement)
    registry = Registry.discover()
    faults = [fault for fault in registry.faults if fault.plugin == "aaa-broken"]
    assert [(fault.version, fault.where) for fault in faults] == [("0.9", "import")]
    assert "clip" in registry.embedders


def test_two_distributions_with_one_plugin_name_are_refused(installed: Install) -> None:
    for owner in ("first", "second"):
        installed(owner, "1", {"same": f"{owner}_module"}, **{f"{owner}_module": ""})
    with pytest.raises(PluginError, match="two plugins are named `same`"):
        Registry.discover()


def test_two_owners_of_one_name_are_refused_and_both_are_told() -> None:
    registry = Registry()
    registry.register(plugin_with(reporter("csv")), "one")
    registry.register(plugin_with(reporter("csv")), "two")
    with pytest.raises(PluginError, match=r"`one` and `two` both register `csv`"):
        _ = registry.reporters


def test_one_class_registered_twice_has_one_owner() -> None:
    registry = Registry()
    shared = reporter("csv")
    registry.register(plugin_with(shared), "one")
    registry.register(plugin_with(shared), "two")
    assert dict(registry.reporters) == {"csv": shared}


def test_a_hook_that_raises_is_a_fault_and_the_others_still_answer() -> None:
    registry = Registry()
    registry.register(plugin_with(reporter("before")), "aaa")
    registry.register(Raising(), "raising", "2.0")
    registry.register(plugin_with(reporter("after")), "zzz")
    assert list(registry.reporters) == ["after", "before"]
    (fault,) = registry.faults
    assert (fault.plugin, fault.version, fault.where) == ("raising", "2.0", "register_reporters")
    assert fault.message == "RuntimeError: no disk"


def test_a_hook_that_exits_after_a_scan_is_returned_as_a_fault() -> None:
    registry = Registry()
    registry.register(Raising(), "raising", "2.0")
    (fault,) = registry.scan_finished(a_report())
    assert (fault.where, fault.message) == ("scan_finished", "SystemExit: leaving")


def test_every_plugin_hears_of_a_finished_scan() -> None:
    heard: list[Report] = []

    class Listening:
        @moderator.hookimpl
        def scan_finished(self, report: Report) -> None:
            heard.append(report)

    registry = Registry()
    registry.register(Raising(), "raising")
    registry.register(Listening(), "listening")
    registry.scan_finished(report := a_report())
    assert heard == [report]


@pytest.mark.parametrize("name", [None, "", "two words", "../up", 7])
def test_a_class_without_a_usable_name_is_a_fault(name: object) -> None:
    registry = Registry()
    registry.register(plugin_with(SimpleNamespace(name=name), reporter("good")), "nameless", "3")
    assert list(registry.reporters) == ["good"]
    (fault,) = registry.faults
    assert (fault.plugin, fault.version) == ("nameless", "3")
    assert "no usable `name`" in fault.message


def test_a_hook_that_returns_no_list_is_a_fault() -> None:
    class Wrong:
        @moderator.hookimpl
        def register_reporters(self) -> int:
            return 7

    registry = Registry()
    registry.register(Wrong(), "wrong")
    assert dict(registry.reporters) == {}
    assert [fault.plugin for fault in registry.faults] == ["wrong"]


def test_an_unknown_hook_is_a_fault_of_its_plugin_alone(installed: Install, own_entry_points: None) -> None:
    source = "from moderator import hookimpl\n@hookimpl\ndef register_dectectors():\n    return []\n"
    installed("misspelt", "0.1", {"aaa-misspelt": "misspelt_plugin"}, misspelt_plugin=source)
    registry = Registry.discover()
    faults = [fault for fault in registry.faults if "register_dectectors" in fault.message]
    assert [(fault.plugin, fault.version) for fault in faults] == [("aaa-misspelt", "0.1")]
    assert "aaa-misspelt" not in [plugin.name for plugin in registry.plugins]
    assert "builtin" in [plugin.name for plugin in registry.plugins]


def test_a_hook_that_asks_for_an_unknown_argument_is_a_fault_of_its_plugin_alone(
    installed: Install, own_entry_points: None
) -> None:
    source = "from moderator import hookimpl\n@hookimpl\ndef scan_finished(verdict): ...\n"
    installed("greedy", "0.1", {"aaa-greedy": "greedy_plugin"}, greedy_plugin=source)
    registry = Registry.discover()
    assert "aaa-greedy" in [fault.plugin for fault in registry.faults]
    assert "aaa-greedy" not in [plugin.name for plugin in registry.plugins]
    assert registry.scan_finished(a_report()) == []


def test_an_unknown_report_format_is_refused_with_those_that_are_known() -> None:
    registry = Registry()
    registry.register(plugin_with(reporter("csv"), reporter("html")), "formats")
    with pytest.raises(ArgumentError, match="`pdf`") as refusal:
        registry.reporter("pdf")
    assert refusal.value.hint == "known here: csv, html"


def test_a_store_of_an_unknown_scheme_is_refused_without_telling_the_url() -> None:
    with pytest.raises(ArgumentError, match="`oracle`") as refusal:
        Registry().open_store("oracle://scott:tiger@host/db")
    assert "tiger" not in str(refusal.value) + refusal.value.hint


def test_the_vocabulary_knows_the_options_of_every_embedder(own_entry_points: None) -> None:
    options = Registry.discover().vocabulary()["embedder"]["onnx"]
    assert options is not None
    assert "layout" in options.model_fields
