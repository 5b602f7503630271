# SPDX-License-Identifier: BSD-3-Clause
"""offload_frames.py: frames of every kind that offloads know, and of those that they must leave
alone, made by scapy.

    for name, record, frame in frames(src_mac, dst_mac):
        ...

`whole` of a kind is the frame as it was before its checksum was left out, if that is how it was
made: the model is checked against it.
"""

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_NOP, IPOption_RR
from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, IPv6,
                                IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, PadN)
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.layers.sctp import SCTP, SCTPChunkData
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from frames import BROADCAST, FILLING
from offload_model import complete, headers_len, nonzero, partial
from rawguest import GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, NEEDS_CSUM, NONE, Record
from tap import ETHERTYPE

A_MAC = '02:00:00:00:00:01'  # of those that are not looked at
A4, B4 = '10.9.0.1', '10.9.0.2'
A6, B6 = 'fd09::1', 'fd09::2'
PORTS = {'sport': 41000, 'dport': 42000}
LONG_OPTIONS = [('Timestamp', (0x01020304, 0x05060708))] + [('NOP', None)] * 30


def ip4(**more):
    """An IPv4 header; its id says when it was not counted on."""
    return IP(**{'src': A4, 'dst': B4, 'id': 0x1234, 'flags': 'DF', **more})


def ip6(**more):
    """An IPv6 header."""
    return IPv6(**{'src': A6, 'dst': B6, 'tc': 0x42, 'fl': 0x12345, **more})


def tcp(**more):
    """A TCP header."""
    return TCP(**{**PORTS, 'seq': 0x11223344, 'ack': 0x55667788, 'flags': 'A', 'window': 777,
                  **more})


def udp(**more):
    """A UDP header."""
    return UDP(**PORTS, **more)


def data(size, start=0):
    """A payload."""
    return Raw(FILLING[start:start + size])


def extensions():
    """IPv6 extension headers."""
    return IPv6ExtHdrHopByHop(options=[PadN(optdata=bytes(4))]) / \
        IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))])


def zero_sum(packet):
    """The packet with its last two bytes such that its checksum is computed as 0."""
    whole_packet = Ether(bytes(Ether(src=A_MAC, dst=A_MAC) / packet / Raw(bytes(2))))
    return packet / Raw(whole_packet.lastlayer().underlayer.chksum.to_bytes(2, 'big'))


def whole(packet):
    """As it is."""
    return NONE, bytes(packet)


def gso(gso_type, size, hdr_len=None):
    """What makes a record of segments of size bytes; hdr_len: what the guest says of it."""
    def make(packet):
        frame = bytes(packet)
        record, frame = partial(frame)
        return record._replace(gso_type=gso_type, gso_size=size,
                               hdr_len=headers_len(frame) if hdr_len is None else hdr_len), frame
    return make


TSO4, TSO6 = gso(GSO_TCPV4, 1000), gso(GSO_TCPV6, 1000)
TSO4_ECN, TSO6_ECN = gso(GSO_TCPV4 | GSO_ECN, 999), gso(GSO_TCPV6 | GSO_ECN, 999)
USO = gso(GSO_UDP_L4, 1000)


def at_place(place):
    """What leaves a checksum at this byte, of a frame of no protocol that anybody knows."""
    def make(packet):
        frame = bytearray(bytes(packet))
        frame[place:place + 2] = b'\x12\x34'
        return Record(flags=NEEDS_CSUM, csum_start=20, csum_offset=place - 20), bytes(frame)
    return make


def vxlan6(inner):
    """A tunnel in IPv6."""
    return ip6() / UDP(sport=51000, dport=4789, chksum=0xabcd) / VXLAN(vni=5) / \
        Ether(src='02:11:11:11:11:11', dst='02:22:22:22:22:22') / inner


