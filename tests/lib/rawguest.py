# SPDX-License-Identifier: BSD-3-Clause
"""rawguest.py: guests whose offload records are the test's own: the Python end of rawguest.c.

    with RawGuests() as guests:
        a = guests.add('a', '/tmp/x/vm1.sock', features=CSUM | HOST_TSO4)
        b = guests.add('b', '/tmp/x/vm2.sock', packed=True, mergeable=False)
        a.send(frame, Record(flags=NEEDS_CSUM, csum_start=34, csum_offset=16))
        b.recv(1)                                # [(record, frame)]

A RawGuest has the methods of vguest.Guest; send() and send_many() take records, too, and recv()
returns them.
"""

import os
import struct
from typing import NamedTuple

from daemon import build_dir
from vguest import Guest, GuestError, Guests

# Bits of the features word, virtio 1.2 §5.1.3 and §6; USO is of virtio 1.3.
CSUM, GUEST_CSUM, MTU = 1 << 0, 1 << 1, 1 << 3
GUEST_TSO4, GUEST_TSO6, GUEST_ECN = 1 << 7, 1 << 8, 1 << 9
HOST_TSO4, HOST_TSO6, HOST_ECN = 1 << 11, 1 << 12, 1 << 13
MRG_RXBUF = 1 << 15
ANY_LAYOUT, INDIRECT_DESC, EVENT_IDX, PROTOCOL = 1 << 27, 1 << 28, 1 << 29, 1 << 30
IN_ORDER = 1 << 35
GUEST_USO4, GUEST_USO6, HOST_USO = 1 << 54, 1 << 55, 1 << 56
GUEST_TSO = GUEST_TSO4 | GUEST_TSO6 | GUEST_ECN
GUEST_USO = GUEST_USO4 | GUEST_USO6
HOST_TSO = HOST_TSO4 | HOST_TSO6 | HOST_ECN
GUEST_ALL = GUEST_CSUM | GUEST_TSO | GUEST_USO
HOST_ALL = CSUM | HOST_TSO | HOST_USO

# Of a record, virtio 1.2 §5.1.6.
NEEDS_CSUM, DATA_VALID = 1, 2
GSO_NONE, GSO_TCPV4, GSO_UDP, GSO_TCPV6, GSO_UDP_L4, GSO_ECN = 0, 1, 3, 4, 5, 0x80

HEAD = struct.Struct('=IBBHHHHH')  # length of the frame, struct virtio_net_hdr_mrg_rxbuf
HEADER_LEN = 12
FRAME_MAX = 65535 + 14 + 8


class Record(NamedTuple):
    """struct virtio_net_hdr."""

    flags: int = 0
    gso_type: int = GSO_NONE
    hdr_len: int = 0
    gso_size: int = 0
    csum_start: int = 0
    csum_offset: int = 0


NONE = Record()


class RawGuest(Guest):
    """One guest. Made by RawGuests.add()."""

    def __init__(self, owner, name, rx_len):
        super().__init__(owner, name, 1)
        self.rx_len = rx_len
        self.lost = 0  # of its features, those that its port may not use any more

    @property
    def features(self):
        """The features agreed on."""
        return int(self.said.split()[1], 16)

    @property
    def offered(self):
        """The features that the switch offered."""
        return int(self.said.split()[2], 16)

    def send(self, frame, record=NONE, queue=0):
        """Sends one frame with its record."""
        self.send_records([(record, frame)], queue)

    def send_many(self, frames, queue=0, timeout=60.0):
        """Sends frames with records that ask for nothing."""
        self.send_records([(NONE, frame) for frame in frames], queue, timeout)

    def send_records(self, pairs, queue=0, timeout=60.0):
        """Sends (record, frame) pairs; waits while there is no room."""
        assert queue == 0
        self.write(b''.join(HEAD.pack(len(f), *r, 0) + bytes(f) for r, f in pairs), timeout)

    def take_records(self):
        """The frames that are there, without waiting: a list of (record, frame)."""
        found = []
        self.read()
        off = 0
        while len(self.buf) - off >= HEAD.size:
            length, *words, n_buffers = HEAD.unpack_from(self.buf, off)
            if len(self.buf) - off < HEAD.size + length:
                break
            if n_buffers != -(-(HEADER_LEN + length) // self.rx_len):
                raise GuestError(f'guest {self.name}: a frame of {length} bytes came in '
                                 f'{n_buffers} buffers of {self.rx_len}')
            frame = bytes(self.buf[off + HEAD.size:off + HEAD.size + length])
            found.append((Record(*words), frame))
            off += HEAD.size + length
        del self.buf[:off]
        return found

    def take(self):
        """The frames that are there, without waiting: a list of (queue, frame)."""
        return [(0, frame) for _, frame in self.take_records()]

    def recv(self, n=1, timeout=5.0):
        """Waits until n frames have come or time is up; returns all as (record, frame)."""
        return self.wait_for(self.take_records, n, timeout)


class RawGuests(Guests):
    """One rawguest process with its guests."""

    program = 'rawguest'

    @staticmethod
    def command(memory, hugepages):
        """The words that start the process."""
        return [os.path.join(build_dir(), 'tests', 'lib', 'rawguest')]

    def start(self, name, path, server=False, packed=False, features=0, required=0, mergeable=True,
              in_order=False, layout='single', rx_len=None, size=256):
        """Asks for a guest; finish() must follow. features and required: beside those that have
        nothing to do with offloads. rx_len: bytes of a receive buffer; without MRG_RXBUF it takes
        the longest frame."""
        rx_len = rx_len or (2048 if mergeable else 65562)
        features |= ANY_LAYOUT | INDIRECT_DESC | EVENT_IDX | PROTOCOL
        required |= MRG_RXBUF * mergeable | IN_ORDER * in_order
        guest = RawGuest(self, name, rx_len)
        self.ask(guest, f'{path} server={int(server)} features={features:x} required={required:x} '
                        f'packed={int(packed)} layout={layout} rx_len={rx_len} size={size}')
        return guest
