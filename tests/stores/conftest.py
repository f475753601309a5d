"""What the tests of stores share; the contract's asserts are rewritten as a test module's are."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("tests.stores.contract")
