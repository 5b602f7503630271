# SPDX-License-Identifier: BSD-3-Clause
"""QEMU 7.2, Debian 12's own, on ports of either mode: what its guests go through there. Without
KVM it crashes as soon as a guest uses MSI-X on such a NIC, so they have none."""

import os

import pytest
from daemon import build_dir
from guest import GuestError, Nic, qemu_version, transfer
from guestnet import HOST, GuestNet
from migration import Echo, Movable

pytestmark = pytest.mark.long
OPTIONS = 'vectors=0'
BACK_S = 20


def qemu_72():
    """The private copy that tests/lib/install makes."""
    qemu = os.path.join(build_dir(), 'guest-qemu-7.2', 'run')
    if qemu_version(qemu) != (7, 2):
        raise GuestError(f'there is no QEMU 7.2: run VSWITCH_BUILD={build_dir()} tests/lib/install '
                         'qemu-7.2')
    return qemu


@pytest.fixture(scope='module', name='net', params=['server', 'client'])
def fixture_net(request, image):
    """Two guests, and a port that one of them can move to."""
    names = ('vm1', 'vm2', 'new')
    with GuestNet(image, {name: {'mode': request.param} for name in names},
                  {name: {'options': OPTIONS} for name in names},
                  {name: {'qemu': qemu_72()} for name in names}, boot=False) as net:
        del net.guests['new']
        net.boot('vm1', 'vm2')
        yield net


def test_traffic(net):
    """Files and pings, in every direction."""
    net.check_pings(2, 1472)
    for sender, receiver in net.pairs():
        assert transfer(sender, receiver, 4).intact()


@pytest.mark.parametrize('how', ['reset', 'reboot', 'stop and cont'])
def test_guest_comes_back(net, how):
    """It reboots, or stands still for a moment."""
    vm1 = net['vm1']
    if how == 'reset':
        vm1.reset()
    elif how == 'reboot':
        vm1.reboot()
    else:
        vm1.qmp('stop')
        net.daemon.wait_link('vm1', up=False)
        vm1.qmp('cont')
    assert transfer(net['vm2'], net.host, 2).intact()
    if how != 'stop and cont':
        vm1.wait_ready()
    net.wait_pings(BACK_S)


def test_switch_comes_back(net):
    """The switch is killed, or ends."""
    for end in ('kill9', 'stop'):
        assert getattr(net.daemon, end)() in (None, 0)
        net.daemon.start()
        net.wait_pings(BACK_S)
    assert transfer(net['vm1'], net['vm2'], 4).intact()


def test_qemu_comes_back(net):
    """A QEMU is killed and started again."""
    net['vm2'].kill9()
    net.daemon.wait_link('vm2', up=False)
    assert net['vm1'].ping(HOST) == 3
    net.boot('vm2')
    net.wait_pings(BACK_S)


def test_second_nic(net):
    """A NIC is plugged in and out."""
    vm1, mode = net['vm1'], net.ports['vm1']['mode']
    path = net.daemon.path('plug.sock')
    for _ in range(2):
        net.daemon.add({'name': 'plug', 'type': 'vhost-user', 'socket': path, 'mode': mode})
        vm1.plug(Nic(path, mac='52:54:00:77:01:01', server=mode == 'client', options=OPTIONS),
                 'plug')
        vm1.run('for i in $(seq 100); do [ -e /sys/class/net/eth1 ] && break; usleep 50000; done; '
                'ip link set eth1 up')
        net.daemon.wait_link('plug')
        vm1.unplug('plug')
        net.daemon.ctl('port', 'del', 'plug')
    net.check_pings(1)


def test_migration(net):
    """There and back, while bytes come and go."""
    movable = Movable((net, 'vm1'), (net, 'new'))
    with Echo(movable.guest) as echo:
        for _ in range(2):
            echo.wait_more()
            movable.move()
            echo.wait_more()
