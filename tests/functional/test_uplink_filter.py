# SPDX-License-Identifier: BSD-3-Clause
"""test_uplink_filter.py: what a VF is asked to let in, stations, VLANs and groups, and what its
driver and its PF (fakevf.py) make of that."""

import re
import time

import pytest

from daemon import wait_until
from fakevf import IAVF, IGBVF, IXGBEVF, FakeVf
from frames import BROADCAST, build
from net import only_to, to_all
from wire import (GROUP_MAC, details, from_wire, got, igmp, macs, net_of, tagged, talk,
                  unreachable)

MOBILE = '02:00:00:77:00:01'


# --- which filter

def test_promiscuous():
    """Asked for and honoured: everything comes in. The stations are listed all the same: no driver
    of a VF is taken at its word."""
    with FakeVf('up') as vf, net_of(vf, up={'filter': 'promiscuous'}) as net:
        net.learn()
        vf.wait_filter(promiscuous=True, macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
        assert to_all(net, 'up', MOBILE)  # unknown: flooded
        assert not unreachable(net)


def test_promiscuous_is_rejected():
    """Asked for and refused: the port is refused, too, with a sentence."""
    with FakeVf('up', **IXGBEVF) as vf, net_of(vf) as net:
        net.del_port('up')
        said = net.daemon.ctl_fail('port', 'add', 'up', 'type=ethdev', 'filter=promiscuous',
                                   'devargs=net_af_packet0,iface=up')
        assert re.search(r'port up: filter: .*promiscuous.*mac-list', said), said
        net.add_port('up', 'ethdev', {'filter': 'mac-list'})
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}


@pytest.mark.parametrize('pf', [IXGBEVF, IAVF], ids=['rejected', 'ignored'])
def test_auto(pf):
    """Where promiscuous is refused or a lie, the stations are listed one by one."""
    with FakeVf('up', **pf) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        shown = details(net)
        assert shown['filter'] == 'mac-list' and shown['driver'] == pf['driver']
        assert shown['filter_why']
        for name in 'ab':
            assert from_wire(net, net.macs[name]) == {name}
        assert not from_wire(net, MOBILE)
        for src, dst in (('a', 'up'), ('up', 'a'), ('a', 'b')):
            frames = [net.frame(src, dst, n, 60 + n) for n in range(300)]
            got_frames = net.exchange(src, dst, frames)
            net.check_frames([f for _, f in got_frames], frames, f'{src} to {dst}')


def test_promiscuous_is_a_lie():
    """Who insists on promiscuous where it is ignored is told that it may be so; the stations are
    listed as well, and reached."""
    with FakeVf('up', **IAVF) as vf, net_of(vf, up={'filter': 'promiscuous'}) as net:
        net.learn()
        shown = details(net)
        assert shown['filter'] == 'promiscuous'
        assert re.search('trust.*does nothing', shown['filter_why'])
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
        assert not from_wire(net, MOBILE)


def test_promiscuous_never_works():
    """Who insists on it with a driver that never does it gets a warning."""
    with FakeVf('up', **IGBVF) as vf, net_of(vf, up={'filter': 'promiscuous'}) as net:
        net.daemon.wait_log(r"WARN +port up: filter: promiscuous can't work")
        assert "can't work" in details(net)['warning_0']


def test_list_of_a_driver_without():
    """Who insists on a list with a driver that has none is refused."""
    with FakeVf('up', **IGBVF) as vf, net_of(vf) as net:
        net.del_port('up')
        said = net.daemon.ctl_fail('port', 'add', 'up', 'type=ethdev', 'filter=mac-list',
                                   'devargs=net_af_packet0,iface=up')
        assert re.search(r'port up: filter: mac-list: .*net_e1000_igb_vf.*filter: auto', said), said


def test_own():
    """Nothing is listed."""
    with FakeVf('up') as vf, net_of(vf, up={'filter': 'own'}) as net:
        net.learn()
        vf.wait_filter(macs=set(), promiscuous=False)
        assert not from_wire(net, net.macs['a'])
        net.macs['own'] = vf.mac
        assert from_wire(net, vf.mac) == {'a', 'b'}  # nobody's: flooded
        assert details(net)['filter'] == 'own'


def test_no_list():
    """igbvf: neither promiscuous nor a list: it is said; who has the VF's address is reached."""
    with FakeVf('up', **IGBVF) as vf:
        with net_of(vf, guest={'a': {'mac': vf.mac}}) as net:
            net.macs['a'] = vf.mac
            net.learn()
            assert from_wire(net, vf.mac) == {'a'}
            assert not from_wire(net, net.macs['b'])
            wait_until('b is shown', lambda: any(net.macs['b'] in text and re.search(r'\bb\b', text)
                                                 for text in unreachable(net)))
            assert not any(vf.mac in text for text in unreachable(net))
            assert only_to(net, 'a', 'b', net.macs['b'])


# --- the list

