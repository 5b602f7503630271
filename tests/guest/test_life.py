# SPDX-License-Identifier: BSD-3-Clause
"""What happens to a guest in its life, each while frames come to it without end, from the host and
from another guest, and it sends itself: it reboots and loses its driver again and again, stops,
sleeps, gets and loses memory and NICs, and makes room for a guest of another kind.

That a QEMU is killed is in test_restart.py, that a guest uses more and fewer queues in
test_pairs.py, and that it switches its offloads in test_offload.py.
"""

import os
import re

import pytest
from daemon import build_dir, wait_until
from frames import build
from guest import GuestError, Nic, transfer
from guestnet import HOST, GuestNet
from load import Flood
from marks import choose, rounds
from vguest import Guests

PORT = 7000
FLOWS = 8
VM1, VM2, PLUG = '52:54:00:77:00:01', '52:54:00:77:00:02', '52:54:00:77:01:01'
REGIONS_MAX = 8  # of guest memory: what librte_vhost has room for
DIMM_MIB = 128   # what Linux switches on and off as one

# keys of the ports, properties and arguments of vm1
SETTINGS = {
    'server, packed, 2 queues': ({'mode': 'server', 'queues': 2}, 'packed=on', {'cpus': 2}),
    'server': ({'mode': 'server'}, '', {}),
    'client, 2 queues': ({'mode': 'client', 'queues': 2}, '', {'cpus': 2}),
    'client, packed': ({'mode': 'client'}, 'packed=on', {}),
    'library': ({'datapath': 'library'}, '', {}),
}


@pytest.fixture(scope='module', name='net', params=choose(SETTINGS, 'server, packed, 2 queues'))
def fixture_net(request, image):
    """vm1, to which all of it happens, vm2 and the host, which send to it."""
    port, options, vm1 = SETTINGS[request.param]
    # IPv6 says something by itself soon after the boot, and Linux 6.1.192 lets it into rings that
    # are gone while the guest falls asleep
    room = {'room': f',slots={2 * REGIONS_MAX},maxmem=16G',
            'append': 'memhp_default_state=online ipv6.disable=1', 'kernel': 'bzImage'}
    with GuestNet(image, {'vm1': port, 'vm2': {}}, {'vm1': {'options': options}},
                  {'vm1': {**vm1, **room}}) as net:
        assert net.is_packed('vm1') == ('packed' in options)
        put_tool(net, 'vm1', 'vm2')
        with Flood(net['vm1'].ip, VM1, 'vs-inband'):
            begin(net)
            yield net


def put_tool(net, *names):
    """Gives guests the program that sends."""
    for name in names:
        net.put(name, os.path.join(build_dir(), 'tests', 'lib', 'nictool'), '/bin/nictool')


def send(guest, address, mac):
    """The guest sends datagrams to somebody without end, also if he does not answer."""
    guest.run(f'arp -s {address} {mac}; nictool send {address} {PORT} {FLOWS} '
              '</dev/null >/dev/null 2>&1 &')


def begin(net):
    """vm1 and vm2 send to each other from now on."""
    for name in ('vm1', 'vm2'):
        net[name].status('killall nictool 2>/dev/null')
    send(net['vm1'], net['vm2'].ip, VM2)
    send(net['vm2'], net['vm1'].ip, VM1)


def resume_sending(net, name):
    """A guest has booted again, with nothing of what it was given: all goes on as before."""
    net[name].wait_ready()
    net.wait_pings()
    put_tool(net, name)
    begin(net)


def wait_frames(net, port, *ways):
    """Waits until more frames have come from or gone to a port."""
    def counts():
        found = net.daemon.counts(port)
        return [found[f'{way}_frames'] for way in ways]
    before = counts()
    try:
        wait_until(f'frames {ways} {port}',
                   lambda: all(n > old + 2 * FLOWS for n, old in zip(counts(), before)), 20)
    except AssertionError as e:
        raise AssertionError(f'{e}: {net.picture()}') from None


