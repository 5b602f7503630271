# SPDX-License-Identifier: BSD-3-Clause
"""VF ports on VFs of QEMU's virtio-net, which filters what comes from the wire just as it is told:
so what the switch asks of a VF is seen in what gets in. Each VF has a wire of its own; the PF has
no settings of its VFs."""

import json
import re

import pytest
from scapy.all import IP, UDP, Ether, raw

from daemon import wait_until
from frames import BROADCAST, build, mac_text
from inguest import GuestDaemon
from sriov import pci_bind, pci_driver
from uplink import MANY_S, PEER, VM1, VM2, Bench, tag

NOBODY = '02:00:00:00:77:77'
FULL = 64  # addresses that the driver has room for, the VF's own included


def has_netdev(guest, pci):
    """Whether the kernel's driver has made an interface of it."""
    return guest.status(f'ls /sys/bus/pci/devices/{pci}/virtio*/net')[0] == 0


@pytest.fixture(name='pf')
def fixture_pf(virtio):
    """The PF, with two VFs that the kernel's driver has."""
    virtio.pf().make_vfs(2)
    return virtio.pf()


def by_pf(pf, **keys):
    """A port by its PF's interface."""
    return {'name': 'up0', 'type': 'vf', 'pf': pf.ifname, 'vf': 0, **keys}


def test_traffic(virtio, pf):
    """An uplink by pf and vf: bound while it is used; every frame, to whomever, tagged or not,
    goes from the wire to vhost-user and TAP ports and back, and is the same."""
    pci = pf.vf_pci(0)
    virtio.run(f'echo 0 >/sys/bus/pci/devices/{pci}/numa_node')
    inband = {'name': 'inband', 'type': 'tap', 'ifname': 'vs-inband'}
    with Bench(virtio, by_pf(pf), others=[inband]) as b:
        assert pci_driver(virtio, pci) == 'vfio-pci'
        found = b.d.port('up0')['details']
        assert (found['pci'], found['pf'], found['vf'], found['node']) == (pci, pf.ifname, 0, 0)
        assert (found['filter'], found['filter_asked']) == ('promiscuous', 'auto')
        assert found['filter_why'] == 'net_virtio receives all when told to'
        assert found['groups'] == 'allmulticast'
        assert found['driver'] == 'net_virtio'
        assert 'VLAN_FILTER' in found['rx_offloads'] and 'MULTI_SEGS' in found['tx_offloads']
        assert (found['mac'], found['rx_queues'], found['tx_queues']) == (pf.mac[:-2] + '01', 1, 1)
        assert 'no settings of its VFs' in found['pf_says']
        tap = b.stations.netdev('inband', 'vs-inband')
        idle = b.mbufs_in_use()
        frames = [build((NOBODY, BROADCAST, '01:00:5e:01:02:03')[n % 3], PEER, n,
                        60 + (n * 29) % 1455, tags=((), tag(5), tag(0), tag(6) + tag(7))[n % 4])
                  for n in range(100)]
        b.wire.send_many(frames)
        assert b.vm1.recv(100, MANY_S) == frames
        assert tap.recv(100, MANY_S) == frames
        for station, src in ((b.vm1, VM1), (tap, VM2)):
            frames = [build(PEER, src, n, 60 + (n * 31) % 1455, tags=((), tag(5))[n % 2])
                      for n in range(100)]
            station.send_many(frames)
            assert b.wire.recv(100, MANY_S) == frames
        frames = [build((VM1, VM2)[n % 2], PEER, n) for n in range(100)]
        b.wire.send_many(frames)
        assert b.vm1.recv(50, MANY_S) == frames[::2]
        assert [f for f in tap.recv(50, MANY_S) if f[:6] == frames[1][:6]] == frames[1::2]
        assert b.drops() == {}
        wait_until('all mbufs are back', lambda: b.mbufs_in_use() == idle, MANY_S, 0.1)
        assert b.d.log().count('filter: promiscuous: net_virtio receives all when told to') == 1
    assert pci_driver(virtio, pci) == 'virtio-pci'
    assert has_netdev(virtio, pci)
    assert virtio.read(f'/sys/bus/pci/devices/{pci}/driver_override').strip() == '(null)'


