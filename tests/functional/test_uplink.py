# SPDX-License-Identifier: BSD-3-Clause
"""test_uplink.py: uplinks whose device is a VF: what its driver and its PF grant, refuse, ignore
and forget (fakevf.py), and what the switch makes of it."""

import errno
import os
import re
import threading
import time

import pytest

from daemon import wait_until
from fakevf import FakeVf
from frames import BROADCAST, build
from marks import choose
from net import Net, only_to, to_all

# As the drivers and their PFs are documented, of a VF that is not trusted.
IGBVF = {'driver': 'net_e1000_igb_vf', 'macs': 1, 'promiscuous': 'ignore',
         'allmulticast': 'ignore', 'strip': 1, 'reset': 'notsup', 'revival': 'start'}
IXGBEVF = {'driver': 'net_ixgbe_vf', 'promiscuous': 'reject', 'allmulticast': 'ignore',
           'revival': 'start'}
IAVF = {'driver': 'net_iavf', 'promiscuous': 'ignore', 'allmulticast': 'ignore', 'slots': 16,
        'mc_list': 'shared', 'vlan_filter': 'ignore', 'lsc': 1, 'rmv': 1, 'revival': 'reset'}

MOBILE = '02:00:00:77:00:01'
GROUP = '239.1.2.3'
GROUP_MAC = '01:00:5e:01:02:03'


def net_of(vf, guests='ab', up=None, **more):
    """Guests and the VF's port, which is called up."""
    ports = {name: 'server' for name in guests}
    return Net({**ports, 'up': 'ethdev'}, conf={'up': up or {}}, daemon=vf.daemon, **more)


def got(net, src, frame):
    """Who gets a frame of src's."""
    net[src].send(frame)
    return {name for name, frames in net.after(src).items() if frame in frames}


def from_wire(net, mac, **more):
    """Who gets a frame that the wire sends to mac."""
    return got(net, 'up', net.frame('up', mac, **more))


def macs(net, names):
    """The addresses of these stations."""
    return {net.macs[name] for name in names}


def details(net):
    """What `port show` says of the uplink's device."""
    return net.daemon.port('up')['details']


def unreachable(net):
    """What `port show` says of stations that the wire can't reach: the sentences."""
    return [text for key, text in sorted(details(net).items())
            if re.fullmatch(r'unreachable_\d+', key)]


# --- the device

def test_fewer_queues():
    """A PF that gives the VF fewer tx queues than there are workers, though the driver has them."""
    cpus = sorted(os.sched_getaffinity(0))[:2]
    with FakeVf('up', **IAVF, txqs=1) as vf, net_of(vf, switch={'workers': cpus}) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert vf.calls('configure') == ['configure = -5', 'configure = 0']
        assert details(net)['tx_queues'] == 1
        for name in 'ab':
            assert from_wire(net, net.macs[name]) == {name}
            assert got(net, name, net.frame(name, 'up')) == {'up'}
        net.daemon.ctl('port', 'restart', 'up')
        net.daemon.wait_link('up')
        net.learn()
        assert got(net, 'a', net.frame('a', 'up')) == {'up'}


def test_no_network_device():
    """What is no NIC is refused, and let go of: it is not attached twice at the next try."""
    with Net({'a': 'server'}) as net:
        for _ in range(2):
            said = net.daemon.ctl_fail('port', 'add', 'x', 'type=ethdev', 'devargs=dma_skeleton')
            assert 'port x: the device dma_skeleton is no network device' in said
        assert 'Failed to attach device' not in net.daemon.log()


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

def tagged(vlan, more=0):
    """The arguments of a frame with that tag."""
    return {'tags': ((0x8100, more | vlan),)}


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

