# SPDX-License-Identifier: BSD-3-Clause
"""Two guests and the host talk: ping and files by TCP in all directions, while guests reboot, lose
their driver, and get and lose a second NIC."""

import time

import pytest
from guest import Nic, transfer
from guestnet import pair
from marks import choose

# mode of the ports, and of each guest: properties of its NIC
SETTINGS = {
    'server': ('server', '', ''),
    'client, one packed': ('client', '', 'packed=on'),
    'packed': ('server', 'packed=on', 'packed=on'),
}


@pytest.fixture(scope='module', name='net',
                params=choose(SETTINGS, 'server', 'client, one packed'))
def fixture_net(request, image):
    """Two guests; the switch listens on their sockets, or connects to them."""
    with pair(image, *SETTINGS[request.param]) as net:
        yield net


@pytest.mark.parametrize('size', [56, 1472, 20000])
def test_ping(net, size):
    """Everybody answers everybody: small, as large as one frame takes, and in fragments."""
    net.check_pings(3, size)


def test_ipv6(net):
    """Neighbour discovery (multicast) works, too."""
    for number, name in enumerate(('vm1', 'vm2'), 1):
        net[name].run(f'ip -6 addr add fd77::{number}/64 dev eth0')
    for source, target in (('vm1', 'fd77::2'), ('vm2', 'fd77::1')):
        end = time.monotonic() + 10  # until the kernel has seen that nobody else has the address
        while net[source].status(f'ping -6 -c 1 -W 1 {target}')[0] != 0:
            assert time.monotonic() < end, f'{source} gets no answer from {target}'


def test_stations_are_known(net):
    """Each guest's address is where it is."""
    net.check_pings(1)
    entries = {entry['mac']: entry['port'] for entry in net.daemon.ctl('fdb', 'list')['entries']}
    assert entries['52:54:00:77:00:01'] == 'vm1'
    assert entries['52:54:00:77:00:02'] == 'vm2'
    assert 'inband' in entries.values()


def test_transfer(net):
    """A file arrives as it was sent, in every direction."""
    for sender, receiver in net.pairs():
        done = transfer(sender, receiver, 4)
        assert done.intact(), f'{sender.name} to {receiver.name}: {done}'


def test_nothing_for_others(net):
    """What vm1 and the host say to each other is not sent to vm2."""
    net.check_pings(1)
    before = net.daemon.counts('vm2')
    assert transfer(net['vm1'], net.host, 4).intact()
    after = net.daemon.counts('vm2')
    assert after['tx_bytes'] - before['tx_bytes'] < 100_000


@pytest.mark.parametrize('how', choose(['reset', 'reboot', 'driver'], 'reboot'))
def test_guest_comes_back(net, how):
    """A guest resets, reboots, or its driver lets the NIC go and takes it again; meanwhile the
    other one talks on."""
    vm1, vm2 = net['vm1'], net['vm2']
    if how == 'reset':
        vm1.reset()
    elif how == 'reboot':
        vm1.reboot()
    else:
        driver = '/sys/bus/virtio/drivers/virtio_net'
        device = vm1.run('basename $(readlink /sys/class/net/eth0/device)').strip()
        vm1.run(f'echo {device} >{driver}/unbind; echo {device} >{driver}/bind; '
                f'ip link set eth0 up; ip addr add {vm1.ip}/24 dev eth0')
    assert transfer(vm2, net.host, 2).intact()
    if how != 'driver':
        vm1.wait_ready()
    net.wait_pings()
    assert transfer(vm1, vm2, 2).intact()


def test_second_nic(net):
    """A port and a NIC are added to what runs, used, and taken away again."""
    vm1, mode = net['vm1'], net.ports['vm1'].get('mode')
    path = net.daemon.path('plug.sock')
    for _ in range(2):
        net.daemon.add({'name': 'plug', 'type': 'vhost-user', 'socket': path, 'mode': mode})
        vm1.plug(Nic(path, mac='52:54:00:77:01:01', server=mode == 'client'), 'plug')
        vm1.run('for i in $(seq 100); do [ -e /sys/class/net/eth1 ] && break; usleep 50000; done; '
                'ip link set eth1 up && ip addr add 10.78.0.1/24 dev eth1')
        net.daemon.wait_link('plug')
        net['vm2'].run('ip addr add 10.78.0.2/24 dev eth0')
        assert net['vm2'].ping('10.78.0.1') == 3
        net['vm2'].run('ip addr del 10.78.0.2/24 dev eth0')
        vm1.unplug('plug')
        net.daemon.ctl('port', 'del', 'plug')
    net.check_pings(1)