def test_mac_list(virtio, pf):
    """A station is let in when it has sent a frame, and until it is flushed, moves to the wire, its
    port goes, or it ages out; a station of the wire never."""
    with Bench(virtio, {'type': 'vf', 'pci': pf.vf_pci(0), 'filter': 'mac-list'}, ('vm1', 'vm2'),
               fdb={'ageing': 0}) as b:
        assert (b.show('filter'), b.show('filter_why')) == ('mac-list', 'asked for')
        assert b.passes(b.show('mac'))
        assert not b.passes(VM1)
        b.say(VM1)
        b.wait_passes(VM1)
        assert not b.passes(VM2) and not b.passes(NOBODY)
        assert b.show('macs_listed') == 1  # the peer is known by now, too
        assert PEER in [s['mac'] for s in b.d.ctl('fdb', 'list')['entries']]

        b.d.ctl('fdb', 'flush', 'vm1')
        b.wait_passes(VM1, does=False)
        b.say(VM1)
        b.wait_passes(VM1)

        def moves():
            b.wire.send(build(BROADCAST, VM1, b.next()))
            return b.show('macs_listed') == 0
        wait_until('the station has moved to the wire', moves, MANY_S, 0.5)
        assert not b.passes(VM1)
        b.say(VM1)
        b.wait_passes(VM1)

        b.say(VM2, station=b.vm2)
        b.wait_passes(VM2, station=b.vm2)
        b.d.ctl('port', 'del', 'vm2')
        b.wait_show('macs_listed', 1)
        assert not b.passes(VM2) and b.passes(VM1)

        b.d.config['switch']['fdb']['ageing'] = 1
        b.d.config['ports'].pop()
        b.d.write(b.d.config)
        b.d.ctl('config', 'apply', b.d.config_file)
        b.wait_show('macs_listed', 0)
        b.wait_passes(VM1, does=False)


def test_full_filter(virtio, pf):
    """More stations than the VF takes: the others are named and counted, without a line of the
    driver's for each, and get in when there is room."""
    n_over = 7
    n_1, n_2 = FULL - 1 - 10, 10 + n_over
    with Bench(virtio, by_pf(pf, filter='mac-list'), ('vm1', 'vm2')) as b:
        first = [mac_text(0x10000 + n) for n in range(n_1)]
        for mac in first:
            b.say(mac)
        b.wait_show('macs_listed', n_1)
        second = [mac_text(0x20000 + n) for n in range(n_2)]
        for mac in second:
            b.say(mac, station=b.vm2)
        b.wait_show('unreachable', n_over)
        wait_until('places are shared', lambda: not any(
            str(b.show(f'unreachable_{n}')).startswith('vm2') for n in range(n_over)), MANY_S)
        found = b.d.port('up0')['details']
        assert (found['macs_listed'], found['macs_refused'], found['macs_max']) == \
            (FULL - 1, n_over, FULL)
        missed = set()
        for n in range(n_over):
            said = re.fullmatch(r'vm1 (\S+): not reachable from uplink up0: filter full '
                                r'\(64 of 64\)', found[f'unreachable_{n}'])
            missed.add(said.group(1))
        # vm1 had taken nearly all: places of its are shared out
        assert len(missed) == n_over and missed <= set(first)
        assert f'unreachable_{n_over}' not in found
        got = b.passing([build(mac, PEER, 1000 + n) for n, mac in enumerate(first)])
        assert got == {1000 + n for n, mac in enumerate(first) if mac not in missed}
        got = b.passing([build(mac, PEER, 2000 + n) for n, mac in enumerate(second)], b.vm2)
        assert len(got) == n_2
        assert 'not reachable from uplink up0: filter full (64 of 64)' in b.d.log()
        assert 'array full' not in b.d.log()
        b.vm1.recv(1 << 20, 0)
        b.d.ctl('fdb', 'flush', 'vm1')
        b.wait_show('unreachable', 0)
        assert b.show('macs_listed') == n_2
        got = b.passing([build(mac, PEER, 3000 + n) for n, mac in enumerate(second)], b.vm2)
        assert len(got) == n_2