def igmp(net, src, kind, group=GROUP):
    """An IGMPv2 message: 0x16 report, 0x17 leave."""
    from scapy.contrib.igmp import IGMP
    from scapy.layers.inet import IP
    from scapy.layers.l2 import Ether
    dst = group if kind == 0x16 else '224.0.0.2'
    mac = '01:00:5e:' + ':'.join(f'{int(b) & (0x7f if i == 0 else 0xff):02x}'
                                 for i, b in enumerate(dst.split('.')[1:]))
    return bytes(Ether(dst=mac, src=net.macs[src]) / IP(src='10.0.0.1', dst=dst, ttl=1) /
                 IGMP(type=kind, gaddr=group))


def talk(net, src, frame):
    """Sends a frame that is not one of the tests' own, and takes it from all others."""
    net[src].send(frame)
    net.after(src)


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


# --- link

@pytest.mark.parametrize('lsc', [0, 1])
def test_link(lsc):
    """The port follows its device's link, told by interrupt or looked at."""
    with FakeVf('up', **dict(IAVF, revival='nothing', lsc=lsc)) as vf, net_of(vf) as net:
        net.learn()
        for _ in range(3):
            vf.event('lsc' if lsc else None, link='down')
            net.daemon.wait_link('up', up=False)
            assert net.daemon.port('up')['reason']
            before = net.counts('up')['drops']['tx-down']
            net['a'].send(net.frame('a', 'up'))
            net.wait_drops('up', 'tx-down', before + 1)
            assert only_to_of(net, 'a', 'b')
            vf.event('lsc' if lsc else None, link='up')
            net.daemon.wait_link('up')
            assert net.daemon.port('up')['reason'] == ''
            net.learn()
            vf.wait_filter(macs=macs(net, 'ab'))
            assert from_wire(net, net.macs['a']) == {'a'}


def only_to_of(net, src, dst):
    """Whether a guest reaches another while the uplink is down."""
    frame = net.frame(src, dst)
    net[src].send(frame)
    return net[dst].recv(1) == [frame]


@pytest.mark.parametrize('pf', [IGBVF, IXGBEVF], ids=['igbvf', 'ixgbevf'])
def test_deaf_after_link_down(pf):
    """A device that is deaf after its link was down is restarted when it comes up."""
    with FakeVf('up', **pf) as vf, net_of(vf) as net:
        net.learn()
        vf.change(link='down')
        net.daemon.wait_link('up', up=False)
        vf.change(link='up')
        net.daemon.wait_link('up')
        net.learn()
        assert got(net, 'a', net.frame('a', 'up')) == {'up'}
        starts = len(vf.calls('start ='))
        assert starts == 2
        time.sleep(3)
        assert len(vf.calls('start =')) == starts, 'it is restarted over and over'


def test_restart_by_the_operator():
    """igbvf when its PF was down: the link says up all the time. port restart helps, and sets all
    again."""
    with FakeVf('up', **dict(IXGBEVF, reset='notsup')) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        vf.change(passes=0)
        net['up'].send(net.frame('up', 'a'))
        assert net['a'].none()
        vf.change(passes=1)
        net['up'].send(net.frame('up', 'a'))
        assert net['a'].none(0.5)
        net.daemon.ctl('port', 'restart', 'up')
        net.daemon.wait_link('up')
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
        assert details(net)['restarts'] == 1


@pytest.mark.parametrize('reset', ['honour', 'notsup'])
def test_reset_by_the_pf(reset):
    """INTR_RESET: the device is reset, or else restarted, and gets everything again."""
    pf = dict(IXGBEVF, reset=reset, revival='reset' if reset == 'honour' else 'start')
    with FakeVf('up', **pf) as vf, net_of(vf, up={'vlans': [30]}) as net:
        net.learn()
        talk(net, 'a', igmp(net, 'a', 0x16))
        wait_until('the group is listed', lambda: GROUP_MAC in vf.filter()['mcs'])
        before = vf.filter()
        for n in range(1, 4):
            vf.event('reset')
            wait_until('restarted', lambda n=n: details(net)['restarts'] == n)
            net.daemon.wait_link('up')
            wait_until('the filter is as before', lambda: vf.filter() == before)
            net.learn()
            vf.wait_filter(macs=macs(net, 'ab'))
            assert from_wire(net, net.macs['a']) == {'a'}
            assert got(net, 'up', net.frame('up', BROADCAST, **tagged(30))) == {'a', 'b'}


