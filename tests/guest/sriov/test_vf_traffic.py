# SPDX-License-Identifier: BSD-3-Clause
"""VF ports on an emulated igb: what passes between the wire, a vhost-user guest and the TAP; what
the VF receives, and what the switch says of what it does not."""

import pytest

from daemon import wait_until
from frames import BROADCAST, build
from vfnet import OUTSIDE, TAP, VM1, VfNet, tagged, vf_conf, vf_mac

GROUP, GROUP_MAC = '239.1.2.3', '01:00:5e:01:02:03'
GROUP6, GROUP6_MAC = 'ff05::1:3', '33:33:00:01:00:03'
OTHER_GROUP_MAC = '01:00:5e:01:02:04'


@pytest.fixture(scope='module', name='net')
def fixture_net(igb_guest):
    """up0, vm1 and inband."""
    with VfNet(igb_guest, {'up0': {'num_vfs': 1, 'vlans': [30]}}) as net:
        yield net


def igmp(src, group):
    """An IGMPv2 report."""
    from scapy.contrib.igmp import IGMP
    from scapy.layers.inet import IP
    from scapy.layers.l2 import Ether
    return bytes(Ether(dst=GROUP_MAC, src=src) / IP(src='10.0.0.1', dst=group, ttl=1) /
                 IGMP(type=0x16, gaddr=group))


def mld(src, group):
    """An MLDv2 report."""
    from scapy.layers.inet6 import (ICMPv6MLDMultAddrRec, ICMPv6MLReport2, IPv6,
                                    IPv6ExtHdrHopByHop, RouterAlert)
    from scapy.layers.l2 import Ether
    return bytes(Ether(dst='33:33:00:00:00:16', src=src) /
                 IPv6(src='fe80::1', dst='ff02::16', hlim=1) /
                 IPv6ExtHdrHopByHop(options=[RouterAlert()]) /
                 ICMPv6MLReport2(records_number=1,
                                 records=[ICMPv6MLDMultAddrRec(rtype=4, dst=group)]))


def holders(net, mac):
    """Which ports a station is behind."""
    return {entry['port'] for entry in net.daemon.ctl('fdb', 'list')['entries']
            if entry['mac'] == mac}


def test_all_ways(net):
    """Frames of all sizes pass from each to each, unaltered and in order."""
    sizes = (60, 61, 64, 65, 128, 300, 1000, 1513, 1514)
    net.drain()
    into = [net.frame(OUTSIDE, vf_mac(0), size=size) for size in sizes]
    net.wire.send_many(into)
    assert net.vm1.recv(len(into)) == into
    assert net.tap.recv(len(into)) == into
    for station, mac in ((net.vm1, VM1), (net.tap, TAP)):
        net.drain()
        out = [net.frame(mac, OUTSIDE, size=size) for size in sizes]
        station.send_many(out)
        assert net.wire.recv(len(out)) == out
    local = [net.frame(TAP, VM1, size=size) for size in sizes]
    net.tap.send_many(local)
    assert net.vm1.recv(len(local)) == local
    assert net.wire.none()
    assert net.passes()


def test_own_filter(net):
    """The VF takes frames for its own address and for all; whom that leaves out is said."""
    assert net.passes()
    details = net.details()
    assert (details['filter'], details['filter_asked']) == ('own', 'auto')
    assert "promiscuous mode does nothing" in details['filter_why']
    own, broadcast = net.frame(OUTSIDE, vf_mac(0)), net.frame(OUTSIDE)
    foreign = [net.frame(OUTSIDE, dst) for dst in (VM1, TAP, '02:00:00:00:00:55',
                                                   OTHER_GROUP_MAC)]
    assert net.heard([own, *foreign, broadcast]) == [own, broadcast]
    sentences = [text for key, text in details.items() if key.startswith('unreachable_')]
    assert details['unreachable'] == len(sentences) == 2
    for name, mac in (('vm1', VM1), ('inband', TAP)):
        sentence = (f'{name} {mac}: not reachable from uplink up0: the driver net_e1000_igb_vf '
                    'takes no address beside its own')
        assert sentence in sentences
        assert sentence in net.daemon.log()


