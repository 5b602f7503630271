# SPDX-License-Identifier: BSD-3-Clause
"""test_offload.py: whatever a frame's record leaves to be done, and whatever its receiver takes,
what comes is what the standards say, byte for byte.

What is sent is in tests/lib/offload_frames.py, what must come in offload_model.py.
"""

import pytest
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from marks import choose
from net import HOST_KINDS, Net, port_conf
from offload_frames import QINQ, VLAN, data, ether, extensions, frames, gso, ip4, ip6, tcp, udp
from offload_model import NOTHING, complete, expected, headers_len, outer_transport, partial
from offload_net import Way, bad_records, difference, receives, sends, switch
from rawguest import (CSUM, DATA_VALID, GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP, GSO_UDP_L4,
                      GUEST_ALL, GUEST_CSUM, GUEST_TSO, GUEST_TSO4, GUEST_TSO6, GUEST_USO, HOST_ALL,
                      HOST_ECN, HOST_TSO4, HOST_TSO6, NEEDS_CSUM, NONE)

SENDERS = {'split': {}, 'packed': {'packed': True}, 'tap': None, 'net_tap': None, 'ethdev': None}
RECEIVERS = {
    'none': {},
    'none-big': {'mergeable': False},
    'csum': {'features': GUEST_CSUM, 'rx_len': 700},
    'tso4': {'features': GUEST_CSUM | GUEST_TSO4},
    'tso6': {'features': GUEST_CSUM | GUEST_TSO6, 'mergeable': False},
    'tso': {'features': GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6, 'in_order': True},
    'tso-ecn': {'features': GUEST_CSUM | GUEST_TSO},
    'uso': {'features': GUEST_CSUM | GUEST_USO, 'rx_len': 1526},
    'all': {'features': GUEST_ALL},
    'all-big': {'features': GUEST_ALL, 'mergeable': False},
}
LAYOUTS = ('single', 'two', 'indirect', 'chain')
CASES = [(src, dst, takes_)
         for src in SENDERS
         for dst, sets in (('split', RECEIVERS), ('packed', RECEIVERS), ('tap', ['-']),
                           ('net_tap', ['-']), ('ethdev', ['-']))
         for takes_ in sets
         # it shares all with ethdev but its device
         if 'net_tap' not in (src, dst) or {src, dst} < {'net_tap', 'tap', 'split'} and
         takes_ in ('-', 'none', 'all')]


def is_default(src, dst, _):
    """Whether a case is always run: of those between two guests, and from a kernel to a guest, half
    of them."""
    return dst in HOST_KINDS or (src, dst) in (('split', 'packed'), ('packed', 'split'),
                                               ('tap', 'split'), ('ethdev', 'packed'),
                                               ('net_tap', 'split'))


def kind_of(word):
    """The kind of port of a word of SENDERS."""
    return word if word in HOST_KINDS else 'raw'


def layouts(case):
    """Options that differ from case to case."""
    number = CASES.index(case)
    return {'layout': LAYOUTS[number % 4], 'in_order': number % 3 == 0}


@pytest.mark.parametrize('src,dst,takes_', [
    pytest.param(*case, id='-'.join(case), marks=() if is_default(*case) else pytest.mark.long)
    for case in CASES])
def test_every_kind(src, dst, takes_):
    """All kinds of frames from one kind of station to another one that takes some of it."""
    guest = {}
    if src not in HOST_KINDS:
        guest['a'] = {'features': HOST_ALL, **SENDERS[src], **layouts((src, dst, takes_))}
    if dst not in HOST_KINDS:
        guest['b'] = {'size': 512, 'packed': dst == 'packed', **RECEIVERS[takes_]}
    with switch({'a': kind_of(src), 'b': kind_of(dst)}, guest) as net:
        way = Way(net, 'a', 'b')
        kinds = way.frames()
        way.run(kinds)
        assert not any(net.after('a').values())
        dropped = [name for name, record, frame in kinds if not way.expect(record, frame)]
        assert bad_records(net) == len(dropped), dropped
        counts = net.counts('b')['drops']
        assert not any(counts.values()), counts


# --- what is not agreed on