def test_reset_that_fails():
    """A PF that is not back yet: the driver closes the device half, says nothing more of it, and
    is asked for another reset until that is granted. Meanwhile it is left alone."""
    with FakeVf('up', **dict(IXGBEVF, revival='reset')) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        vf.event('reset', reset='reject')
        net.daemon.wait_link('up', up=False)
        assert re.search(r"can't reset the device", net.daemon.port('up')['reason'])
        tries = len(vf.calls('reset ='))
        wait_until('it is tried again', lambda: len(vf.calls('reset =')) > tries + 1)
        assert not vf.calls('info_get ='), 'a device that is closed half is asked'
        assert details(net)['restarts'] == 0
        assert only_to_of(net, 'a', 'b')
        vf.change(reset='honour')
        net.daemon.wait_link('up')
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
        assert details(net)['restarts'] == 1


def test_reset_that_takes_long():
    """A driver that waits for its PF in vain, as iavf does for 10 s: it is left alone for the most
    part, so that the control thread has time for others; a word of the PF's changes that."""
    with FakeVf('up', **dict(IXGBEVF, revival='reset')) as vf, net_of(vf) as net:
        net.learn()
        vf.event('reset', reset='reject', reset_ms=1500)
        wait_until('it was tried', lambda: len(vf.calls('reset =')) == 1, 20.0)
        longest, end = 0, time.monotonic() + 8
        while time.monotonic() < end:
            start = time.monotonic()
            net.daemon.ctl('status')
            longest = max(longest, time.monotonic() - start)
            time.sleep(0.1)
        tries = len(vf.calls('reset ='))
        assert tries == 1, f'{tries} tries, and an answer took {longest:.1f} s'
        vf.event('reset', reset='honour', reset_ms=0)
        net.daemon.wait_link('up', timeout=15.0)
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}


def test_restart_that_fails():
    """The driver refuses to start: the port says why, and it is tried again."""
    with FakeVf('up', **IXGBEVF) as vf, net_of(vf) as net:
        net.learn()
        vf.event('reset', start='reject')
        net.daemon.wait_link('up', up=False)
        assert re.search(r'start the device', net.daemon.port('up')['reason'])
        assert re.search(r'port up: .*start', net.daemon.ctl_fail('port', 'restart', 'up'))
        assert only_to_of(net, 'a', 'b')
        vf.change(start='honour')
        net.daemon.wait_link('up')
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}


def set_mtu(net, mtu):
    """Asks for another MTU of the uplink, by a new configuration; the CompletedProcess."""
    config = net.daemon.config
    config['ports'] = [dict(p, mtu=mtu) if p['name'] == 'up' else p for p in config['ports']]
    net.daemon.write(config)
    return net.daemon.ctl_run('config', 'apply', net.daemon.config_file)


@pytest.mark.parametrize('refusal', [errno.EBUSY, errno.EPERM], ids=['iavf', 'bnxt'])
def test_mtu_of_a_stopped_device(refusal):
    """Drivers that take another MTU only while they are stopped: they are, and all is set again."""
    with FakeVf('up', **dict(IAVF, revival='nothing'), mtu_errno=refusal) as vf, \
            net_of(vf, up={'mtu': 1400}) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        for n, mtu in enumerate((1300, 1500), 1):
            done = set_mtu(net, mtu)
            assert done.returncode == 0, done.stderr
            assert vf.calls('set_mtu')[-1] == f'set_mtu {mtu} = 0'
            shown = net.daemon.port('up')
            assert (shown['mtu'], shown['link']) == (mtu, 'up')
            assert shown['details']['restarts'] == n
            net.learn()
            vf.wait_filter(macs=macs(net, 'ab'))
            longest = net.frame('a', 'up', size=mtu + 14)
            assert got(net, 'a', longest) == {'up'}
            assert from_wire(net, net.macs['a']) == {'a'}


