# SPDX-License-Identifier: BSD-3-Clause
"""frontend.py: a vhost-user front-end that sends what a test tells it, and a guest's rings behind
it: for messages that no QEMU sends, or not in this order.

    with Frontend(d.path('x.sock')) as fe:
        fe.start()                     # features, memory, one queue pair
        fe.send(frame)
        fe.recv(1)                     # [frame]
        fe.set(SET_LOG_BASE, struct.pack('=QQ', size, 0), [fd])  # True: the switch took it

Guest memory is one file of MEMORY bytes at guest address 0, and mapped here. Where a ring is in it
is said at Ring. Rings have SIZE entries; a buffer is one descriptor. What the switch polls is
written and read as a word of its own: struct.pack_into() clears first.
"""

import contextlib
import mmap
import os
import socket
import struct
import time

MEMORY = 4 << 20
SIZE = 64
BUFFER = 2048
RECORD = 12  # bytes before each frame

GET_FEATURES, SET_FEATURES, SET_OWNER, RESET_OWNER, SET_MEM_TABLE, SET_LOG_BASE = range(1, 7)
SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = range(8, 12)
SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR = range(12, 15)
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES = 15, 16
SET_VRING_ENABLE, SEND_RARP = 18, 19

VERSION_1, RING_PACKED, INDIRECT_DESC = 1 << 32, 1 << 34, 1 << 28
LOG_ALL, PROTOCOL_FEATURES = 1 << 26, 1 << 30
PROTOCOL_LOG_SHMFD, PROTOCOL_RARP, PROTOCOL_REPLY_ACK = 1 << 1, 1 << 2, 1 << 3
VERSION, NEED_REPLY = 1, 8
NEXT, WRITE, AVAIL, USED = 1, 2, 1 << 7, 1 << 15


class FrontendError(AssertionError):
    """The switch did not answer; str() is a sentence."""