@pytest.mark.long
def test_vlans_and_groups(virtio, pf):
    """Of tagged frames those get in whose VLAN the config names or a station uses; all groups."""
    with Bench(virtio, by_pf(pf, filter='mac-list', vlans=[30, 4094])) as b:
        own = b.show('mac')
        assert b.show('vlans') == '30, 4094'
        assert b.passes(own, tag(30)) and b.passes(BROADCAST, tag(4094))
        assert not b.passes(own, tag(10)) and not b.passes(BROADCAST, tag(10))
        b.say(VM1, tag(10))
        b.wait_passes(VM1, tag(10))
        assert b.show('vlans') == '10, 30, 4094'
        assert b.passes(BROADCAST, tag(10)) and not b.passes(BROADCAST, tag(20))
        for group in ('33:33:00:00:00:01', '33:33:ff:00:01:00', '01:00:5e:01:02:03'):
            assert b.passes(group) and b.passes(group, tag(10)) and not b.passes(group, tag(20))
        b.d.ctl('fdb', 'flush')
        b.wait_passes(BROADCAST, tag(10), does=False)
        assert b.passes(BROADCAST, tag(30))


@pytest.mark.long
def test_filters_asked_for(virtio, pf):
    """Own: no station is let in; promiscuous: all are."""
    with Bench(virtio, by_pf(pf, filter='own')) as b:
        b.say(VM1)
        b.wait_show('unreachable', 1)
        assert b.show('filter') == 'own'
        assert b.show('unreachable_0').endswith('not reachable from uplink up0: filter: own is '
                                                'asked for')
        assert b.passes(b.show('mac')) and not b.passes(VM1)
        b.d.config['ports'][0]['filter'] = 'promiscuous'
        b.d.write(b.d.config)
        b.d.ctl('config', 'apply', b.d.config_file)
        b.d.wait_link('up0')
        assert (b.show('filter'), b.show('filter_why')) == ('promiscuous', 'asked for')
        assert b.passes(VM1) and b.passes(NOBODY) and b.passes(NOBODY, tag(9))


def test_link(virtio, pf):
    """The link follows the VF's cable, which the device tells by an interrupt; that the PF's
    interface is down is nothing to the VF."""
    def interrupts():
        lines = virtio.run('grep vfio-msi /proc/interrupts').splitlines()
        return sum(int(word) for line in lines for word in line.split()[1:3])
    with Bench(virtio, by_pf(pf, filter='mac-list')) as b:
        b.say(VM1)
        for _ in range(2):
            n = interrupts()
            pf.set_link(False, 0)
            b.d.wait_link('up0', up=False)
            assert b.d.port('up0')['reason'] == 'no link: the cable, or the other end, is down'
            pf.set_link(True, 0)
            b.d.wait_link('up0')
            assert b.d.port('up0')['reason'] == ''
            assert interrupts() >= n + 2
            b.wait_passes(VM1)
        pf.set_link(False)  # of the PF
        virtio.run(f'ip link set dev {pf.ifname} down')
        b.say(VM1)
        assert b.passes(VM1) and b.d.port('up0')['link'] == 'up'
        assert not b.passes(NOBODY)
        assert b.show('restarts') == 0


@pytest.mark.long
def test_vfs_go_and_come(virtio, pf):
    """While frames flow, the host takes the VFs away, which does not make it wait, and makes them
    again: the port is back by itself, with its filter; and the same after a restart."""
    pci = pf.vf_pci(0)
    with Bench(virtio, by_pf(pf, filter='mac-list', vlans=[30])) as b:
        b.say(VM1, tag(10))
        b.say(VM1)
        b.wait_show('vlans', '10, 30')
        idle = b.mbufs_in_use()
        flood = [build(VM1, PEER, n, 1000) for n in range(16)]

        def check():
            b.vm1.recv(1 << 20, 1)
            b.wait_passes(VM1)
            assert b.passes(VM1, tag(10)) and b.passes(BROADCAST, tag(30))
            assert not b.passes(NOBODY) and not b.passes(BROADCAST, tag(20))
            b.say(VM1)
        for n in range(1, 4):
            with b.wire.sending(flood, pause=0.01):
                assert b.vm1.recv(16, MANY_S)
                if n < 3:  # and at last in one go
                    virtio.run(f'echo 0 >{pf.sys}/sriov_numvfs', 60)
                    b.d.wait_link('up0', up=False)
                    found = b.d.port('up0')
                    assert found['reason'].startswith(f'the device {pci} was taken away')
                    assert found['details']['device_is_there'] is False
                    b.vm1.send_many([build(BROADCAST, VM1, b.next()) for _ in range(50)])
                pf.make_vfs(2)
                wait_until('the device is back', lambda n=n: b.show('returns') == n, MANY_S, 0.1)
                b.d.wait_link('up0')
            assert pf.vf_pci(0) == pci and pf.vf_driver(0) == 'vfio-pci'
            check()
        for n in (1, 2):
            with b.wire.sending(flood, pause=0.01):
                assert b.vm1.recv(16, MANY_S)
                b.d.ctl('port', 'restart', 'up0')
                b.d.wait_link('up0')
            assert b.show('restarts') == n
            check()
        wait_until('all mbufs are back', lambda: b.mbufs_in_use() == idle, MANY_S, 0.1)
    assert pci_driver(virtio, pci) == 'virtio-pci'