def test_mtu_of_a_device_that_does_not_start():
    """It has its old MTU when it starts again, and so has the port."""
    with FakeVf('up', **dict(IAVF, revival='nothing'), mtu_errno=errno.EBUSY) as vf, \
            net_of(vf, up={'mtu': 1400}) as net:
        net.learn()
        vf.change(start='reject')
        done = set_mtu(net, 1300)
        assert done.returncode == 1 and re.search(r"can't start the device", done.stderr), done
        assert net.daemon.port('up')['mtu'] == 1400
        assert only_to_of(net, 'a', 'b')
        vf.change(start='honour')
        net.daemon.wait_link('up')
        assert vf.calls('set_mtu')[-1] == 'set_mtu 1400 = 0'
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}


def test_numa_node():
    """A device on another NUMA node than its worker's: said, and its frames pass all the same."""
    with FakeVf('up', **dict(IAVF, node=7)) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
        assert re.search(r'WARN +port up: its device is on NUMA node 7, but its queue 0 is polled '
                         r'by CPU \d+ on node 0', net.daemon.log())
        assert details(net)['node'] == 7


# --- removal

@pytest.mark.parametrize('event', ['rmv', 'remove'])
def test_removed_and_returned(event):
    """The host takes the VF away: it is let go, the rest goes on; it comes back: as it was."""
    up = {'vlans': [30], 'mtu': 1400}
    with FakeVf('up', **IXGBEVF, rmv=1) as vf, net_of(vf, up=up) as net:
        net.learn()
        talk(net, 'a', igmp(net, 'a', 0x16))
        wait_until('the group is listed', lambda: GROUP_MAC in vf.filter()['mcs'])
        before = vf.filter()
        vf.event(event, present=0)
        wait_until('it is closed', lambda: vf.calls('close'))
        net.daemon.wait_link('up', up=False)
        assert re.search(r'taken away', net.daemon.port('up')['reason'])
        assert details(net)['device_is_there'] is False
        assert only_to_of(net, 'a', 'b')
        dropped = net.counts('up')['drops']['tx-down']
        net['a'].send(net.frame('a', 'up'))
        net.wait_drops('up', 'tx-down', dropped + 1)
        assert net.daemon.ctl_fail('port', 'restart', 'up')
        vf.change(present=1)
        net.daemon.wait_link('up', timeout=30.0)
        assert net.daemon.port('up')['reason'] == ''
        wait_until('the filter is as before', lambda: vf.filter() == before)
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
        shown = net.daemon.port('up')
        assert shown['mtu'] == 1400 and shown['details']['returns'] == 1


def test_deleted_while_away():
    """A port whose device is away is deleted, and added again when it is back."""
    with FakeVf('up', **IXGBEVF, rmv=1) as vf, net_of(vf) as net:
        net.learn()
        vf.event('rmv', present=0)
        net.daemon.wait_link('up', up=False)
        net.del_port('up')
        said = net.daemon.ctl_fail('port', 'add', 'up', 'type=ethdev',
                                   'devargs=net_af_packet0,iface=up')
        assert re.search(r'port up: there is no device net_af_packet0', said), said
        vf.change(present=1)
        net.add_port('up', 'ethdev')
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}


def test_restart_brings_it_back():
    """port restart attaches a device that is back without waiting."""
    with FakeVf('up', **IXGBEVF, rmv=1) as vf, net_of(vf) as net:
        net.learn()
        vf.event('rmv', present=0)
        net.daemon.wait_link('up', up=False)
        vf.change(present=1)
        net.daemon.ctl('port', 'restart', 'up')
        net.daemon.wait_link('up')
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}


