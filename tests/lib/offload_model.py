# SPDX-License-Identifier: BSD-3-Clause
"""offload_model.py: what a receiver must get of a frame with an offload record, by scapy and by the
standards, from nothing of the switch's own code.

    expected(record, frame, may_send(sender.features), takes(receiver.features))

is the list of (record, frame) at the receiver, or None if the record asks for what was not agreed
on, and the frame is dropped. Offloads are sets of these words: checksum, tso4, tso6, ecn, uso4,
uso6. The model takes it that records are true; tests of lies say themselves what is to happen.
"""

import functools
import struct

from scapy.layers.inet import IP, TCP, UDP, in4_pseudoheader
from scapy.layers.inet6 import IPv6, in6_pseudoheader
from scapy.layers.l2 import Ether
from scapy.layers.sctp import SCTP
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw
from scapy.utils import checksum

from rawguest import (CSUM, GSO_ECN, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, GUEST_CSUM, GUEST_ECN,
                      GUEST_TSO4, GUEST_TSO6, GUEST_USO4, GUEST_USO6, HOST_ECN, HOST_TSO4,
                      HOST_TSO6, HOST_USO, NEEDS_CSUM, NONE, Record)

NOTHING = frozenset()
EVERYTHING = frozenset(('checksum', 'tso4', 'tso6', 'ecn', 'uso4', 'uso6'))
SEND = {'checksum': CSUM, 'tso4': HOST_TSO4, 'tso6': HOST_TSO6, 'ecn': HOST_ECN, 'uso4': HOST_USO,
        'uso6': HOST_USO}
TAKE = {'checksum': GUEST_CSUM, 'tso4': GUEST_TSO4, 'tso6': GUEST_TSO6, 'ecn': GUEST_ECN,
        'uso4': GUEST_USO4, 'uso6': GUEST_USO6}
PLACE = {TCP: 16, UDP: 6, SCTP: 8}  # of the checksum, in bytes from the start of the header
PROTOCOL = {TCP: 6, UDP: 17}
TUNNELS = (VXLAN,)  # that scapy looks into since it was imported
FIN, PSH, CWR = 0x01, 0x08, 0x80


def may_send(features):
    """What a guest with these virtio features may ask for."""
    return frozenset(word for word, bit in SEND.items() if features & bit)


def takes(features):
    """What a guest with these virtio features takes."""
    return frozenset(word for word, bit in TAKE.items() if features & bit)


def layers(packet):
    """(offset, layer) of all layers of a packet that was made of bytes."""
    at = 0
    while packet:
        yield at, packet
        # these know their end, and don't take what is behind it for payload
        n = {IP: lambda p: p.ihl * 4, IPv6: lambda p: 40, UDP: lambda p: 8}.get(
            type(packet), lambda p: len(p.original) - len(p.payload.original))(packet)
        at += n
        packet = packet.payload


def layer_at(packet, offset):
    """The layer that begins at offset, or None."""
    return next((layer for at, layer in layers(packet) if at == offset), None)


def transport(packet):
    """(offset, layer) of the innermost layer that has a checksum."""
    return [(at, layer) for at, layer in layers(packet) if type(layer) in PLACE][-1]


def outer_transport(frame):
    """The offset of the first TCP or UDP header, or None."""
    return next((at for at, layer in layers(Ether(frame)) if type(layer) in PROTOCOL), None)


def network(layer):
    """The IP header below a layer."""
    while not isinstance(layer, (IP, IPv6)):
        layer = layer.underlayer
    return layer


def put(frame, at, value):
    """The frame with a 16-bit word at an offset."""
    return frame[:at] + struct.pack('!H', value) + frame[at + 2:]


def pseudo_sum(layer, length):
    """The sum of the pseudo header of length bytes of TCP or UDP."""
    if isinstance(network(layer), IP):
        head = in4_pseudoheader(PROTOCOL[type(layer)], network(layer), length)
    else:
        head = bytes(in6_pseudoheader(PROTOCOL[type(layer)], layer.underlayer, length))
    return checksum(head) ^ 0xffff


def partial(frame):
    """(record, frame) of a whole frame, bytes or a packet, its innermost checksum left out."""
    frame = bytes(frame)
    at, layer = transport(Ether(frame))
    record = Record(flags=NEEDS_CSUM, csum_start=at, csum_offset=PLACE[type(layer)])
    place = at + record.csum_offset
    if isinstance(layer, SCTP):
        return record, frame[:place] + bytes(4) + frame[place + 4:]
    return record, put(frame, place, pseudo_sum(layer, len(layer.original)))