def test_own_address_for_a_tap(net):
    """The way out: the station that has the VF's own address can be reached."""
    net.daemon.add({'name': 'own', 'type': 'tap', 'ifname': 'vs-own', 'mac': vf_mac(0)})
    station = net.stations.netdev('own', 'vs-own')
    net.daemon.wait_link('own')
    hello = net.frame(vf_mac(0), OUTSIDE)
    station.send(hello)
    assert net.wire.wait(lambda frame: frame == hello)
    net.drain()
    answer = net.frame(OUTSIDE, vf_mac(0))
    net.wire.send(answer)
    assert station.recv(1) == [answer]
    assert net.vm1.none()
    assert not any('own ' in str(text) for key, text in net.details().items()
                   if key.startswith('unreachable_'))
    net.stations.remove(station)
    net.daemon.ctl('port', 'del', 'own')
    assert net.passes()


def test_groups(net):
    """Groups that vm1 has joined are let in, and no others."""
    group, group6, other = (net.frame(OUTSIDE, dst)
                            for dst in (GROUP_MAC, GROUP6_MAC, OTHER_GROUP_MAC))
    assert not net.heard([group, group6, other])
    n_groups = int(net.details()['groups'].split()[-1])
    net.vm1.send_many([igmp(VM1, GROUP), mld(VM1, GROUP6)])
    net.wait_details('both groups are listed',
                     lambda details: details['groups'] == f'list of {n_groups + 2}')
    assert net.details()['groups_missing'] == 0
    assert net.heard([group, group6, other]) == [group, group6]


def test_reflected(net):
    """The VF gets its own broadcasts back: they move no station, reach nobody, and are counted."""
    net.drain()
    n_before = net.drops('up0', 'rx-reflected')
    frames = [net.frame(VM1) for _ in range(20)]
    net.vm1.send_many(frames)
    assert net.wire.recv(20) == frames
    assert net.tap.recv(20) == frames
    net.wire.send(net.frame(OUTSIDE))  # behind what was given back
    assert len(net.vm1.recv(1)) == 1
    assert net.vm1.none()
    assert net.drops('up0', 'rx-reflected') == n_before + 20
    assert (holders(net, VM1), holders(net, TAP)) == ({'vm1'}, {'inband'})
    assert holders(net, OUTSIDE) == {'up0'}


def test_vlans(net):
    """A VLAN that vm1 speaks in is let in, as one that is configured: tags stay as they are."""
    ten, twenty, thirty = (net.frame(OUTSIDE, tags=tagged(0x6000 | vlan)) for vlan in (10, 20, 30))
    assert net.heard([ten, twenty, thirty]) == [thirty]
    out = net.frame(VM1, OUTSIDE, tags=tagged(0xa000 | 10))
    net.vm1.send(out)
    assert net.wire.recv(1) == [out]
    net.wait_details('VLAN 10 is let in', lambda details: details['vlans'] == '10, 30')
    assert net.heard([ten, twenty, thirty]) == [ten, thirty]
    assert net.passes()


