# SPDX-License-Identifier: BSD-3-Clause
"""What the other tests of this directory rely on: guests whose NICs have VFs, wires out of them,
and vswitchd with stations in them."""

import os

import pytest

from daemon import wait_until
from frames import BROADCAST, build
from inguest import GuestDaemon, GuestStations
from sriov import pci_bind, pci_driver

OUTSIDE = '02:00:00:00:00:99'
INSIDE = '02:00:00:00:00:01'


def group(guest, pci):
    """The IOMMU group of a device."""
    return guest.run(f'basename $(readlink /sys/bus/pci/devices/{pci}/iommu_group)').strip()


def check_vfio(guest, pf, n_vfs):
    """Makes VFs and gives them to vfio-pci, each in a group of its own."""
    pf.make_vfs(n_vfs)
    assert pf.n_vfs() == n_vfs
    groups = {group(guest, pf.pci)}
    for vf in range(n_vfs):
        pci_bind(guest, pf.vf_pci(vf), 'vfio-pci')
        groups.add(group(guest, pf.vf_pci(vf)))
        guest.run(f'test -c /dev/vfio/{group(guest, pf.vf_pci(vf))}')
    assert len(groups) == 1 + n_vfs
    pf.make_vfs(0)
    assert pf.n_vfs() == 0
    guest.run(f'test ! -e {pf.sys}/virtfn0')


def test_igb_vfs(igb):
    """VFs come bound to the kernel's driver, or to none, and go to vfio-pci; each NIC has its
    own."""
    igb.pf(0).make_vfs(1)
    assert igb.pf(0).vf_driver(0) == 'igbvf'
    igb.pf(1).make_vfs(1, probe=False)
    assert igb.pf(1).vf_driver(0) == ''
    check_vfio(igb, igb.pf(0), 2)
    assert igb.pf(1).n_vfs() == 1


@pytest.mark.long
def test_igb_vf_settings(igb):
    """What `ip link set vf` sets, `ip link show` says, until the VFs go."""
    pf = igb.pf()
    pf.make_vfs(2)
    assert (pf.vf(1)['trust'], pf.vf(1)['spoofchk']) == (False, True)
    pf.set_vf(1, f'mac {INSIDE} vlan 100 trust on spoofchk off')
    found = pf.vf(1)
    assert (found['address'], found['trust'], found['spoofchk']) == (INSIDE, True, False)
    assert found['vlan_list'][0]['vlan'] == 100
    assert pf.vf(0)['trust'] is False
    pf.make_vfs(2)
    assert pf.vf(1)['trust'] is False


@pytest.mark.parametrize('nic', (0, 1))
def test_igb_wire(igb, nic):
    """Frames reach the PF's interface from the wire and the wire from there, as they are; none
    while the cable is unplugged."""
    pf = igb.pf(nic)
    with GuestStations(igb) as stations:
        station = stations.netdev('pf', pf.ifname)
        into = [build(pf.mac, OUTSIDE, n, 60 + 100 * n) for n in range(10)]
        pf.wire.send_many(into)
        assert station.recv(10) == into
        out = [build(OUTSIDE, pf.mac, n, 60 + 100 * n) for n in range(10)]
        station.send_many(out)
        assert pf.wire.recv(10) == out
        pf.set_link(False)
        igb.wait_file(f'/sys/class/net/{pf.ifname}/carrier', '0')
        pf.wire.send(into[0])
        assert station.none()
        pf.set_link(True)
        igb.wait_file(f'/sys/class/net/{pf.ifname}/carrier', '1')
        pf.wire.send(into[1])
        assert station.recv(1) == [into[1]]


def test_igb_load(igb):
    """A peer sends without an end until it shall not; a peer echoes and counts."""
    pf = igb.pf()
    with GuestStations(igb) as stations:
        station = stations.netdev('pf', pf.ifname)
        with pf.wire.sending([build(pf.mac, OUTSIDE, n) for n in range(32)], pause=0.01) as load:
            assert len(station.recv(500, 20)) >= 500
        assert load.sent >= 500
        pf.drain()
        with pf.wire.echoing() as load:
            station.recv(1 << 20, 0.5)
            mine = build(OUTSIDE, pf.mac, 1)
            station.send_many([mine] * 20)
            assert station.recv(20) == [mine[6:12] + mine[:6] + mine[12:]] * 20
        assert (load.received, load.sent, list(load.frames)) == (20, 20, [mine] * 20)