def headers_len(frame):
    """Bytes of all headers up to the payload of the innermost TCP or UDP."""
    at, layer = transport(Ether(frame))
    return at + (layer.dataofs * 4 if isinstance(layer, TCP) else 8)


def nonzero(frame, place):
    """The frame with a checksum of 0 said in the other way: UDP has 0 for none (RFC 768)."""
    return put(frame, place, 0xffff) if frame[place:place + 2] == b'\0\0' else frame


def complete(record, frame):
    """The frame with its checksum."""
    place = record.csum_start + record.csum_offset
    packet = Ether(frame)
    layer = layer_at(packet, record.csum_start)
    if type(layer) in PLACE and PLACE[type(layer)] == record.csum_offset:
        layer.chksum = None
        whole = bytes(packet)
        n = 4 if isinstance(layer, SCTP) else 2
        assert whole[:place] == frame[:place] and whole[place + n:] == frame[place + n:], \
            'scapy builds the packet in another way'
    else:
        whole = put(frame, place, checksum(frame[record.csum_start:]))
    return whole if isinstance(layer, SCTP) else nonzero(whole, place)


def is_right(frame):
    """Whether the first TCP or UDP header of a frame has the right checksum."""
    packet = Ether(frame)
    layer = layer_at(packet, outer_transport(frame))
    if layer is None:
        return False
    layer.chksum = None
    return bytes(packet) == frame


def segment(frame, start, at, size, number):
    """The segment with size bytes of payload from byte at on, as a whole packet."""
    packet = Ether(frame)
    layer = layer_at(packet, start)
    payload = bytes(layer.payload)
    ip = network(layer)
    layer.remove_payload()
    layer.add_payload(Raw(payload[at:at + size]))
    layer.chksum = None
    if isinstance(ip, IP):
        ip.len = ip.chksum = None
        ip.id = (ip.id + number) & 0xffff
    else:
        ip.plen = None
    if isinstance(layer, UDP):
        layer.len = None
        return bytes(packet)
    layer.seq = (layer.seq + at) & 0xffffffff
    if at + size < len(payload):
        layer.flags = int(layer.flags) & ~(FIN | PSH)
    if at:
        layer.flags = int(layer.flags) & ~CWR
    return bytes(packet)


def segments(record, frame, accepted):
    """The list of (record, frame) that a frame is divided into."""
    start, size = record.csum_start, record.gso_size
    length = len(bytes(layer_at(Ether(frame), start).payload))
    whole = [segment(frame, start, at, size, number)
             for number, at in enumerate(range(0, length, size))]
    if 'checksum' in accepted:
        return [partial(f) for f in whole]
    place = start + record.csum_offset
    return [(NONE, nonzero(f, place)) for f in whole]


def asked(record):
    """What a record asks for."""
    words = {GSO_TCPV4: {'tso4'}, GSO_TCPV6: {'tso6'}}.get(record.gso_type & ~GSO_ECN, set())
    return frozenset(words | {'checksum'} | ({'ecn'} if record.gso_type & GSO_ECN else set()))


def asked_udp(frame, record):
    """The same of a record of UDP, which does not say over which IP."""
    is_ipv4 = isinstance(network(layer_at(Ether(frame), record.csum_start)), IP)
    return frozenset(('checksum', 'uso4' if is_ipv4 else 'uso6'))


@functools.lru_cache(maxsize=None)
def expected(record, frame, allowed, accepted):
    """What the receiver gets, see above."""
    if record.gso_type & ~GSO_ECN:
        need = asked_udp(frame, record) if record.gso_type == GSO_UDP_L4 else asked(record)
        if not need <= allowed:
            return None
        if need <= accepted:
            return [(record._replace(flags=NEEDS_CSUM, hdr_len=headers_len(frame)), frame)]
        return segments(record, frame, accepted)
    if not record.flags & NEEDS_CSUM or 'checksum' not in allowed:
        return [(NONE, frame)]
    is_sctp = isinstance(layer_at(Ether(frame), record.csum_start), SCTP)
    if 'checksum' in accepted and not is_sctp:
        return [(Record(flags=NEEDS_CSUM, csum_start=record.csum_start,
                        csum_offset=record.csum_offset), frame)]
    return [(NONE, complete(record, frame))]


def finished(record, frame):
    """The frames of a frame for a receiver that takes nothing."""
    return [f for _, f in expected(record, frame, EVERYTHING, NOTHING)]