def packets():
    """name -> (what makes the record, what is behind the Ethernet header)."""
    kinds = {
        'tcp4': (whole, ip4() / tcp() / data(100)),
        'tcp6': (whole, ip6() / tcp() / data(1301)),
        'udp4': (whole, ip4() / udp() / data(1)),
        'udp6': (whole, ip6() / udp() / data(1200)),
        'bad checksum': (whole, ip4() / udp(chksum=0x1111) / data(100)),
        'no checksum': (whole, ip4() / udp(chksum=0) / data(100)),
        'hint': (lambda p: (Record(hdr_len=77, gso_size=5, csum_start=9, csum_offset=9), bytes(p)),
                 ip4() / udp() / data(200)),
        'valid': (lambda p: (Record(flags=2), bytes(p)), ip4() / tcp() / data(300)),
        'csum tcp4': (partial, ip4() / tcp(flags='PA') / data(1001)),
        'csum tcp6': (partial, ip6() / tcp() / data(77)),
        'csum udp4': (partial, ip4() / udp() / data(333)),
        'csum udp6': (partial, ip6() / udp() / data(1400)),
        'csum no data': (partial, ip4() / tcp(flags='S')),
        'csum tcp4 options': (partial, ip4(options=[IPOption_NOP()] * 4) /
                              tcp(options=LONG_OPTIONS) / data(50)),
        'csum zero tcp4': (partial, 'zero', ip4() / tcp() / data(40)),
        'csum zero udp4': (partial, 'zero', ip4() / udp() / data(1000)),
        'csum zero udp6': (partial, 'zero', ip6() / udp() / data(40)),
        'csum sctp': (partial, ip4() / SCTP(**PORTS) / SCTPChunkData(data=b'x' * 101)),
        'csum ext udp6': (partial, ip6() / extensions() / udp() / data(99)),
        'csum vxlan4': (partial, ip4() / UDP(sport=51000, dport=4789, chksum=0) / VXLAN(vni=7) /
                        Ether(src='02:11:11:11:11:11', dst='02:22:22:22:22:22') / ip4() / tcp() /
                        data(500)),
        'csum vxlan6 tcp6': (partial, vxlan6(ip6() / tcp() / data(501))),
        'csum vxlan6 udp6': (partial, vxlan6(ip6() / udp() / data(502))),
        'tso4': (TSO4, ip4() / tcp(flags='FPA') / data(3333)),
        'tso4 exact': (TSO4, ip4() / tcp(flags='PA') / data(4000)),
        'tso4 one': (TSO4, ip4() / tcp(flags='FPAU', urgptr=3) / data(999)),
        'tso4 odd': (gso(GSO_TCPV4, 537), ip4() / tcp() / data(2000)),
        'tso4 hint': (gso(GSO_TCPV4, 1000, hdr_len=0), ip4() / tcp() / data(2001)),
        'tso4 wrong hint': (gso(GSO_TCPV4, 1000, hdr_len=200), ip4() / tcp() / data(2001)),
        'tso4 wraps': (TSO4, ip4(id=0xfffe) / tcp(seq=0xfffffc00) / data(5000)),
        'tso4 options': (TSO4, ip4(options=[IPOption_RR()]) / tcp(options=LONG_OPTIONS) /
                         data(3000)),
        'tso6': (TSO6, ip6() / tcp(flags='FPA') / data(3333)),
        'tso6 ext': (TSO6, ip6() / extensions() / tcp(flags='PA') / data(2500)),
        'tso4 ecn': (TSO4_ECN, ip4(tos=3) / tcp(flags='CEPA') / data(3003)),
        'tso6 ecn': (TSO6_ECN, ip6(tc=3) / tcp(flags='CEFA') / data(3000)),
        'tso4 cwr': (TSO4, ip4() / tcp(flags='CA') / data(2500)),
        'uso4': (USO, ip4() / udp() / data(3500)),
        'uso4 exact': (USO, ip4(id=0xffff) / udp() / data(2000)),
        'uso4 one': (USO, ip4() / udp() / data(1)),
        'uso6': (USO, ip6() / udp() / data(3501)),
        'uso6 ext': (USO, ip6() / extensions() / udp() / data(2001)),
        'sctp': (whole, ip4() / SCTP(**PORTS) / SCTPChunkData(data=b'y' * 200)),
        'ext tcp6': (whole, ip6() / extensions() / tcp() / data(60)),
        'fragment4 first': (whole, ip4(flags='MF', proto=17) / data(1400)),
        'fragment4 last': (whole, ip4(flags=0, frag=175, proto=17) / data(333)),
        'fragment6 first': (whole, ip6() / IPv6ExtHdrFragment(m=1, id=9, nh=17) / data(1232)),
        'fragment6 last': (whole, ip6() / IPv6ExtHdrFragment(offset=154, id=9, nh=17) / data(9)),
        'icmp4': (whole, ip4() / ICMP() / data(64)),
        'icmp6': (whole, ip6() / ICMPv6EchoRequest(data=b'z' * 64)),
        'tso4 long': (gso(GSO_TCPV4, 1448), ip4() / tcp(flags='PA') / data(65535 - 40)),
        'tso6 long': (gso(GSO_TCPV6, 1400), ip6() / tcp() / data(65535 - 60)),
        'uso6 long': (gso(GSO_UDP_L4, 1400), ip6() / udp() / data(65535 - 60)),
    }
    return {name: (made[0], zero_sum(made[2]) if made[1] == 'zero' else made[1])
            if len(made) == 3 else made for name, made in kinds.items()}