@pytest.mark.parametrize('packed', [False, True], ids=['split', 'packed'])
@pytest.mark.parametrize('features', [0, CSUM, CSUM | HOST_TSO4, CSUM | HOST_TSO6,
                                      CSUM | HOST_TSO4 | HOST_TSO6, CSUM | HOST_TSO4 | HOST_ECN],
                         ids=['none', 'csum', 'tso4', 'tso6', 'tso', 'tso4-ecn'])
def test_not_agreed_on(features, packed):
    """A guest that asks for segments that it did not agree on loses the frame; a checksum that it
    did not agree on is not looked at."""
    guest = {'a': {'features': features, 'packed': packed}, 'b': {'features': GUEST_ALL},
             'c': {'size': 512}}
    with switch({'a': 'raw', 'b': 'raw', 'c': 'raw'}, guest) as net:
        n_dropped = 0
        for dst in ('b', 'c'):
            way = Way(net, 'a', dst)
            kinds = [k for k in way.frames() if not k[2][0] & 1]
            way.run(kinds)
            n_dropped += len([k for k in kinds if not way.expect(*k[1:])])
        assert n_dropped > 0
        assert bad_records(net) == n_dropped
        assert not any(net.after('a').values())


# --- what passes as DPDK's mbuf

EXTENSIONS = (0, 43, 60)  # hop by hop, routing, destination: RFC 8200 §4


def asked_of_driver(record, frame):
    """A driver knows where the first TCP or UDP header is; other checksums are put in for it."""
    if record.flags & NEEDS_CSUM and not record.gso_type and \
            record.csum_start != outer_transport(frame):
        return NONE, complete(record, frame)
    return record, frame


def driver_takes(frame, offloads):
    """What a driver or the library takes, of a frame that goes as mbuf: they don't look behind
    extension headers."""
    packet = Ether(frame)
    return NOTHING if IPv6 in packet and packet[IPv6].nh in EXTENSIONS else offloads


class LibraryWay(Way):
    """Of which one end, or both, is a port with `datapath: library`."""

    def frames(self):
        """The library does not see that a record says USO or ECN: mbufs have no word for it."""
        return [kind for kind in super().frames()
                if 'uso' not in kind[0] and 'ecn' not in kind[0]]

    def expect(self, record, frame):
        if 'checksum' in sends(self.src):
            record, frame = asked_of_driver(record, frame)
        if self.net.daemon.port(self.names[1])['details']['datapath'] == 'library':
            return expected(record, frame, sends(self.src),
                            driver_takes(frame, receives(self.dst) & {'checksum'}))
        return super().expect(record, frame)


# no segments to the library, whatever its guest takes: it writes the sum of a pseudo header without
# length
@pytest.mark.parametrize('takes_', ['none', 'csum', 'tso'])
@pytest.mark.parametrize('src,dst', [('direct', 'library'), ('library', 'direct'),
                                     ('library', 'library')])
def test_library(src, dst, takes_):
    """The library's own bursts pass on the same, and leave the same to be finished."""
    conf = {name: {'datapath': path} for name, path in (('a', src), ('b', dst))}
    guest = {'a': {'features': HOST_ALL, 'layout': 'two'},
             'b': {'size': 512, **RECEIVERS[takes_]}}
    with switch({'a': 'raw', 'b': 'raw'}, guest, conf) as net:
        way = LibraryWay(net, 'a', 'b')
        way.run(way.frames())
        assert not any(net.after('a').values())


VIRTIO = frozenset(('checksum', 'tso4', 'tso6'))  # that DPDK 22.11's net_virtio_user takes
FAR_MAC = '02:00:00:00:00:99'


class Chain(Way):
    """From a station of one switch to one of another, over a device that takes what VIRTIO says."""

    def __init__(self, src, dst, sent_min):
        self.net = None
        self.src, self.dst, self.sent_min = src, dst, sent_min
        self.names = src.name, dst.name
        self.kinds = 'raw', 'raw'

    def frames(self):
        return frames('02:00:00:00:00:01', FAR_MAC)

    def expect(self, record, frame):
        found = []
        # only an uplink sends mbufs
        taken = driver_takes(frame, VIRTIO) if self.sent_min else VIRTIO
        for r, f in expected(record, frame, sends(self.src), taken) or []:
            r, f = asked_of_driver(r, f)
            if not r.gso_type:
                f = f.ljust(self.sent_min, b'\0')
            found += expected(r, f, VIRTIO, receives(self.dst))
        return found


