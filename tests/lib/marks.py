# SPDX-License-Identifier: BSD-3-Clause
"""marks.py: which cases of a test run by default, and which only by tests/run --long."""

import pytest


def choose(names, *default):
    """Parameters for pytest: all names, of which the default ones are always run."""
    unknown = set(default) - set(names)
    assert default and not unknown, f'there are no cases {unknown}'
    return [name if name in default else pytest.param(name, marks=pytest.mark.long)
            for name in names]
