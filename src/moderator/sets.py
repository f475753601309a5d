"""The reference sets of one scan: what the policy declares, and what the store holds of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property

from moderator.contracts import Store
from moderator.models import Reference
from moderator.policy import Policy, ReferenceSet
from moderator.search.prompts import prompts_of


class Sets:
    """Knows the sets that a policy declares and those added by command. Named sets are those of a rule; none: all."""

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy

    @cached_property
    def declared(self) -> Mapping[str, ReferenceSet]:
        """Every set by name, with what the policy says of it."""
        added = dict.fromkeys(self._filled, ReferenceSet())
        return {**added, **self._policy.reference_sets}

    @cached_property
    def _filled(self) -> Sequence[str]:
        return self._store.filled_sets()

    def have_pictures(self, named: Sequence[str]) -> bool:
        """Whether any of these sets holds a picture."""
        return any(not named or name in named for name in self._filled)

    def lacking(self, named: Sequence[str]) -> Iterator[str]:
        """Yields what to say of each of these sets that holds neither a picture nor a text; an allowlist may."""
        if not (named or self.declared):
            yield "no references in any set: nothing could match; fill it with `moderator references add`"
        for name in named or self.declared:
            declared = self.declared.get(name, ReferenceSet())
            if name not in self._filled and not declared.prompts and not declared.allow:
                how = "put pictures into its folder" if declared.folder else "fill it with `moderator references add`"
                yield f"no references in the set {name}: nothing could match; {how}"

    def members(self, named: Sequence[str]) -> Callable[[Sequence[int] | None], Sequence[int]]:
        """Returns what narrows contents (of all: None) to those that these sets hold."""

        def held(contents: Sequence[int] | None) -> Sequence[int]:
            return sorted({one.content for one in self._store.references(named, contents)})

        everything = cache(lambda: held(None))
        return lambda contents: everything() if contents is None else held(contents)

    def entries(self, named: Sequence[str], contents: Collection[int]) -> Mapping[int, Sequence[Reference]]:
        """Returns the entries of these sets by content, with what the policy says of their sets."""
        found: dict[int, list[Reference]] = {}
        for reference in self._store.references(named, sorted(contents)):
            found.setdefault(reference.content, []).append(self._told(reference))
        return found

    def prompts(self, named: Sequence[str]) -> Sequence[Reference]:
        """Returns the texts of these sets."""
        return prompts_of({name: self.declared[name] for name in named if name in self.declared})

    def _told(self, reference: Reference) -> Reference:
        declared = self._policy.reference_sets.get(reference.set)
        if declared is None:
            return reference
        return replace(reference, severity=declared.severity, set_label=declared.label, allow=declared.allow)