def test_slots():
    """More stations than slots: who is not reached is shown, and is when a slot is free."""
    with FakeVf('up', **dict(IAVF, slots=2)) as vf, net_of(vf, guests='abcd') as net:
        net.learn()
        wait_until('two are shown', lambda: len(unreachable(net)) == 2)
        listed = vf.filter()['macs']
        assert len(listed) == 2 and listed < macs(net, 'abcd')
        inside = [name for name in 'abcd' if net.macs[name] in listed]
        outside = [name for name in 'abcd' if name not in inside]
        for name in inside:
            assert from_wire(net, net.macs[name]) == {name}
        for name in outside:
            text = next(t for t in unreachable(net) if net.macs[name] in t)
            assert re.search(rf'\b{name}\b', text), text
            assert not from_wire(net, net.macs[name])
            assert only_to(net, inside[0], name, net.macs[name])
        # one goes: one that waited takes its place
        net.del_port(inside[0])
        wait_until('one is shown', lambda: len(unreachable(net)) == 1, 30.0)
        net.learn()
        reached = [name for name in outside if from_wire(net, net.macs[name]) == {name}]
        assert len(reached) == 1 and net.macs[reached[0]] in vf.filter()['macs']
        # the PF has more room: all are in
        vf.change(slots=18)
        wait_until('none is shown', lambda: not unreachable(net), 60.0)
        for name in inside[1:] + outside:
            assert from_wire(net, net.macs[name]) == {name}


def test_driver_is_full():
    """The driver's own table is full: the same."""
    with FakeVf('up', **dict(IAVF, macs=3)) as vf, net_of(vf, guests='abc') as net:
        net.learn()
        wait_until('one is shown', lambda: len(unreachable(net)) == 1)
        assert len(vf.filter()['macs']) == 2
        assert net.daemon.alive()


def test_admin_mac():
    """The PF's administrator has set the address: no other is taken, until that changes."""
    with FakeVf('up', **dict(IXGBEVF, admin_mac=1)) as vf, net_of(vf) as net:
        net.learn()
        wait_until('both are shown', lambda: len(unreachable(net)) == 2)
        assert vf.filter()['macs'] == set()
        for name in 'ab':
            assert not from_wire(net, net.macs[name])
            assert got(net, name, net.frame(name, 'up')) == {'up'}
        assert only_to(net, 'a', 'b', net.macs['b'])
        calls = len(vf.calls('mac_addr_add'))
        time.sleep(2)
        assert len(vf.calls('mac_addr_add')) - calls < 20, 'the PF is asked all the time'
        vf.change(admin_mac=0)
        wait_until('none is shown', lambda: not unreachable(net), 60.0)
        for name in 'ab':
            assert from_wire(net, net.macs[name]) == {name}


def test_moves():
    """A station is listed as long as it is behind another port than the uplink."""
    with FakeVf('up', **IAVF) as vf, net_of(vf) as net:
        net.learn()
        ours = macs(net, 'ab')
        for name in ('a', 'b', 'a'):
            net[name].send(build(BROADCAST, MOBILE, next(net.numbers)))
            net.after(name)
            vf.wait_filter(macs=ours | {MOBILE})
            assert from_wire(net, MOBILE) == {name}

        def hears():
            net['up'].send(build(BROADCAST, MOBILE, next(net.numbers)))
            return net.fdb().get((0, MOBILE)) == 'up'
        wait_until('it has moved to the wire', hears, 15.0, 0.1)
        vf.wait_filter(macs=ours)
        for name in 'ab':
            net[name].take()
        net['b'].send(build(BROADCAST, MOBILE, next(net.numbers)))
        vf.wait_filter(macs=ours | {MOBILE})


def test_never_the_wire():
    """Stations behind the uplink are never listed."""
    with FakeVf('up', **IAVF) as vf, net_of(vf) as net:
        net.learn()
        theirs = [f'02:00:00:88:00:{n:02x}' for n in range(40)]
        net['up'].send_many([build(BROADCAST, mac, next(net.numbers)) for mac in theirs])
        net['a'].recv(40)
        net['b'].recv(40)
        wait_until('learned', lambda: all(net.fdb().get((0, mac)) == 'up' for mac in theirs))
        vf.wait_filter(macs=macs(net, 'ab'))
        assert not any(mac in line for line in vf.calls('mac_addr_add')
                       for mac in theirs + [net.macs['up']])


def test_aged_and_deleted():
    """Stations that age out, are flushed, or whose port goes, are taken from the list."""
    with FakeVf('up', **IAVF) as vf, \
            net_of(vf, guests='abc', switch={'fdb': {'ageing': 3}}) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'abc'))
        net.del_port('c')
        vf.wait_filter(macs=macs(net, 'ab'))
        net.daemon.ctl('fdb', 'flush', 'b')
        vf.wait_filter(macs=macs(net, 'a'))
        wait_until('aged', lambda: not vf.filter()['macs'], 15.0)
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))


# --- VLANs

