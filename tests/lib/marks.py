# SPDX-License-Identifier: BSD-3-Clause
"""marks.py: which cases of a test run by default, and which only by tests/run --long."""

import pytest


def choose(names, *default):
    """Parameters for pytest: all names, of which the default ones are always run."""
    unknown = set(default) - set(names)
    assert default and not unknown, f'there are no cases {unknown}'
    return [name if name in default else pytest.param(name, marks=pytest.mark.long)
            for name in names]


def rounds(few, many):
    """Parametrizes a test by its rounds: few by default; many with the default of all else."""
    return pytest.mark.parametrize('rounds', [
        few, pytest.param(many, marks=[pytest.mark.long, pytest.mark.many])])


def drop_products(items):
    """Leaves out the cases with many rounds that are long for another reason, too."""
    items[:] = [item for item in items if not item.get_closest_marker('many') or
                len(list(item.iter_markers('long'))) == 1]