class Ring:
    """One virtqueue of the guest. Its parts begin at guest address `at`, its buffers at `data`."""

    def __init__(self, fe, index):
        self.fe = fe
        self.index = index
        self.at = 0x10000 * (1 + index)
        self.desc, self.driver, self.device = self.at, self.at + 0x4000, self.at + 0x8000
        self.data = 0x100000 + 0x80000 * index
        self.flags = 0 if index % 2 else WRITE
        self.n_avail = self.n_used = 0
        self.last = bytes(8)

    def place(self, n):
        """Position and wrap counter of descriptor n of a packed ring, since its beginning."""
        return n % SIZE, n // SIZE % 2 == 0

    def base(self):
        """What SET_VRING_BASE says when the switch has given all back."""
        if not self.fe.packed:
            return self.n_used & 0xffff
        at, wrap = self.place(self.n_used)
        return at | wrap << 15

    def buffer(self, n):
        """The guest address of the buffer of entry n."""
        return self.data + n % SIZE * BUFFER

    def offer(self, length):
        """Gives the switch the next buffer, of that many bytes."""
        n, memory = self.n_avail, self.fe.memory
        self.n_avail += 1
        addr = self.buffer(n)
        if self.fe.packed:
            at, wrap = self.place(n)
            flags = self.flags | (AVAIL if wrap else USED)
            struct.pack_into('=QIH', memory, self.desc + 16 * at, addr, length, at)
            self.fe.words[(self.desc + 16 * at + 14) // 2] = flags
            return
        struct.pack_into('=QIHH', memory, self.desc + 16 * (n % SIZE), addr, length, self.flags, 0)
        struct.pack_into('=H', memory, self.driver + 4 + 2 * (n % SIZE), n % SIZE)
        self.fe.words[(self.driver + 2) // 2] = self.n_avail & 0xffff

    def take(self):
        """The next buffer that came back as (guest address, bytes written), or None."""
        n, memory = self.n_used, self.fe.memory
        if self.fe.packed:
            at, wrap = self.place(n)
            flags = self.fe.words[(self.desc + 16 * at + 14) // 2]
            if bool(flags & AVAIL) != wrap or bool(flags & USED) != wrap:
                return None
            length = struct.unpack_from('=I', memory, self.desc + 16 * at + 8)[0]
        else:
            if self.fe.words[(self.device + 2) // 2] == n & 0xffff:
                return None
            length = struct.unpack_from('=II', memory, self.device + 4 + 8 * (n % SIZE))[1]
        self.n_used += 1
        return self.buffer(n), length


class Frontend:
    """One connection, its guest's memory and one queue pair."""

    def __init__(self, path, packed=False):
        self.packed = packed
        self.features = VERSION_1 | INDIRECT_DESC | PROTOCOL_FEATURES
        self.features |= RING_PACKED if packed else 0
        self.wanted = PROTOCOL_LOG_SHMFD | PROTOCOL_RARP | PROTOCOL_REPLY_ACK
        self.protocol = 0  # features of the protocol, once negotiated
        self.file = os.memfd_create('guest')
        os.ftruncate(self.file, MEMORY)
        self.memory = mmap.mmap(self.file, MEMORY)
        self.words = memoryview(self.memory).cast('H')
        self.kicks = [os.eventfd(0) for _ in range(4)]
        self.rings = [Ring(self, i) for i in range(2)]
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(5)
        self.sock.connect(path)

    # --- messages

    def message(self, request, payload=b'', fds=(), flags=0):
        """Sends one."""
        data = struct.pack('=III', request, VERSION | flags, len(payload)) + payload
        socket.send_fds(self.sock, [data], list(fds))

    def answer(self, request):
        """The payload of the answer; None if the switch has closed the connection."""
        try:
            head = self.sock.recv(12, socket.MSG_WAITALL)
        except ConnectionError:
            return None
        except TimeoutError:
            raise FrontendError(f'request {request}: no answer') from None
        if len(head) < 12:
            return None
        got, _, size = struct.unpack('=III', head)
        assert got == request, f'an answer to request {got}, not to {request}'
        return self.sock.recv(size, socket.MSG_WAITALL) if size else b''

    def set(self, request, payload=b'', fds=()):
        """Sends one; whether the switch took it."""
        self.message(request, payload, fds, NEED_REPLY)
        got = self.answer(request)
        return got == b'' or (got is not None and struct.unpack('=Q', got)[0] == 0)

    def set_u64(self, request, value, fds=()):
        """The same with a payload of 64 bits."""
        return self.set(request, struct.pack('=Q', value), fds)

    def get(self, request, payload=b''):
        """Asks; the payload of the answer."""
        self.message(request, payload)
        got = self.answer(request)
        assert got, f'request {request}: the switch closed the connection'
        return got

    # --- how a guest starts

    def negotiate(self, more=0):
        """Features, and more of them."""
        self.get(GET_FEATURES)
        self.protocol = struct.unpack('=Q', self.get(GET_PROTOCOL_FEATURES))[0]
        self.protocol &= self.wanted
        self.message(SET_PROTOCOL_FEATURES, struct.pack('=Q', self.protocol))
        assert self.set(SET_OWNER)
        assert self.set_u64(SET_FEATURES, self.features | more)

    def share_memory(self):
        """The table with its one region; user addresses are guest addresses."""
        assert self.set(SET_MEM_TABLE, struct.pack('=IIQQQQ', 1, 0, 0, MEMORY, 0, 0), [self.file])

    def start_ring(self, ring):
        """Tells where the ring is, and enables it."""
        def state(request, value):
            assert self.set(request, struct.pack('=II', ring.index, value))
        state(SET_VRING_NUM, SIZE)
        state(SET_VRING_BASE, ring.base())
        assert self.set(SET_VRING_ADDR, struct.pack('=IIQQQQ', ring.index, 0, ring.desc,
                                                    ring.device, ring.driver, 0))
        assert self.set_u64(SET_VRING_KICK, ring.index, [self.kicks[ring.index]])
        assert self.set_u64(SET_VRING_CALL, ring.index, [self.kicks[2 + ring.index]])
        self.enable(ring, True)

    def enable(self, ring, is_on):
        """Switches a ring on or off."""
        assert self.set(SET_VRING_ENABLE, struct.pack('=II', ring.index, is_on))

    def stop_ring(self, ring):
        """Ends it; where the switch was."""
        got = self.get(GET_VRING_BASE, struct.pack('=II', ring.index, 0))
        return struct.unpack('=II', got)[1]

    def start(self, more=0):
        """All of it."""
        self.negotiate(more)
        self.share_memory()
        self.fill()
        for ring in self.rings:
            self.start_ring(ring)

    # --- frames

    def fill(self):
        """Offers all buffers that the guest has to receive with."""
        ring = self.rings[0]
        while ring.n_avail - ring.n_used < SIZE:
            ring.offer(BUFFER)

    def send(self, frame):
        """Sends a frame; waits while there is no room."""
        ring = self.rings[1]
        end = time.monotonic() + 5
        while ring.n_avail - ring.n_used == SIZE:
            if not ring.take() and time.monotonic() > end:
                raise FrontendError('the ring takes no frames for 5 s')
        at = ring.buffer(ring.n_avail)
        self.memory[at:at + RECORD] = bytes(RECORD)
        self.memory[at + RECORD:at + RECORD + len(frame)] = frame
        ring.offer(RECORD + len(frame))

    def send_many(self, frames):
        """Sends frames."""
        for frame in frames:
            self.send(frame)

    def take(self):
        """The frames that are there."""
        found = []
        while (got := self.rings[0].take()) is not None:
            at, length = got
            found.append(bytes(self.memory[at + RECORD:at + length]))
            self.fill()
        return found

    def recv(self, n=1, timeout=5.0):
        """Waits until n frames have come or time is up; returns all there are."""
        end = time.monotonic() + timeout
        found = self.take()
        while len(found) < n and time.monotonic() < end:
            time.sleep(0.002)
            found += self.take()
        return found

    # --- the end

    def close(self):
        """Hangs up."""
        self.sock.close()
        self.words.release()
        self.memory.close()
        for fd in (self.file, *self.kicks):
            with contextlib.suppress(OSError):
                os.close(fd)
        self.kicks = []

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()