@pytest.mark.parametrize('way', ['out', 'in'])
@pytest.mark.parametrize('takes_', choose(['none', 'csum', 'tso', 'all'], 'none', 'all'))
def test_virtio_uplink(way, takes_):
    """Two switches with a cable between them: an ethdev of one is a guest of the other."""
    options = {'features': HOST_ALL | RECEIVERS[takes_].get('features', 0), 'size': 512}
    with Net({'far': 'raw'}, guest={'far': options}) as far, \
            Net({'near': 'raw'}, guest={'near': options}) as near:
        far.daemon.add(port_conf('v', 'server'))
        near.daemon.add({'name': 'e', 'type': 'ethdev',
                         'devargs': f'net_virtio_user0,path={far.daemon.path("v.sock")}'})
        near.daemon.wait_link('e')
        far.daemon.wait_link('v')
        if way == 'out':  # an uplink pads what it sends
            chain = Chain(near['near'], far['far'], 60)
        else:
            chain = Chain(far['far'], near['near'], 0)
        chain.run(chain.frames())


# --- one frame to many

def test_flood():
    """Each member gets a flooded frame as it takes it, and in order with those around it."""
    guest = {'a': {'features': HOST_ALL, 'size': 512, 'packed': True}}
    kinds = {'a': 'raw'}
    for i, (name, options) in enumerate(RECEIVERS.items()):
        member = name.replace('-', '')
        kinds[member] = 'raw'
        guest[member] = {'size': 512, 'packed': i % 2 == 1, **options}
    kinds.update({'dpdk': 'server', 'tap': 'tap', 'nettap': 'net_tap', 'wire': 'ethdev'})
    with switch(kinds, guest) as net:
        mac = net.macs['a']
        for tags in ((), VLAN, QINQ):
            sent = []
            for i, (how, packet) in enumerate([
                    (gso(GSO_TCPV4, 1000), ip4() / tcp(flags='PA') / data(3333)),
                    (gso(GSO_TCPV6, 1000), ip6() / tcp(flags='FPA') / data(2222)),
                    (gso(GSO_TCPV4 | GSO_ECN, 1000), ip4(tos=3) / tcp(flags='CPA') / data(2000)),
                    (gso(GSO_UDP_L4, 1000), ip6() / extensions() / udp() / data(2500)),
                    (partial, ip4() / udp() / data(700))]):
                sent.append((NONE, net.frame('a', number=2 * i, tags=tags)))
                sent.append(how(ether(mac, 'ff:ff:ff:ff:ff:ff', tags) / packet))
            sent.append((NONE, net.frame('a', number=99, tags=tags)))
            net['a'].send_records(sent)
            for name in net.others('a'):
                way = Way(net, 'a', name)
                wanted = [pair for record, frame in sent for pair in way.expect(record, frame)]
                if name == 'dpdk':
                    got = [(NONE, f) for f in net[name].recv(len(wanted))]
                else:
                    got = way.receive(len(wanted))
                assert got == wanted, f'{name}: {difference(got, wanted)}'


# --- lies

