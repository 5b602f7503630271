# SPDX-License-Identifier: BSD-3-Clause
"""conftest.py: what all guest tests share: the way to tests/lib, the guest image, and a network
namespace for each module.

Run them by `sudo tests/run --only guest`, or some by hand:
    sudo /usr/bin/python3 -m pytest tests/guest -k restart
"""

import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))

from daemon import build_dir  # noqa: E402  after the path to it
from guest import build_image  # noqa: E402
from marks import drop_products  # noqa: E402
from tap import unshare_net  # noqa: E402


def pytest_configure(config):
    """Markers, and a machine that these tests can run on."""
    config.addinivalue_line('markers', 'long: only by tests/run --long')
    config.addinivalue_line('markers', 'many: one of many rounds')
    if os.geteuid() != 0:
        pytest.exit('guest tests need root: sudo tests/run', 2)


def pytest_collection_modifyitems(items):
    """Those that are worth their time."""
    drop_products(items)


@pytest.fixture(scope='session', name='image')
def fixture_image():
    """The directory of what the guests boot."""
    return build_image(os.path.join(build_dir(), 'guest'))


@pytest.fixture(scope='module', autouse=True, name='network')
def fixture_network():
    """A network namespace, so that TAP and addresses are nobody else's."""
    unshare_net()
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    return True
