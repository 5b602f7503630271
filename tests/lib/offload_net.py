# SPDX-License-Identifier: BSD-3-Clause
"""offload_net.py: a switch between stations of which some take and ask for offloads, and the way of
frames from one to another: what is sent, and whether what came is what the model says.

    with switch({'a': 'raw', 't': 'tap'}, {'a': {'features': HOST_ALL}}) as net:
        way = Way(net, 'a', 't')
        way.run(way.frames())

Frames from the wire and from a TAP of net_tap come into the switch whole, as those of the kernel's
own do. A TAP has records as a guest has, but the kernel divides some frames itself and says some
things in another way: what comes of a frame in the end is compared.
"""

import contextlib
import time

from net import HOST_KINDS, Net
from offload_frames import QINQ, VLAN, frames
from offload_model import EVERYTHING, NOTHING, expected, finished, is_right, may_send, takes
from rawguest import DATA_VALID, NONE, RawGuest, Record
from tap import RecordTap
from veth import Cable

KERNEL = ('net_tap', 'ethdev')  # whose frames are whole
PORTION = 48  # frames at the receiver: no queue is too short for so many


@contextlib.contextmanager
def switch(kinds, guest=None, conf=None):
    """A Net whose kernel stations see everything; cables are laid for its ethdev ports."""
    wires = [name for name, kind in kinds.items() if kind == 'ethdev']
    more = dict(conf or {})
    for i, name in enumerate(wires):
        more[name] = {'devargs': f'net_af_packet{i},iface={name}', **more.get(name, {})}
    with contextlib.ExitStack() as stack:
        for name in wires:
            stack.enter_context(Cable(name))
        net = stack.enter_context(Net(kinds, guest=guest, conf=more))
        net.learn()
        for name, kind in kinds.items():
            for tags in (VLAN, QINQ):
                net[name].send(net.frame(name, tags=tags))
            net.after(name)
            if kind in HOST_KINDS:
                net[name].everything = True
        yield net


def receives(station):
    """What a station takes."""
    if isinstance(station, RecordTap):
        return EVERYTHING
    return takes(station.features & ~station.lost) if isinstance(station, RawGuest) else NOTHING


def sends(station):
    """What a station may ask for."""
    return may_send(station.features) if isinstance(station, RawGuest) else EVERYTHING


class Way:
    """From one station of a net to another."""

    def __init__(self, net, src, dst):
        self.net = net
        self.src, self.dst = net[src], net[dst]
        self.names = src, dst
        self.kinds = net.kinds[src], net.kinds[dst]

    def frames(self):
        """All kinds of frames, as from the one to the other. DPDK 22.11's net_af_packet has the
        kernel put fragments of IPv4 together before it receives them (PACKET_FANOUT_FLAG_DEFRAG),
        unless they have two tags."""
        kinds = frames(*(self.net.macs[name] for name in self.names))
        if self.kinds[0] == 'ethdev':
            kinds = [k for k in kinds if 'fragment4' not in k[0] or k[0].startswith('qinq')]
        return kinds

    def expect(self, record, frame):
        """What comes of a frame: a list of (record, frame), empty if it is to be dropped."""
        if self.kinds[0] in KERNEL:
            pairs = [(NONE, self.as_received(f)) for f in finished(record, frame)]
        else:
            pairs = expected(record, frame, sends(self.src), receives(self.dst)) or []
        if 'tap' in self.kinds:
            pairs = [(NONE, f) for pair in pairs for f in finished(*pair)]
        return pairs if self.kinds[1] != 'ethdev' else [(r, f.ljust(60, b'\0')) for r, f in pairs]

    def as_received(self, frame):
        """net_af_packet makes an 802.1Q tag of any that it receives."""
        if self.kinds[0] == 'ethdev' and frame[12:14] == b'\x88\xa8':
            return frame[:12] + b'\x81\0' + frame[14:]
        return frame

    def send(self, pairs):
        """Sends (record, frame) pairs."""
        if isinstance(self.src, (RawGuest, RecordTap)):
            self.src.send_records(pairs)
        else:
            self.src.send_many([f for pair in pairs for f in finished(*pair)])

    def receive(self, n, timeout=5.0):
        """What comes, as (record, frame). What a driver saw to be right may be said to be, if it
        is."""
        if 'tap' in self.kinds:
            return self.receive_finished(n, timeout)
        got = self.dst.recv(n, timeout)
        if not isinstance(self.dst, RawGuest):
            return [(NONE, frame) for frame in got]
        if self.kinds[0] in KERNEL and 'checksum' in receives(self.dst):
            got = [(NONE if r == Record(flags=DATA_VALID) and is_right(f) else r, f)
                   for r, f in got]
        return got

    def receive_finished(self, n, timeout):
        """The n frames that what comes is in the end."""
        got = []
        end = time.monotonic() + timeout
        while True:
            taken = (self.dst.take_records() if hasattr(self.dst, 'take_records') else
                     [(NONE, frame) for _, frame in self.dst.take()])
            got += [(NONE, f) for pair in taken for f in finished(Record(*pair[0]), pair[1])]
            if len(got) >= n or time.monotonic() > end:
                return got
            time.sleep(0.002)

    def run(self, kinds):
        """Sends frames, (name, record, frame), and fails unless what must come comes; says of
        every kind what is wrong with it."""
        faults = []
        for portion in self.portions(kinds):
            wanted = [pair for _, record, frame in portion for pair in self.expect(record, frame)]
            self.send([(record, frame) for _, record, frame in portion])
            got = self.receive(len(wanted))
            if got == wanted:
                continue
            while self.receive(1, 0.1):
                pass
            found = [f for kind in portion for f in self.faults_of(*kind)]
            faults += found or [f'together, but not one by one: {[k[0] for k in portion]}: '
                                f'{difference(got, wanted)}']
        assert not faults, '\n'.join([f'from {self.names} over {self.kinds}', *faults])

    def portions(self, kinds):
        """Lists of kinds that no queue is too short for."""
        portion, n = [], 0
        for kind in kinds:
            more = len(self.expect(*kind[1:]))
            if portion and n + more > PORTION:
                yield portion
                portion, n = [], 0
            portion.append(kind)
            n += more
        yield portion

    def faults_of(self, name, record, frame):
        """The sentences on one kind of frame."""
        wanted = self.expect(record, frame)
        self.send([(record, frame)])
        got = self.receive(len(wanted), 0.5) if wanted else self.receive(1, 0.1)
        if got != wanted:
            yield f'{name}: {difference(got, wanted)}, sent as {record} {frame[:144].hex()}'


def difference(got, wanted):
    """A sentence on the first one."""
    for i, (mine, yours) in enumerate(zip(got, wanted)):
        if mine[0] != yours[0]:
            return f'frame {i} has {mine[0]}, not {yours[0]}'
        if mine[1] != yours[1]:
            at = next((at for at, (a, b) in enumerate(zip(mine[1], yours[1])) if a != b),
                      min(len(mine[1]), len(yours[1])))
            return (f'frame {i} of {len(mine[1])} bytes, not {len(yours[1])}, has '
                    f'{mine[1][at:at + 16].hex()} from byte {at} on, not '
                    f'{yours[1][at:at + 16].hex()}')
    return f'{len(got)} frames came, not {len(wanted)}'


def bad_records(net, name='a'):
    """How many frames of a port were dropped for their record."""
    return net.counts(name)['drops']['rx-bad-record']
