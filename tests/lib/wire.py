# SPDX-License-Identifier: BSD-3-Clause
"""wire.py: guests and an uplink `up` whose device is a FakeVf, and what passes between them.

    with FakeVf('up', **IXGBEVF) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
"""

import re

from net import Net

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


def tagged(vlan, more=0):
    """The arguments of a frame with that tag."""
    return {'tags': ((0x8100, more | vlan),)}


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


def reaches(net, src, dst):
    """Whether a guest reaches another while the uplink is down."""
    frame = net.frame(src, dst)
    net[src].send(frame)
    return net[dst].recv(1) == [frame]