def check(net):
    """vm1 is back with all that it had: frames flow, files get through."""
    net.daemon.wait_link('vm1', 'vm2')
    wait_frames(net, 'vm1', 'rx', 'tx')
    net.wait_pings()
    assert transfer(net['vm1'], net['vm2'], 1).intact()
    assert transfer(net.host, net['vm1'], 1).intact()


@rounds(2, 20)
def test_reboots(net, rounds):
    """Again and again, by the button and by itself."""
    vm1 = net['vm1']
    for n in range(rounds):
        if n % 2:
            vm1.reset()
        else:
            # Linux 6.1.192 loops for ever in start_xmit() when it sends while it shuts down
            vm1.status('killall nictool')
            vm1.reboot()
        resume_sending(net, 'vm1')
        wait_frames(net, 'vm1', 'rx', 'tx')
    check(net)


@rounds(5, 100)
def test_driver_reloads(net, rounds):
    """The driver is taken out of the kernel and comes back."""
    vm1 = net['vm1']
    attached = net.daemon.port('vm1')['details']['attaches']
    for _ in range(rounds):
        vm1.run('rmmod virtio_net')
        net.daemon.wait_link('vm1', up=False)
        vm1.run(f'insmod /lib/modules/virtio_net.ko; ip link set eth0 up; '
                f'ip addr add {vm1.ip}/24 dev eth0')
        begin(net)
        wait_frames(net, 'vm1', 'rx', 'tx')
    check(net)
    assert net.daemon.port('vm1')['details']['attaches'] >= attached + rounds


def test_rings_keep_their_size(net):
    """The guest can't have other rings: it is told so, and nothing else happens."""
    def rings():
        # those of library ports are the library's
        return net.daemon.port('vm1')['details'].get('tx_rings')
    before = rings()
    assert before or net.ports['vm1'].get('datapath') == 'library'
    code, text = net['vm1'].status('nictool rings eth0 64')
    assert code != 0 and 'ETHTOOL_SRINGPARAM' in text, text
    assert rings() == before
    check(net)


@rounds(2, 20)
def test_stops(net, rounds):
    """QEMU stops the guest, and lets it go on."""
    vm1 = net['vm1']
    for _ in range(rounds):
        vm1.qmp('stop')
        net.daemon.wait_link('vm1', up=False)
        assert net['vm2'].ping(HOST, 1) == 1
        vm1.qmp('cont')
        wait_frames(net, 'vm1', 'rx', 'tx')
    check(net)


@rounds(1, 10)
def test_sleeps(net, rounds):
    """The guest sleeps (ACPI S3), and is woken."""
    vm1, boot_id = net['vm1'], 'cat /proc/sys/kernel/random/boot_id'
    for _ in range(rounds):
        before = vm1.run(boot_id)
        vm1.request('echo mem >/sys/power/state')
        wait_until('it sleeps', lambda: vm1.qmp('query-status')['status'] == 'suspended', 30)
        net.daemon.wait_link('vm1', up=False)
        assert net['vm2'].ping(HOST, 1) == 1
        vm1.qmp('system_wakeup')
        wait_frames(net, 'vm1', 'rx', 'tx')
        assert vm1.run(boot_id) == before, 'it did not wake but booted'
        check(net)
        # SeaBIOS 1.16 gives a q35 that woke no ACPI registers to sleep, or be plugged into, again
        vm1.reset()
        resume_sending(net, 'vm1')


def add_memory(guest, number):
    """Plugs a further piece of memory in; the sentence if QEMU refuses."""
    name = f'more{number}'
    guest.qmp('object-add', **{'qom-type': 'memory-backend-memfd', 'id': name, 'share': True,
                               'size': DIMM_MIB << 20})
    try:
        guest.qmp('device_add', driver='pc-dimm', id=f'dimm{number}', memdev=name)
    except GuestError as e:
        guest.qmp('object-del', id=name)
        return str(e)
    return ''


def memory_mib(guest):
    """What the guest has."""
    return int(guest.run("awk '/MemTotal/ {print $2}' /proc/meminfo")) >> 10