@pytest.mark.long
def test_igb_unread(igb):
    """A station that nobody reads until its channel takes no more does no harm to those that come
    after it."""
    pf = igb.pf()
    with GuestStations(igb) as stations:
        station = stations.netdev('unread', pf.ifname)
        channel = os.path.basename(station.path)
        debug = '/sys/kernel/debug'
        igb.run(f'[ -d {debug}/virtio-ports ] || mount -t debugfs none {debug}')
        with pf.wire.sending([build(pf.mac, OUTSIDE, n, 1500) for n in range(32)], pause=0.01):
            wait_until('the channel is full', lambda: 'outvq_full: 1' in igb.run(
                f'cat {debug}/virtio-ports/{channel}'), 30)
    pf.drain()
    with GuestStations(igb) as stations:
        station = stations.netdev('pf', pf.ifname)
        assert os.path.basename(station.path) == channel
        frame = build(pf.mac, OUTSIDE, 1)
        pf.wire.send(frame)
        assert station.recv(1) == [frame]


def test_virtio_vfs(virtio):
    """QEMU's virtio-net makes VFs, each with a wire of its own."""
    pf = virtio.pf()
    pf.make_vfs(2)
    assert [pf.vf_driver(vf) for vf in (0, 1)] == ['virtio-pci', 'virtio-pci']
    with GuestStations(virtio) as stations:
        for vf in (0, 1):
            ifname = virtio.run(f'ls /sys/bus/pci/devices/{pf.vf_pci(vf)}/virtio*/net').strip()
            station = stations.netdev(f'vf{vf}', ifname)
            frame = build(BROADCAST, OUTSIDE, vf)
            pf.vf_wire(vf).send(frame)
            assert station.recv(1) == [frame]
            station.send(frame)
            assert pf.vf_wire(vf).recv(1) == [frame]
        assert pf.wire.none()
    check_vfio(virtio, pf, 2)


@pytest.mark.long
@pytest.mark.parametrize('kind', ('igb', 'virtio'))
def test_vswitchd(kind, request):
    """vswitchd runs in the guest: from a vhost-user guest to the TAP and back; it ends well."""
    guest = request.getfixturevalue(kind)
    ports = [{'name': 'vm1', 'type': 'vhost-user', 'socket': 'vm1.sock'},
             {'name': 'inband', 'type': 'tap', 'ifname': 'vs-inband'}]
    with GuestDaemon(guest, {'ports': ports}) as d, GuestStations(guest) as stations:
        assert d.ctl('status')['hugepages'] is True
        vm1 = stations.virtio_user('vm1', d.path('vm1.sock'), mac=INSIDE)
        inband = stations.netdev('inband', 'vs-inband')
        d.wait_link('vm1', 'inband')
        frames = [build(BROADCAST, INSIDE, n, 60 + n) for n in range(20)]
        vm1.send_many(frames)
        assert inband.recv(20) == frames
        frames = [build(INSIDE, OUTSIDE, n, 1514, tags=((0x8100, 7),)) for n in range(20)]
        inband.send_many(frames)
        assert vm1.recv(20) == frames
        assert 'no such port' in d.ctl_fail('port', 'show', 'vm2')
        stations.remove(vm1)
        d.wait_link('vm1', up=False)
        assert d.log().count('ready') == 1


def test_unbound(igb):
    """A device can be taken from every driver, and be given back."""
    pf = igb.pf()
    pf.make_vfs(1)
    pci = pf.vf_pci(0)
    for driver in ('vfio-pci', '', 'igbvf'):
        pci_bind(igb, pci, driver)
        assert pci_driver(igb, pci) == driver