def lies(src, dst):
    """name -> (record, frame) of what must be dropped."""
    head = ether(src, dst)
    record, frame = gso(GSO_TCPV4, 1000)(head / ip4() / tcp() / data(3000))
    record6, frame6 = gso(GSO_TCPV6, 1000)(head / ip6() / tcp() / data(3000))
    recordu, frameu = gso(GSO_UDP_L4, 1000)(head / ip4() / udp() / data(3000))
    long_record, long_frame = gso(GSO_TCPV4, 1)(head / ip4() / tcp() / data(60000))
    csum, short = partial(head / ip4() / udp() / data(100))
    tagged = bytes(ether(src, dst, VLAN) / ip4() / udp() / data(100))
    fragment = bytes(head / ip4(flags='MF', proto=6) / data(3000))
    fragment6 = bytearray(frame6)
    fragment6[20] = 44  # a fragment header, where TCP's is
    cut = headers_len(frame)
    no_ip = frame[:12] + b'\x88\xb5' + frame[14:]
    short_ihl = frame[:14] + b'\x44' + frame[15:]
    long_ihl = frame[:14] + b'\x4f' + frame[15:]
    short_tcp = frame[:46] + b'\x40' + frame[47:]
    return {
        'gso_size 0': (record._replace(gso_size=0), frame),
        'segments of one byte': (long_record, long_frame),
        'tso4 as tso6': (record._replace(gso_type=GSO_TCPV6), frame),
        'tso6 as tso4': (record6._replace(gso_type=GSO_TCPV4), frame6),
        'tso4 as uso': (record._replace(gso_type=GSO_UDP_L4), frame),
        'uso as tso4': (recordu._replace(gso_type=GSO_TCPV4), frameu),
        'uso with ecn': (recordu._replace(gso_type=GSO_UDP_L4 | GSO_ECN), frameu),
        'ufo': (recordu._replace(gso_type=GSO_UDP), frameu),
        'gso type 2': (record._replace(gso_type=2), frame),
        'gso type 0x7f': (record._replace(gso_type=0x7f), frame),
        'gso type 0xff': (record._replace(gso_type=0xff), frame),
        'no needs_csum': (record._replace(flags=0), frame),
        'data valid instead': (record._replace(flags=DATA_VALID), frame),
        'csum_start in ip': (record._replace(csum_start=14), frame),
        'csum_start behind tcp': (record._replace(csum_start=54), frame),
        'csum_start 65535': (record._replace(csum_start=65535), frame),
        'csum_offset of udp': (record._replace(csum_offset=6), frame),
        'csum_offset 65535': (record._replace(csum_offset=65535), frame),
        'no payload': (record, frame[:cut]),
        'tcp header cut': (record, frame[:cut - 1]),
        'ip header cut': (record, frame[:30]),
        'nothing but ethernet': (record, frame[:14]),
        'no ip': (record, no_ip),
        'short ihl': (record, short_ihl),
        'long ihl': (record, long_ihl),
        'short data offset': (record, short_tcp),
        'options longer than the frame': (record, frame[:46] + b'\xf0' + frame[47:70]),
        'fragment': (record, fragment),
        'fragment6': (record6, bytes(fragment6)),
        'csum beyond the end': (csum._replace(csum_start=len(short)), short),
        'csum half beyond the end': (csum._replace(csum_start=20,
                                                   csum_offset=len(short) - 21), short),
        'csum_offset beyond': (csum._replace(csum_offset=len(short)), short),
        'csum 65535': (csum._replace(csum_start=65535, csum_offset=65535), short),
        'csum wraps': (csum._replace(csum_start=65530, csum_offset=40), short),
        'csum in the addresses': (csum._replace(csum_start=0, csum_offset=4), short),
        'csum in the tag': (csum._replace(csum_start=14, csum_offset=0), tagged),
        'csum in the type behind the tag': (csum._replace(csum_start=14, csum_offset=2), tagged),
    }


@pytest.mark.parametrize('packed', [False, True], ids=['split', 'packed'])
def test_lies(packed):
    """A record that can't be true costs its sender the frame, and nothing else."""
    guest = {'a': {'features': HOST_ALL, 'packed': packed}, 'b': {'features': GUEST_ALL},
             'c': {}}
    with switch({'a': 'raw', 'b': 'raw', 'c': 'raw', 't': 'tap'}, guest) as net:
        before = bad_records(net)
        wrong = []
        for name, (record, frame) in lies(net.macs['a'], net.macs['b']).items():
            for lie in (frame, frame[:5] + b'\x77' + frame[6:]):  # and to nobody: a flood
                net['a'].send(lie, record)
                seen = net.after('a')
                after = bad_records(net)
                if any(seen.values()) or after != before + 1:
                    came = {n: [f.hex()[:200] for f in fs] for n, fs in seen.items() if fs}
                    wrong.append(f'{name}: {after - before} drops, sent as {record} '
                                 f'{frame[:80].hex()}, came: {came}')
                before = after
        assert not wrong, '\n'.join(wrong)
        # and all goes on
        for dst in ('b', 'c', 't'):
            way = Way(net, 'a', dst)
            way.run([k for k in way.frames() if k[0].startswith('tso') and 'long' not in k[0]])
