# SPDX-License-Identifier: BSD-3-Clause
"""test_mtu.py: how long frames may be, from port to port: whole ones, and those that are to be
divided, which are as long as their segments. What the config takes is in test_config.py, what
devices take in test_ethdev.py and test_tap.py."""

import itertools

import pytest

from offload_frames import VLAN, data, ether, gso, ip4, ip6, tcp, udp
from net import HOST_KINDS
from offload_net import KERNEL, Way, switch
from rawguest import GSO_TCPV4, GSO_TCPV6, GUEST_ALL, HOST_ALL, NONE

# DPDK 22.11's net_af_packet takes 1500, its net_tap 1504
JUMBO = {'raw': 9000, 'packed': 9000, 'tap': 9000, 'net_tap': 1504, 'ethdev': 1500}
PAIRS = [*itertools.product(('raw', 'tap', 'ethdev'), repeat=2),
         ('packed', 'tap'), ('tap', 'packed'), ('raw', 'net_tap'), ('net_tap', 'raw')]


def test_oversize():
    """A frame that is to be divided is as long as its segments."""
    guest = {'a': {'features': HOST_ALL}, 'b': {'features': GUEST_ALL}, 'c': {'size': 512}}
    conf = {'a': {'mtu': 9000}, 'b': {'mtu': 1400}, 'c': {'mtu': 1400}}
    with switch({'a': 'raw', 'b': 'raw', 'c': 'raw'}, guest, conf) as net:
        for dst in ('b', 'c'):
            way = Way(net, 'a', dst)
            for tags in ((), VLAN):
                head = ether(net.macs['a'], net.macs[dst], tags)
                for version, (ip, gso_type, n_headers) in {
                        'tso4': (ip4, GSO_TCPV4, 40), 'tso6': (ip6, GSO_TCPV6, 60)}.items():
                    before = net.counts(dst)['drops']['tx-oversize']
                    packet = head / ip() / tcp() / data(20000)
                    fits = gso(gso_type, 1400 - n_headers)(packet)
                    longer = gso(gso_type, 1401 - n_headers)(packet)
                    one = gso(gso_type, 8000)(head / ip() / tcp() / data(1400 - n_headers))
                    net['a'].send_records([longer])
                    way.run([(f'{version} that fits', *fits), (f'{version} of one', *one)])
                    net.wait_drops(dst, 'tx-oversize', before + 1)
                    plain = bytes(head / ip() / udp() / data(1400 - n_headers + 12))
                    net['a'].send_records([(NONE, plain + b'x')])
                    way.run([('plain', NONE, plain)])
                    net.wait_drops(dst, 'tx-oversize', before + 2)


@pytest.mark.parametrize('src,dst', PAIRS)
def test_jumbo(src, dst):
    """Frames of 9000 bytes, whole and divided, as far as the backends can; longer ones count."""
    mtu = min(JUMBO[src], JUMBO[dst])
    conf = {'a': {'mtu': JUMBO[src]}, 'b': {'mtu': JUMBO[dst]}}
    guest = {name: {'features': features, 'size': 512, 'packed': kind == 'packed'}
             for name, kind, features in (('a', src, HOST_ALL), ('b', dst, 0))
             if kind not in HOST_KINDS}
    kinds = {name: kind if kind in HOST_KINDS else 'raw' for name, kind in (('a', src), ('b', dst))}
    with switch(kinds, guest, conf) as net:
        way = Way(net, 'a', 'b')
        head = ether(net.macs['a'], net.macs['b'])
        way.run([('whole', NONE, bytes(head / ip4() / udp() / data(mtu - 28))),
                 ('tso4', *gso(GSO_TCPV4, mtu - 40)(head / ip4() / tcp() / data(30000))),
                 ('tso6', *gso(GSO_TCPV6, mtu - 60)(head / ip6() / tcp() / data(30000)))])
        if JUMBO[src] > JUMBO[dst]:
            way.send([(NONE, bytes(head / ip4() / udp() / data(mtu - 27))),
                      gso(GSO_TCPV4, mtu - 39)(head / ip4() / tcp() / data(mtu * 2))])
            # from the kernel, the second one comes as its segments, of which the last is short
            net.wait_drops('b', 'tx-oversize', 3 if src in KERNEL else 2)


def test_mtu_68_and_65535():
    """The shortest and the longest MTU."""
    for mtu in (68, 65535):
        guest = {'a': {'features': HOST_ALL}, 'b': {'size': 512}}
        with switch({'a': 'raw', 'b': 'raw'}, guest,
                    {'a': {'mtu': 65535}, 'b': {'mtu': mtu}}) as net:
            way = Way(net, 'a', 'b')
            size = mtu if mtu == 68 else 1500
            head = ether(net.macs['a'], net.macs['b'])
            way.run([('whole', NONE, bytes(head / ip4() / udp() / data(mtu - 28))),
                     ('tso4', *gso(GSO_TCPV4, size - 40)(head / ip4() / tcp() / data(900)))])
            if mtu == 68:
                net['a'].send(bytes(head / ip4() / udp() / data(mtu - 27)))
                net.wait_drops('b', 'tx-oversize', 1)


def test_of_the_sender():
    """The MTU of its own port bounds what a guest may send, too."""
    guest = {'a': {'features': HOST_ALL}, 'b': {'features': GUEST_ALL}}
    with switch({'a': 'raw', 'b': 'raw'}, guest, {'a': {'mtu': 1400}}) as net:
        way = Way(net, 'a', 'b')
        packet = ether(net.macs['a'], net.macs['b']) / ip4() / tcp() / data(20000)
        net['a'].send_records([gso(GSO_TCPV4, 1361)(packet)])
        way.run([('tso4 that fits', *gso(GSO_TCPV4, 1360)(packet))])
        net.wait_drops('a', 'rx-oversize', 1)


def test_change():
    """Another MTU at run time is that of segments, too."""
    guest = {'a': {'features': HOST_ALL}, 'b': {'features': GUEST_ALL}}
    with switch({'a': 'raw', 'b': 'raw'}, guest) as net:
        way = Way(net, 'a', 'b')
        record, frame = gso(GSO_TCPV4, 1460)(ether(net.macs['a'], net.macs['b']) / ip4() / tcp() /
                                             data(20000))
        way.run([('as long as may be', record, frame)])
        config = net.daemon.config
        for port in config['ports']:
            port['mtu'] = 1499
        net.daemon.write(config)
        net.daemon.ctl('config', 'apply', net.daemon.config_file)
        net['a'].send(frame, record)
        net.wait_drops('a', 'rx-oversize', 1)
        way.run([('as long as may be now', record._replace(gso_size=1459), frame)])
