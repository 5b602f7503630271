# SPDX-License-Identifier: BSD-3-Clause
"""tap.py: the kernel's end of a TAP port as a station of a test: frames by an AF_PACKET socket.

Only frames of the tests' own EtherType are seen (a tag before it may be there), so that what the
kernel says by itself (IPv6, ARP) is in nobody's way, unless `everything` is set. Same methods as
vguest.Guest. A RecordTap also sends and receives offload records (struct virtio_net_hdr), which are
as the kernel has them.
"""

import ctypes
import errno
import os
import select
import socket
import struct
import subprocess
import time

ETH_P_ALL = 3
ETHERTYPE = 0x88b5  # IEEE 802: local experimental EtherType 1
VLAN_TYPES = (0x8100, 0x88a8)
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23
TP_STATUS_VLAN_VALID = 1 << 4
TP_STATUS_VLAN_TPID_VALID = 1 << 6
RECORD = struct.Struct('=BBHHHH')  # struct virtio_net_hdr
AUXDATA = struct.Struct('=IIIHHHH')  # struct tpacket_auxdata


def quiet(ifname):
    """Keeps the kernel from sending frames of its own on the interface."""
    with open(f'/proc/sys/net/ipv6/conf/{ifname}/disable_ipv6', 'w', encoding='ascii') as f:
        f.write('1')


def exists(ifname):
    """Whether there is such an interface; /sys may show another network namespace."""
    try:
        return socket.if_nametoindex(ifname) > 0
    except OSError:
        return False


class Tap:
    """The host's end of the TAP ifname, which must exist. alone=False: the host has use for the
    interface, too, and sets it up."""

    def __init__(self, ifname, alone=True):
        self.name = ifname
        self.queues = 1
        self.everything = False
        if alone:
            if os.path.exists(f'/proc/sys/net/ipv6/conf/{ifname}'):
                quiet(ifname)
            subprocess.run(['ip', 'link', 'set', 'dev', ifname, 'up'], check=True)
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.set_up()
        for option in (33, 32):  # SO_RCVBUFFORCE, SO_SNDBUFFORCE
            self.sock.setsockopt(socket.SOL_SOCKET, option, 16 << 20)
        self.sock.bind((ifname, 0))

    def set_up(self):
        """What its socket needs before it is bound."""

    def close(self):
        """Closes the socket; the TAP is the switch's."""
        self.sock.close()

    def send(self, frame, queue=0):
        """Sends one frame."""
        assert queue == 0
        self.sock.send(bytes(frame))

    def send_many(self, frames, queue=0):
        """Sends frames."""
        for frame in frames:
            self.send(frame, queue)

    @staticmethod
    def is_ours(frame):
        """Whether the EtherType behind all tags is the tests' own."""
        off = 12
        while off + 2 <= len(frame):
            kind = int.from_bytes(frame[off:off + 2], 'big')
            if kind not in VLAN_TYPES:
                return kind == ETHERTYPE
            off += 4
        return False

    @staticmethod
    def with_tag(frame, ancillary):
        """Puts the tag, which the kernel took out of the frame, back in."""
        for level, kind, data in ancillary:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                status, _, _, _, _, tci, tpid = AUXDATA.unpack(data[:AUXDATA.size])
                if status & TP_STATUS_VLAN_VALID:
                    if not status & TP_STATUS_VLAN_TPID_VALID:
                        tpid = 0x8100
                    return frame[:12] + struct.pack('!HH', tpid, tci) + frame[12:]
        return frame

    def messages(self):
        """What the socket has, without waiting: (data, ancillary data) each."""
        while True:
            try:
                message, anc, _, _ = self.sock.recvmsg(70000, 256, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as e:
                if e.errno != errno.ENETDOWN:
                    raise
                continue  # said once, when the interface went down
            yield message, anc

    def take(self):
        """The frames that are there, without waiting: a list of (queue, frame)."""
        frames = (self.with_tag(*message) for message in self.messages())
        return [(0, frame) for frame in frames if self.everything or self.is_ours(frame)]

    def recv_queues(self, n, timeout=5.0):
        """Waits until n frames have come or time is up; returns all there are as (queue, frame)."""
        found = []
        end = time.monotonic() + timeout
        while True:
            found += self.take()
            left = end - time.monotonic()
            if len(found) >= n or left <= 0:
                return found
            select.select([self.sock], [], [], min(left, 0.2))

    def recv(self, n=1, timeout=5.0):
        """Waits until n frames have come or time is up; returns all there are."""
        return [frame for _, frame in self.recv_queues(n, timeout)]

    def none(self, wait=0.2):
        """Whether nothing comes for a while."""
        return not self.recv(1, wait)

    def kernel_drops(self):
        """Frames that the kernel could not put into this socket since the last call."""
        data = self.sock.getsockopt(SOL_PACKET, 6, 8)  # PACKET_STATISTICS
        return struct.unpack('=II', data)[1]


class RecordTap(Tap):
    """The same, with records. Those that the kernel gets by a TAP are the switch's, but for
    hdr_len; what it sends for us it divides where it thinks that the TAP can't (two tags)."""

    def set_up(self):
        self.sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)

    def send(self, frame, queue=0):
        self.send_records([((0,) * 6, frame)])

    def send_records(self, pairs):
        """Sends (record, frame) pairs."""
        for record, frame in pairs:
            self.sock.send(RECORD.pack(*record) + bytes(frame))

    def take_records(self):
        """The frames that are there, without waiting: a list of (record, frame)."""
        found = []
        for message, anc in self.messages():
            record, bare = RECORD.unpack_from(message), message[RECORD.size:]
            frame = self.with_tag(bare, anc)
            if record[0] & 1 and len(frame) > len(bare):  # NEEDS_CSUM: the tag moves its place
                record = (*record[:4], record[4] + 4, record[5])
            if self.everything or self.is_ours(frame):
                found.append((record, frame))
        return found

    def take(self):
        return [(0, frame) for _, frame in self.take_records()]


def unshare_net():
    """Moves this thread, and what it starts from now on, into a network namespace of its own."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):
        raise OSError(ctypes.get_errno(), 'unshare')