VLAN, QINQ = ((0x8100, 0x6005),), ((0x88a8, 0x2007), (0x8100, 0x0008))
TAGGED = ('udp4', 'csum tcp4', 'csum udp6', 'csum vxlan6 tcp6', 'csum sctp', 'csum zero udp4',
          'tso4', 'tso4 ecn', 'tso6', 'tso4 options', 'uso4', 'uso6 ext', 'fragment4 first',
          'icmp4')


def ether(src, dst, tags=()):
    """An Ethernet header."""
    packet = Ether(src=src, dst=dst)
    for tpid, tci in tags:
        layer = Dot1AD if tpid == 0x88a8 else Dot1Q
        packet /= layer(prio=tci >> 13, vlan=tci & 0xfff)
    return packet


def own_kinds(src, dst):
    """name -> (what makes the record, packet) of those that have no IP, or another destination."""
    kinds = {
        'plain': (whole, Ether(src=src, dst=dst, type=ETHERTYPE) / data(46)),
        'short': (whole, Ether(src=src, dst=dst, type=ETHERTYPE) / data(1)),
        'arp': (whole, Ether(src=src, dst=BROADCAST) / ARP(hwsrc=src, psrc=A4, pdst=B4)),
        'nd': (whole, Ether(src=src, dst='33:33:ff:00:00:02') /
               ip6(dst='ff02::1:ff00:2', hlim=255) / ICMPv6ND_NS(tgt=B6) /
               ICMPv6NDOptSrcLLAddr(lladdr=src)),
        'multicast': (partial, Ether(src=src, dst='01:00:5e:01:02:03') / ip4(dst='239.1.2.3') /
                      udp() / data(500)),
        'qinq tso6 options': (gso(GSO_TCPV6, 1000), ether(src, dst, QINQ) / ip6() /
                              tcp(flags='PA', options=LONG_OPTIONS) / data(3000)),
        'qinq csum tcp6 options': (partial, ether(src, dst, QINQ) / ip6() /
                                   tcp(options=LONG_OPTIONS) / data(300)),
    }
    for name, how in (('dhcp', whole), ('csum dhcp', partial)):
        kinds[name] = (how, Ether(src=src, dst=BROADCAST) /
                       IP(src='0.0.0.0', dst='255.255.255.255') /
                       UDP(sport=68, dport=67) / BOOTP(chaddr=bytes.fromhex(src.replace(':', ''))) /
                       DHCP(options=[('message-type', 'discover'), 'end']))
    for place in (40, 109, 110, 111, 112, 113, 114, 115, 116, 200, 599):
        kinds[f'csum at {place}'] = (at_place(place), Ether(src=src, dst=dst, type=ETHERTYPE) /
                                     data(601 - 14))
    return kinds


def frames(src, dst):
    """A list of (name, record, frame) from a station to another one."""
    plain = packets()
    kinds = {name: (how, ether(src, dst) / packet) for name, (how, packet) in plain.items()}
    for title, tags in (('vlan', VLAN), ('qinq', QINQ)):
        for name in TAGGED:
            how, packet = plain[name]
            kinds[f'{title} {name}'] = (how, ether(src, dst, tags) / packet)
    kinds.update(own_kinds(src, dst))
    found = []
    for name, (how, packet) in kinds.items():
        record, frame = how(packet)
        if how is partial:
            place = record.csum_start + record.csum_offset
            assert complete(record, frame) == nonzero(bytes(packet), place), \
                f'{name}: the model is wrong'
        found.append((name, record, frame))
    return found