class Load(threading.Thread):
    """Traffic of all ways, as fast as it goes, until stop()."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.over = threading.Event()
        self.error = None

    def run(self):
        """Guest to guest, guest to wire and back, and broadcasts."""
        net = self.net
        try:
            while not self.over.is_set():
                for src, dst in (('a', 'b'), ('a', 'up'), ('b', 'up'), ('up', 'a'), ('up', 'b')):
                    net[src].send_many([net.frame(src, dst, size=200) for _ in range(16)])
                net['a'].send(net.frame('a'))
                for name in ('a', 'b', 'up'):
                    net[name].take()
        except BaseException as e:  # pylint: disable=broad-except
            self.error = e

    def stop(self):
        """Ends it; fails if it could not send."""
        self.over.set()
        self.join()
        if self.error:
            raise self.error


@pytest.mark.parametrize('times', choose([6, 50], 6))
def test_away_again_and_again_under_load(times):
    """Removed and returned, up to 50 times, while all talk: nothing leaks, traffic resumes."""
    with FakeVf('up', **IXGBEVF, rmv=1) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))

        def free():
            return [w['mbufs_free'] for w in net.daemon.ctl('worker', 'list')['workers']]
        before = free()
        without = []
        for n in range(times):
            load = Load(net)
            load.start()
            start = time.monotonic()
            vf.event(('rmv', 'remove')[n % 2], present=0)
            net.daemon.wait_link('up', up=False)
            vf.change(present=1)
            net.daemon.ctl('port', 'restart', 'up')
            rx = net.counts('up')
            wait_until('traffic to and from the wire', lambda rx=rx: all(
                net.counts('up')[key] > rx[key] for key in ('rx_frames', 'tx_frames')), 15.0)
            without.append(time.monotonic() - start)
            load.stop()
            # once more where it was attached again before the restart, which makes it anew
            assert len(vf.calls('close')) > n
        for name in net.stations:
            net[name].recv(10 ** 6, 0.5)
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
        wait_until('all mbufs are back', lambda: free() == before, 10.0, 0.2)
        status = net.daemon.ctl('status')
        assert status['retired_pools'] == 0, status
        assert 'not ready port' not in net.daemon.log()
        without.sort()
        print(f'without traffic: median {without[times // 2] * 1e3:.0f} ms, most '
              f'{without[-1] * 1e3:.0f} ms, of {times} times')


# --- what comes back

def test_reflected():
    """Some VFs get their own broadcasts back: nobody's station moves, nobody hears them twice."""
    with FakeVf('up', **IXGBEVF, reflect=1) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        before = net.counts('up')['drops']['rx-reflected']
        frames = [net.frame('a') for _ in range(100)]
        net['a'].send_many(frames)
        assert net['b'].recv(100) == frames and net['up'].recv(100) == frames
        net.wait_drops('up', 'rx-reflected', before + 100)
        assert net['a'].none() and net['b'].none() and net['up'].none()
        assert net.fdb()[0, net.macs['a']] == 'a'
        assert from_wire(net, net.macs['a']) == {'a'}
        assert vf.filter()['macs'] == macs(net, 'ab')


def test_guest_moves_to_the_wire():
    """A guest that migrates is heard on the wire, once its old port is down: that is no echo."""
    with FakeVf('up', **IXGBEVF, reflect=1) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        net['a'].send(net.frame('a'))
        net['b'].recv(1)
        net['up'].recv(1)
        net.disconnect('a')
        net.daemon.wait_link('a', up=False)
        moved = build(BROADCAST, net.macs['a'], next(net.numbers))
        net['up'].send(moved)
        assert net['b'].recv(1) == [moved]
        assert net.fdb()[0, net.macs['a']] == 'up'
        vf.wait_filter(macs=macs(net, 'b'))


def test_spoofcheck():
    """A PF that drops what has a foreign source: nothing that the switch sees goes wrong."""
    with FakeVf('up', **IXGBEVF, spoofcheck=1) as vf, net_of(vf) as net:
        frame = net.frame('a', 'up')
        net['a'].send(frame)
        assert net['up'].none(0.5)
        own = build(BROADCAST, vf.mac, next(net.numbers))
        net['a'].send(own)
        assert net['up'].recv(1) == [own]
        assert net.counts('up')['tx_frames'] >= 2
