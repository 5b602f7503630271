# SPDX-License-Identifier: BSD-3-Clause
"""conftest.py: what all functional tests share: the way to tests/lib, and a network of their own.

Run them by `sudo tests/run --only functional`, or one by hand:
    sudo /usr/bin/python3 -m pytest tests/functional/test_fdb.py -k age
"""

import os
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))

from tap import unshare_net  # noqa: E402  after the path to it


def pytest_configure(config):
    """Markers, and a machine that these tests can run on."""
    config.addinivalue_line('markers', 'quick: also run on the build that is not sanitized')
    config.addinivalue_line('markers', 'long: only by tests/run --long')
    if os.geteuid() != 0:
        pytest.exit('functional tests need root: sudo tests/run', 2)
    unshare_net()
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    # the kernel must not send frames of its own through the TAPs under test
    with open('/proc/sys/net/ipv6/conf/default/disable_ipv6', 'w', encoding='ascii') as f:
        f.write('1')


@pytest.fixture
def kernel_ipv6():
    """IPv6 on new interfaces, for tests of the kernel's own addresses."""
    path = '/proc/sys/net/ipv6/conf/default/disable_ipv6'
    for value in ('0', '1'):
        with open(path, 'w', encoding='ascii') as f:
            f.write(value)
        if value == '0':
            yield
