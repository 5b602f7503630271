# SPDX-License-Identifier: BSD-3-Clause
"""conftest.py: what all SR-IOV tests share: guests with emulated SR-IOV NICs, one boot of each.

A test that takes `igb` or `virtio` finds the guest without VFs, and with its NICs up; what it
starts in there it ends. How to use the guest: tests/lib/sriov.py.
"""

import pytest

from daemon import build_dir
from sriov import Igb, SriovGuest, Virtio, build_image, virtio_sriov_qemu
from tap import unshare_net

QUEUE = 4096  # frames on a wire; the kernel's default of 10 loses some of every burst
running = []


@pytest.fixture(scope='session', name='sriov_image')
def fixture_sriov_image():
    """The directory of what the guests boot."""
    return build_image(build_dir())


@pytest.fixture(scope='session', name='wires')
def fixture_wires():
    """Room for bursts on the wires, in a network namespace of our own. The wires are sockets with a
    path, which a module with another namespace reaches as well."""
    unshare_net()
    with open('/proc/sys/net/unix/max_dgram_qlen', 'w', encoding='ascii') as f:
        f.write(str(QUEUE))


def booted(guest):
    """Boots a guest, lends it, ends it."""
    running.append(guest)
    try:
        guest.boot()
        yield guest
    finally:
        running.remove(guest)
        guest.shut()


def lent(guest):
    """Lends a guest to a test and puts its NICs back in order."""
    yield guest
    for pf in guest.pfs:
        pf.restore()


@pytest.fixture(scope='session', name='igb_guest')
def fixture_igb_guest(sriov_image, wires, tmp_path_factory):
    """A guest with two igb NICs."""
    del wires
    yield from booted(SriovGuest('igb', tmp_path_factory.mktemp('g'), sriov_image,
                                 [Igb(), Igb()], thread='single'))


@pytest.fixture(name='igb')
def fixture_igb(igb_guest):
    """The guest with two igb NICs, for one test."""
    yield from lent(igb_guest)


@pytest.fixture(scope='session', name='virtio_guest')
def fixture_virtio_guest(sriov_image, wires, tmp_path_factory):
    """A guest with a virtio-net NIC that has two VFs, and one that has a VF of several queues."""
    del wires
    yield from booted(SriovGuest('virtio', tmp_path_factory.mktemp('g'), sriov_image,
                                 [Virtio(2), Virtio(1, n_queues=4)],
                                 virtio_sriov_qemu(build_dir())))


@pytest.fixture(name='virtio')
def fixture_virtio(virtio_guest):
    """The guest with two virtio-net NICs, for one test."""
    yield from lent(virtio_guest)


@pytest.fixture(scope='session', name='vhost_guest')
def fixture_vhost_guest(sriov_image, tmp_path_factory):
    """A guest without NICs, whose kernel has vhost-net."""
    yield from booted(SriovGuest('vhost', tmp_path_factory.mktemp('g'), sriov_image, []))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """With a failure comes what QEMU and the guest's kernel said."""
    report = (yield).get_result()
    if report.failed:
        report.sections += [(f'guest {guest.name}', guest.whole_log()) for guest in running]