@pytest.mark.long
def test_two_vfs(virtio, pf):
    """Two VFs of one PF can make a loop, which is said; these two don't."""
    up1 = {'name': 'up1', 'type': 'vf', 'pci': pf.vf_pci(1)}
    with Bench(virtio, by_pf(pf), others=[up1]) as b:
        b.d.wait_log(r'WARN +port up1: it and port up0 are VFs of one PF')
        b.d.wait_link('up1')
        other = pf.vf_wire(1)
        other.drain()
        for wire, far, src in ((b.wire, other, PEER), (other, b.wire, NOBODY)):
            frames = [build(BROADCAST, src, n) for n in range(50)]
            wire.send_many(frames)
            assert far.recv(50, MANY_S) == frames
            assert b.vm1.recv(50, MANY_S) == frames
            assert wire.none()
        frames = [build(NOBODY, PEER, n, 1514) for n in range(50)]
        b.wire.send_many(frames)
        assert other.recv(50, MANY_S) == frames
        assert b.vm1.none()
        assert b.drops() == {} and b.drops('up1') == {}
        b.d.ctl('port', 'del', 'up1')
        assert pf.vf_driver(1) == 'virtio-pci'


@pytest.mark.long
def test_ethdev(virtio, pf):
    """A VF that was bound by hand is the same by its devargs, with large frames here, and stays
    bound; who is not bound gets a sentence."""
    pci = pf.vf_pci(0)
    pci_bind(virtio, pci, 'vfio-pci')
    with Bench(virtio, {'type': 'ethdev', 'devargs': pci, 'filter': 'mac-list'}, mtu=9000) as b:
        assert b.passes(b.show('mac')) and not b.passes(VM1)
        b.say(VM1)
        b.wait_passes(VM1)
        for src, dst, send, receive in ((VM1, PEER, b.vm1, b.wire), (PEER, VM1, b.wire, b.vm1)):
            frames = [build(dst, src, n, 9014 - n * 97) for n in range(60)]
            send.send_many(frames)
            assert receive.recv(60, MANY_S) == frames
        pf.set_link(False, 0)
        b.d.wait_link('up0', up=False)
        pf.set_link(True, 0)
        b.d.wait_link('up0')
        unbound = pf.vf_pci(1)
        said = b.d.ctl_fail('port', 'add', 'up1', 'type=ethdev', f'devargs={unbound}')
        assert 'no driver of DPDK' in said and f'"{unbound}"' in said
        assert pf.vf_driver(1) == 'virtio-pci'
    assert pci_driver(virtio, pci) == 'vfio-pci'


@pytest.mark.parametrize('queues', (pytest.param(1, marks=pytest.mark.long), 2))
def test_queues(virtio, queues):
    """A VF of several queues with two workers: flows are spread over the queues that the port asks
    for, and no frame comes to another."""
    pf = virtio.pf(1)
    pf.make_vfs(1)

    def flow(dst, src, n):
        return raw(Ether(dst=dst, src=src) / IP(src='10.0.0.1', dst='10.0.0.2') /
                   UDP(sport=1000 + n, dport=9) / bytes([n] * 64))
    with Bench(virtio, by_pf(pf, queues=queues), nic=1, workers=[0, 1]) as b:
        found = b.d.port('up0')['details']
        assert (found['rx_queues'], found['tx_queues']) == (queues, queues)
        assert found.get('rss') == (None, 'by IP addresses and ports')[queues - 1]
        for _ in range(3):
            out = [flow(PEER, VM1, n) for n in range(128)]
            b.vm1.send_many(out)
            # each queue keeps its order
            assert sorted(b.wire.recv(128, MANY_S, everything=True)) == sorted(out)
            into = [flow(VM1, PEER, n) for n in range(128)]
            b.wire.send_many(into)
            assert sorted(b.vm1.recv(128, MANY_S)) == sorted(into)
        if queues == 2:
            assert all(w['frames'] > 0 for w in b.d.ctl('worker', 'list')['workers'])
        assert b.drops() == {}


