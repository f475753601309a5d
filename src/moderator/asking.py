"""Asks every rule of a policy, and holds what its detector yields to the contract of detectors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from moderator.contracts import Embedder, Progress
from moderator.errors import ArgumentError, ModeratorError
from moderator.ladder import StoredSearch
from moderator.models import Fault, Finding
from moderator.policy import PROHIBITED, Policy, Rule
from moderator.registry import Registry, describe


def check_prompts(policy: Policy, embedders: Mapping[str, Embedder]) -> None:
    """Raises: ArgumentError for texts that no rule could ask about."""
    rules = policy.rules_of(PROHIBITED)
    for name, declared in policy.reference_sets.items():
        asking = (embedders[policy.embedder_of(rule)] for rule in rules if policy.asks(rule, name))
        if declared.prompts and not any(embedder.reads_text for embedder in asking):
            raise ArgumentError(
                f"the reference set `{name}` has prompts, but no rule that asks it has a model that reads text",
                hint="give a `prohibited` rule a CLIP embedder, or remove the prompts",
            )


def ask(
    policy: Policy, registry: Registry, asked: Sequence[tuple[Rule, StoredSearch]], progress: Progress
) -> tuple[list[Finding], list[Fault]]:
    """Asks every rule; one whose detector fails is a fault, and the others still answer.

    Findings are in the policy's order, whichever rules are `asked_last`.
    """
    findings: list[Finding] = []
    faults: list[Fault] = []
    with progress.stage("Asking the rules", len(asked)) as advance:
        for rule, search in sorted(asked, key=lambda one: registry.detectors[one[0].detector].asked_last):
            try:
                detector = registry.detectors[rule.detector](rule, policy.embedder_of(rule))
                for finding in detector.detect(search):
                    _check(finding, rule)
                    findings.append(finding)
            except ModeratorError:
                raise
            except Exception as error:
                plugin = registry.owner_of(rule.detector)
                faults.append(Fault(plugin.name, plugin.version, f"rule {rule.id}", describe(error)))
            advance(1)
    places = {rule.id: place for place, (rule, _) in enumerate(asked)}
    return sorted(findings, key=lambda finding: places[finding.rule]), faults


def _check(finding: object, rule: Rule) -> None:
    """Refuses what a detector must not yield. Raises: TypeError, ValueError."""
    if not isinstance(finding, Finding):
        raise TypeError(f"a detector yields findings, not {type(finding).__name__}")
    if finding.rule != rule.id:
        raise ValueError(f"a finding of the rule `{finding.rule}` was yielded for `{rule.id}`")
    if not finding.evidence:
        raise ValueError("a finding without evidence")
    for rung in finding.evidence:
        if rung.score is not None and not math.isfinite(rung.score):
            raise ValueError(f"the score of `{rung.signal}` is not a number")