def test_port_vlan(net):
    """A port VLAN that the PF gets while the port is in use: the switch sees no tag of it."""
    number, pf = 1000, net.uplinks['up0']
    pf.set_vf(0, 'vlan 100')
    try:
        net.wait_details('the PF says so', lambda details: details['pf_vlan'] == 100)
        tagged_one, plain = (build(BROADCAST, OUTSIDE, number, tags=tags)
                             for tags in (tagged(100), ()))
        net.drain()
        net.wire.send_many([net.frame(OUTSIDE), tagged_one])
        assert net.vm1.recv(1) == [plain]
        net.drain()
        net.vm1.send_many([build(OUTSIDE, VM1, number), build(OUTSIDE, VM1, number,
                                                              tags=tagged(10))])
        assert net.wire.recv(2) == [
            build(OUTSIDE, VM1, number, tags=tagged(100)),
            build(OUTSIDE, VM1, number, tags=(*tagged(100), *tagged(10)))]
    finally:
        pf.set_vf(0, 'vlan 0')
    net.wait_details('the PF says so', lambda details: details['pf_vlan'] == 0)
    assert net.passes()
    ten = net.frame(OUTSIDE, tags=tagged(10))
    net.vm1.send(net.frame(VM1, OUTSIDE, tags=tagged(10)))
    net.wait_details('VLAN 10 is let in', lambda details: '10' in details['vlans'].split(', '))
    assert net.heard([ten]) == [ten]


def test_what_the_pf_says(net):
    """`port show` follows the PF, and warns of what can't work."""
    pf = net.uplinks['up0']
    assert not [key for key in net.details() if key.startswith('warning_')]
    pf.set_vf(0, 'spoofchk on')
    pf.set_vf(0, 'trust off')
    net.wait_details('it warns of the spoof check',
                     lambda details: 'spoof check is on' in details.get('warning_0', ''))
    net.wait_details('it shows trust', lambda details: details['pf_trust'] == 'off')
    details = net.details()
    assert (details['asked_trust'], details['asked_spoofcheck']) == ('on', 'off')
    assert f'ip link set {pf.ifname} vf 0 spoofchk off' in details['warning_0']
    pf.set_vf(0, 'trust on')
    pf.set_vf(0, 'spoofchk off')
    net.wait_details('it does not warn any more', lambda details: 'warning_0' not in details)
    assert net.passes()


@pytest.mark.long
def test_two_cards(net):
    """VFs of two cards: a port is added and deleted while traffic flows; frames pass from one card
    to the other; a broadcast does not go round though both VFs get it back."""
    pf = net.guest.pf(1)
    conf = vf_conf(net.guest, 'up1', 1, num_vfs=1, filter='promiscuous', queues=2, trust='off',
                   spoofcheck='on')
    load_frames = [build(BROADCAST, OUTSIDE, n) for n in range(16)]
    with net.wire.sending(load_frames, pause=0.02) as load, \
            pf.wire.sending([build(BROADCAST, '02:00:00:00:00:98', n) for n in range(16)], 0.02):
        for _ in range(2):
            net.daemon.add(conf)
            net.daemon.wait_link('up1')
            n_sent = load.sent
            net.daemon.ctl('port', 'del', 'up1')
            assert load.sent > n_sent
        assert net.vm1.recv(1)
        net.daemon.add(conf)
        net.daemon.wait_link('up1')
    details = net.details('up1')
    assert (details['rx_queues'], details['tx_queues']) == (2, 2)
    warnings = ' '.join(str(details.get(f'warning_{n}')) for n in range(2))
    assert "filter: promiscuous can't work" in warnings
    assert 'spoof check is on' in warnings
    pf.drain()
    net.drain()
    there, back = net.frame(OUTSIDE, vf_mac(0)), net.frame('02:00:00:00:00:98', vf_mac(1))
    net.wire.send(there)
    assert pf.wire.recv(1) == [there]

    def comes_back():
        # given back by the other card, it may still be held to be there
        pf.wire.send(back)
        return net.wire.recv(1) == [back]
    wait_until('the other way', comes_back)
    assert net.passes()
    n_before = net.daemon.counts('up1')['rx_frames']
    net.wire.send(net.frame(OUTSIDE))
    assert len(net.vm1.recv(1)) == 1
    assert net.vm1.none()
    assert net.daemon.counts('up1')['rx_frames'] <= n_before + 1  # itself, given back
    net.daemon.ctl('port', 'del', 'up1')
    assert pf.n_vfs() == 0
