"""The embedders, stores and reporters that come with moderator, registered like any plugin's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from moderator.hookspecs import hookimpl

if TYPE_CHECKING:
    from moderator.contracts import Embedder, Reporter, Store


@hookimpl
def register_embedders() -> Iterable[type[Embedder]]:
    from moderator.embedders.clip import ClipEmbedder
    from moderator.embedders.onnx import OnnxEmbedder

    return [ClipEmbedder, OnnxEmbedder]


@hookimpl
def register_stores() -> Iterable[type[Store]]:
    from moderator.stores.sql import SqlStore

    return [SqlStore]


@hookimpl
def register_reporters() -> Iterable[type[Reporter]]:
    from moderator.reports.json import JsonReporter
    from moderator.reports.terminal import TerminalReporter

    return [JsonReporter, TerminalReporter]