def mib_used(guest, zone):
    """What the guest's kernel has taken of a zone."""
    text = guest.run(f"grep -A 12 'zone *{zone}$' /proc/zoneinfo")
    free, managed = (int(re.search(rf'{word} +(\d+)', text).group(1))
                     for word in ('pages free', 'managed'))
    return (managed - free) >> 8


def test_more_memory(net):
    """The guest gets memory as long as there is room in the table of regions; then QEMU refuses.
    The guest uses all of it for what it receives."""
    vm1, said, number = net['vm1'], '', 0
    before = memory_mib(vm1)
    regions = net.daemon.port('vm1')['details']['memory_regions']
    while not said:
        assert number <= REGIONS_MAX, 'QEMU does not say how many are too many'
        said = add_memory(vm1, number)
        if not said:
            number += 1
            wait_until('the guest has it', lambda: memory_mib(vm1) >= before +
                       number * (DIMM_MIB - 8), 20)
            found = net.daemon.port('vm1')['details']['memory_regions']
            assert found == regions + number
            wait_frames(net, 'vm1', 'rx', 'tx')
    assert 'vhost backend has not enough free memory slots left' in said
    assert regions + number == REGIONS_MAX
    check(net)
    assert transfer(net.host, vm1, 32).intact()
    # its first memory is below 4 GiB; from the other one the kernel takes first
    assert mib_used(vm1, 'Normal') > 0


@rounds(2, 20)
def test_second_nic_under_load(net, rounds):
    """A NIC is plugged in, and out while frames flow both ways."""
    vm1, vm2, mode = net['vm1'], net['vm2'], net.ports['vm1'].get('mode', 'server')
    path = net.daemon.path('plug.sock')
    vm2.run('ip addr add 10.78.0.2/24 dev eth0')
    send(vm2, '10.78.0.1', PLUG)
    for _ in range(rounds):
        net.daemon.add({'name': 'plug', 'type': 'vhost-user', 'socket': path, 'mode': mode})
        vm1.plug(Nic(path, mac=PLUG, server=mode == 'client'), 'plug')
        vm1.run('for i in $(seq 100); do [ -e /sys/class/net/eth1 ] && break; usleep 50000; done; '
                'ip link set eth1 up && ip addr add 10.78.0.1/24 dev eth1')
        net.daemon.wait_link('plug')
        send(vm1, '10.78.0.2', VM2)
        wait_frames(net, 'plug', 'rx', 'tx')
        vm1.unplug('plug')
        net.daemon.wait_link('plug', up=False)
        net.daemon.ctl('port', 'del', 'plug')
    vm2.run('ip addr del 10.78.0.2/24 dev eth0')
    begin(net)
    check(net)


def test_dpdk_guest_instead(net):
    """A guest that polls, DPDK's virtio-user, has the port of one with a kernel for a while; and
    dies without a word, and comes again."""
    vm1, vm2 = net['vm1'], net['vm2']
    path = net.daemon.path('vm2.sock')
    vm2.kill9()
    net.daemon.wait_link('vm2', up=False)
    frames = [build(VM1, VM2, n, 60 + n) for n in range(1000)]
    for _ in range(2):
        guests = Guests()
        try:
            station = guests.add('vm2', path, mac=VM2)
            net.daemon.wait_link('vm2')
            wait_until('what vm1 sends comes', lambda s=station: bytes.fromhex(
                VM1.replace(':', '')) in [f[6:12] for f in s.recv(1, 1)], 30)
            before = int(vm1.run('cat /sys/class/net/eth0/statistics/rx_packets'))
            station.send_many(frames)
            wait_until('vm1 gets them', lambda n=before: n + len(frames) <= int(
                vm1.run('cat /sys/class/net/eth0/statistics/rx_packets')), 20)
        finally:
            guests.kill9()
        net.daemon.wait_link('vm2', up=False)
    net.boot('vm2')
    put_tool(net, 'vm2')
    begin(net)
    check(net)