@pytest.mark.long
def test_crash(virtio, pf):
    """After a daemon that could not clean up, the next one has the VF, and leaves it as it found
    it."""
    with GuestDaemon(virtio, {'ports': [by_pf(pf)]}) as d:
        d.wait_link('up0')
        d.kill9()
    assert pf.vf_driver(0) == 'vfio-pci'
    with Bench(virtio, by_pf(pf)) as b:
        b.say(VM1)
        assert b.passes(VM1)
    assert pf.vf_driver(0) == 'vfio-pci'


@pytest.mark.long
def test_makes_vfs(virtio):
    """With num_vfs the VFs are made, without the kernel's drivers, and taken away at the end."""
    pf = virtio.pf()
    assert pf.n_vfs() == 0
    with Bench(virtio, by_pf(pf, num_vfs=2)) as b:
        assert pf.n_vfs() == 2
        assert pf.vf_driver(0) == 'vfio-pci' and pf.vf_driver(1) == ''
        b.say(VM1)
        assert b.passes(VM1)
    assert pf.n_vfs() == 0
    assert virtio.read(f'{pf.sys}/sriov_drivers_autoprobe').strip() == '1'


def test_refused(virtio, pf):
    """What can't be is refused with a sentence, and nothing is changed; so says a check before."""
    up1 = ['port', 'add', 'up1', 'type=vf', f'pf={pf.ifname}']
    pci = pf.vf_pci(0)
    with GuestDaemon(virtio, {'ports': [by_pf(pf)]}) as d:
        d.wait_link('up0')
        for word in ('mac=02:00:00:00:00:77', 'trust=on', 'max_rate=100'):
            said = d.ctl_fail(*up1, 'vf=1', word)
            assert said == (f'vswitchctl: port up1: {word.split("=")[0]}: the driver of '
                            f'{pf.ifname} has no such setting of its VFs: leave the key out')
            assert pf.vf_driver(1) == 'virtio-pci'
        for words, said in (
                (('vf=1', 'queues=2'), 'queues: 2 are more than the driver net_virtio has: 1'),
                (('vf=2',), f'vf: {pf.ifname} ({pf.pci}) has 2 VFs already (0 to 1)'),
                (('vf=1', 'num_vfs=3'), f'num_vfs: {pf.ifname} ({pf.pci}) has 2 VFs already'),
                (('vf=0',), 'vf: port up0 has the same VF of the same PF')):
            assert said in d.ctl_fail(*up1, *words)
        assert f'the device {pci} is in use by another port' in \
            d.ctl_fail('port', 'add', 'up1', 'type=vf', f'pci={pci}')
        virtio.run(f'ip link set dev $(ls /sys/bus/pci/devices/{pf.vf_pci(1)}/virtio*/net) up')
        assert 'is up, so the host uses it' in d.ctl_fail(*up1, 'vf=1')
        assert has_netdev(virtio, pf.vf_pci(1)) and pf.vf_driver(1) == 'virtio-pci'
        d.add({'name': 'up2', 'type': 'vhost-user', 'socket': 'up2.sock'})
        assert [p['name'] for p in d.ctl('port', 'list')['ports']] == ['up0', 'up2']

        def check(config):
            virtio.write('/tmp/check.yaml', json.dumps(d.settle({'ports': [config]})))
            done = d.ctl_run('config', 'check', '/tmp/check.yaml')
            code, out = virtio.status('vswitchd --check -c /tmp/check.yaml 2>&1')
            assert (done.returncode == 0) == (code == 0), (done, out)
            return done.stderr + out if code else ''
        assert check(by_pf(pf)) == ''
        assert check({'name': 'up0', 'type': 'vf', 'pci': pci}) == ''
        assert check(by_pf(pf, vf=5)) == ''  # it may be there some day
        assert 'with num_vfs 2, 5 is not in 0..1' in check(by_pf(pf, vf=5, num_vfs=2))
        assert '"0000:2.1" is not a PCI address' in check({'name': 'up0', 'type': 'vf',
                                                          'pci': '0000:2.1'})
