"""Finds plugins by entry point and hands out what they register; the one file that touches `pm.hook`.

A plugin that cannot be imported, or whose hook raises, is a `Fault`: named with its version, never silent,
and never in the way of the others. Two owners of one name are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from moderator import hookspecs
from moderator.errors import ArgumentError, PluginError, did_you_mean

if TYPE_CHECKING:
    import typer
    from pydantic import BaseModel

    from moderator.contracts import Detector, Embedder, Reporter, Store
    from moderator.models import Fault, Report
    from moderator.policy import EmbedderSpec, Policy


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that was found: its entry point's name, its distribution's version, its module."""

    name: str
    version: str
    module: str


class Registry:
    """The plugins of this process. Made with `Registry.discover()`, or by hand in tests with `register`."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(hookspecs.GROUP)
        self._manager.add_hookspecs(hookspecs)
        self.plugins: list[Plugin] = []
        self.faults: list[Fault] = []
        self._owners: dict[tuple[str, str], str] = {}

    @classmethod
    def discover(cls) -> Registry:
        """Returns a registry of every installed plugin, in the order of their names."""
        registry = cls()
        found: dict[tuple[str, str], EntryPoint] = {}
        for point in entry_points(group=hookspecs.GROUP):
            found.setdefault((point.name, point.value), point)
        for point in sorted(found.values(), key=lambda point: (point.name, point.value)):
            registry._load(point)
        return registry

    def _load(self, point: EntryPoint) -> None:
        version = point.dist.version if point.dist else "unknown"
        try:
            self.register(point.load(), point.name, version)
        except PluginError:
            raise
        except (Exception, SystemExit) as error:
            self._fault(point.name, "import", error, version)

    def register(self, plugin: object, name: str, version: str = "unknown") -> None:
        """Adds one plugin.

        Raises:
            PluginError: another one has its name.
            pluggy.PluginValidationError: it implements a hook that is none, or with arguments that are none.
        """
        if self._manager.has_plugin(name):
            raise PluginError(
                f"two plugins are named `{name}`", hint="uninstall one, or rename its entry point"
            )
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError:
            self._manager.unregister(name=name)  # or its unknown hook would be held against every later plugin
            raise
        module = getattr(plugin, "__name__", type(plugin).__name__)
        self.plugins.append(Plugin(name, version, module))

    def _version(self, plugin: str) -> str:
        return next((found.version for found in self.plugins if found.name == plugin), "unknown")

    def _collect(self, hook: str, key: str) -> dict[str, Any]:
        owned: dict[str, tuple[str, Any]] = {}
        for plugin, result in self._each(hook):
            for item in result:
                value = getattr(item, key, None)
                names = value if isinstance(value, tuple) and value else (value,)
                for name in names:
                    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]*", name):
                        self._fault(plugin, hook, TypeError(f"{item!r} has no usable `{key}`"))
                    elif name in owned and owned[name][1] is not item:
                        raise PluginError(
                            f"the plugins `{owned[name][0]}` and `{plugin}` both register `{name}` ({hook})",
                            hint="uninstall one of them",
                        )
                    else:
                        owned[name] = (plugin, item)
        self._owners.update({(hook, name): plugin for name, (plugin, _) in owned.items()})
        return {name: owned[name][1] for name in sorted(owned)}

    def _each(self, hook: str, **arguments: object) -> list[tuple[str, Sequence[Any]]]:
        """Calls a hook plugin by plugin, so that one that raises is named and the others still answer."""
        results: list[tuple[str, Sequence[Any]]] = []
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            taken = {name: arguments[name] for name in implementation.argnames}
            try:
                results.append((implementation.plugin_name, list(implementation.function(**taken) or ())))
            except (Exception, SystemExit) as error:
                self._fault(implementation.plugin_name, hook, error)
        return sorted(results, key=lambda result: result[0])

    def _fault(self, plugin: str, where: str, error: BaseException, version: str = "") -> None:
        from moderator.models import Fault

        fault = Fault(plugin, version or self._version(plugin), where, describe(error))
        if fault not in self.faults:
            self.faults.append(fault)

    @cached_property
    def detectors(self) -> Mapping[str, type[Detector]]:
        return self._collect("register_detectors", "name")

    @cached_property
    def embedders(self) -> Mapping[str, type[Embedder]]:
        return self._collect("register_embedders", "name")

    @cached_property
    def stores(self) -> Mapping[str, type[Store]]:
        return self._collect("register_stores", "schemes")

    @cached_property
    def reporters(self) -> Mapping[str, type[Reporter]]:
        return self._collect("register_reporters", "name")

    def reporter(self, name: str, *, width: int = 100, colour: bool = False) -> Reporter:
        """Returns a reporter by format name. Raises: ArgumentError when there is none."""
        if name not in self.reporters:
            raise ArgumentError(f"no report format named `{name}`", hint=did_you_mean(name, list(self.reporters)))
        return self.reporters[name](width=width, colour=colour)

    def check_store(self, url: str) -> str:
        """Returns `url` without secrets, and opens nothing. Raises: ArgumentError for one that no store has."""
        return self.store_type(url).checked(url)

    def open_store(self, url: str) -> Store:
        """Opens the store at `url`. Raises: ArgumentError for an unknown scheme, StoreError."""
        return self.store_type(url).open(url)

    def store_type(self, url: str) -> type[Store]:
        """Returns what opens the store at `url`. Raises: ArgumentError for an unknown scheme."""
        scheme, is_url, _ = url.partition(":")
        if not is_url:
            raise ArgumentError(f"`{url}` is no URL of a store", hint=f"for a file, write sqlite:///{url}")
        if scheme not in self.stores:
            hint = did_you_mean(scheme, list(self.stores))
            raise ArgumentError(f"no store takes URLs of the scheme `{scheme}`", hint=hint)
        return self.stores[scheme]

    def make_embedder(self, spec: EmbedderSpec) -> Embedder:
        """Returns the embedder that `spec` declares. Raises: ArgumentError for an unknown type, ModelError."""
        if spec.type not in self.embedders:
            hint = did_you_mean(spec.type, list(self.embedders))
            raise ArgumentError(f"no embedder plugin named `{spec.type}`", hint=hint)
        return self.embedders[spec.type](spec)

    def make_embedders(self, policy: Policy) -> Mapping[str, Embedder]:
        """Returns the embedders that the policy's rules use, by name, each known to have its weights.

        Raises: ArgumentError for an unknown type, ModelError for weights that cannot be had.
        """
        made = {name: self.make_embedder(policy.embedders[name]) for name in policy.used}
        for embedder in made.values():
            _ = embedder.model  # asked for now, so that missing weights are told before anything is read
        return made

    def vocabulary(self) -> Mapping[str, Mapping[str, type[BaseModel] | None]]:
        """Returns the names a policy may use, with the type of their options."""
        return {
            "detector": {name: item.options_model for name, item in self.detectors.items()},
            "embedder": {name: item.options_model for name, item in self.embedders.items()},
        }

    def add_commands(self, app: typer.Typer) -> None:
        """Lets plugins add their commands."""
        self._each("register_commands", app=app)

    def scan_finished(self, report: Report) -> Iterable[Fault]:
        """Tells every plugin of a finished scan and returns the faults this brought."""
        before = len(self.faults)
        self._each("scan_finished", report=report)
        return self.faults[before:]

    def owner_of(self, detector: str) -> Plugin:
        """Returns the plugin that registers a detector."""
        _ = self.detectors
        owner = self._owners["register_detectors", detector]
        return next(found for found in self.plugins if found.name == owner)


def describe(error: BaseException) -> str:
    """Returns an error's type and first line: no traceback, no locals."""
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