@pytest.mark.parametrize('strip', [0, 1])
def test_vlans(strip):
    """VLANs that are used, or configured, are let in; tags that were taken out are put back."""
    pf = dict(IXGBEVF, strip=strip)
    with FakeVf('up', **pf) as vf, net_of(vf, up={'vlans': [30, 4094]}) as net:
        net.learn()
        vf.wait_filter(vlans={30, 4094})
        for vlan in (30, 4094):
            frame = net.frame('up', BROADCAST, **tagged(vlan, 0x6000))
            assert got(net, 'up', frame) == {'a', 'b'}
        assert not got(net, 'up', net.frame('up', BROADCAST, **tagged(10)))
        # a guest talks in VLAN 10: answers come in
        assert got(net, 'a', net.frame('a', **tagged(10))) == {'b', 'up'}
        vf.wait_filter(vlans={10, 30, 4094}, macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a'], **tagged(10)) == {'a'}
        assert not got(net, 'up', net.frame('up', BROADCAST, **tagged(20)))
        frames = [net.frame('up', 'a', n, 60 + n, **tagged(10, n % 8 << 13)) for n in range(300)]
        got_frames = net.exchange('up', 'a', frames)
        net.check_frames([f for _, f in got_frames], frames, 'up to a')
        # who used it goes
        net.del_port('a')
        vf.wait_filter(vlans={30, 4094})


def test_vlans_are_refused():
    """A VLAN that the PF refuses is shown, and tried again."""
    with FakeVf('up', **dict(IXGBEVF, vlan_filter='reject')) as vf, net_of(vf) as net:
        net.learn()
        net['a'].send(net.frame('a', **tagged(10)))
        net.after('a')
        wait_until('it was asked for', lambda: vf.calls('vlan_filter 10 on'))
        wait_until('it is shown', lambda: details(net).get('vlans_not_let_in') == '10')
        vf.change(vlan_filter='honour')
        wait_until('it is let in', lambda: 10 in vf.filter()['vlans'], 60.0)
        assert from_wire(net, net.macs['a'], **tagged(10)) == {'a'}


# --- groups

def test_groups():
    """Groups that guests join are asked for, and no longer when they leave."""
    with FakeVf('up', **IXGBEVF) as vf, net_of(vf) as net:
        net.learn()
        frame = net.frame('up', GROUP_MAC)
        assert not got(net, 'up', frame)
        talk(net, 'a', igmp(net, 'a', 0x16))
        wait_until('the group is listed', lambda: GROUP_MAC in vf.filter()['mcs'])
        assert got(net, 'up', net.frame('up', GROUP_MAC)) >= {'a'}
        net.daemon.ctl('port', 'restart', 'up')  # a start forgets the list
        wait_until('the group is listed', lambda: GROUP_MAC in vf.filter()['mcs'])
        net.learn()
        assert got(net, 'up', net.frame('up', GROUP_MAC)) >= {'a'}
        talk(net, 'a', igmp(net, 'a', 0x17))
        wait_until('the group is not listed', lambda: GROUP_MAC not in vf.filter()['mcs'], 15.0)
        # a port that goes takes its groups along
        talk(net, 'b', igmp(net, 'b', 0x16))
        wait_until('the group is listed', lambda: GROUP_MAC in vf.filter()['mcs'])
        net.del_port('b')
        wait_until('the group is not listed', lambda: GROUP_MAC not in vf.filter()['mcs'])


def test_groups_of_ipv6():
    """MLD: the groups of neighbour discovery are what IPv6 lives on."""
    from scapy.layers.inet6 import ICMPv6MLReport2, ICMPv6MLDMultAddrRec, IPv6, \
        IPv6ExtHdrHopByHop, RouterAlert
    from scapy.layers.l2 import Ether
    with FakeVf('up', **IXGBEVF) as vf, net_of(vf) as net:
        net.learn()
        report = Ether(dst='33:33:00:00:00:16', src=net.macs['a']) / \
            IPv6(src='fe80::1', dst='ff02::16', hlim=1) / \
            IPv6ExtHdrHopByHop(options=[RouterAlert()]) / \
            ICMPv6MLReport2(records=[ICMPv6MLDMultAddrRec(rtype=4, dst='ff02::1:ff12:3456'),
                                     ICMPv6MLDMultAddrRec(rtype=4, dst='ff05::77')])
        talk(net, 'a', bytes(report))
        wanted = {'33:33:ff:12:34:56', '33:33:00:00:00:77'}
        wait_until('the groups are listed', lambda: wanted <= vf.filter()['mcs'])
        for mac in wanted:
            assert got(net, 'up', net.frame('up', mac)) >= {'a'}


def test_groups_without_a_list():
    """A driver that has no list of groups gets all of them, where it can."""
    with FakeVf('up', driver='net_virtio', mc_list='notsup', promiscuous='reject') as vf, \
            net_of(vf) as net:
        net.learn()
        talk(net, 'a', igmp(net, 'a', 0x16))
        vf.wait_filter(allmulticast=True)
        assert got(net, 'up', net.frame('up', GROUP_MAC)) == {'a', 'b'}
