# SPDX-License-Identifier: BSD-3-Clause
"""peer.py: the wire of an emulated NIC as a station of a test: QEMU's `-netdev dgram`, one UNIX
datagram a frame.

    peer.send(frame)
    peer.recv(1)                             # [frame]
    with peer.echoing() as load:             # every frame goes back, addresses swapped
        ...
    load.received, load.sent
    with peer.sending([frame, ...]) as load: # over and over, as fast as the guest takes them
        ...

TapPeer is the same for NICs of several queues. Same methods as vguest.Guest and tap.Tap. Only
frames of the tests' own EtherType are seen, see tap.py, unless they are asked for by
everything=True.
"""

import collections
import contextlib
import os
import select
import socket
import subprocess
import threading
import time

from tap import ETH_P_ALL, PACKET_IGNORE_OUTGOING, SOL_PACKET, Tap, quiet

BUFFER = 8 << 20
RETRY_S = 0.0005
KEEP = 4096
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33


class PeerError(AssertionError):
    """The NIC does not take what is sent; str() is a sentence."""


class Load:
    """What a thread of a peer did so far; written by that thread."""

    def __init__(self):
        self.sent = 0
        self.refused = 0  # not sent: the NIC had no room
        self.received = 0
        self.frames = collections.deque(maxlen=KEEP)  # the last ones of those received


class Peer:
    """One end of the wire; QEMU's NIC is the other, see args()."""

    def __init__(self, path):
        """path: what the names of the two sockets begin with."""
        self.near = f'{path}.peer'
        self.far = f'{path}.nic'
        self.queues = 1
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.near)
        self.sock = self.open(socket.AF_UNIX, socket.SOCK_DGRAM, 0)
        self.sock.bind(self.near)

    @staticmethod
    def open(*kind):
        """A socket that has room for bursts."""
        sock = socket.socket(*kind)
        for option in (SO_SNDBUFFORCE, SO_RCVBUFFORCE):
            sock.setsockopt(socket.SOL_SOCKET, option, BUFFER)
        sock.setblocking(False)
        return sock

    def attach(self):
        """QEMU runs."""

    def args(self, name):
        """QEMU's arguments for the netdev of this name."""
        return ['-netdev', f'dgram,id={name},local.type=unix,local.path={self.far},'
                           f'remote.type=unix,remote.path={self.near}']

    def close(self):
        """Ends it; the NIC sends into nowhere from now on."""
        self.sock.close()
        for path in (self.near, self.far):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    # --- one frame and the other

    def send(self, frame, queue=0, timeout=10.0):
        """Sends one frame; waits while the NIC takes none."""
        assert queue == 0
        end = time.monotonic() + timeout
        while True:
            try:
                self.sock.sendto(bytes(frame), self.far)
                return
            except OSError as e:  # full; or QEMU is not there (yet, any more)
                if time.monotonic() > end:
                    raise PeerError(f'{self.far}: the NIC took no frame within {timeout} s: {e}') \
                        from None
            time.sleep(RETRY_S)

    def send_many(self, frames, queue=0):
        """Sends frames."""
        for frame in frames:
            self.send(frame, queue)

    def take(self, everything=False):
        """The frames that are there, without waiting: a list of (queue, frame)."""
        found = []
        while True:
            try:
                frame = self.sock.recv(70000)
            except BlockingIOError:
                return found
            if everything or Tap.is_ours(frame):
                found.append((0, frame))

    def recv_queues(self, n, timeout=5.0, everything=False):
        """Waits until n frames have come or time is up; returns all there are as (queue, frame)."""
        found = []
        end = time.monotonic() + timeout
        while True:
            found += self.take(everything)
            left = end - time.monotonic()
            if len(found) >= n or left <= 0:
                return found
            select.select([self.sock], [], [], min(left, 0.2))

    def recv(self, n=1, timeout=5.0, everything=False):
        """Waits until n frames have come or time is up; returns all there are."""
        return [frame for _, frame in self.recv_queues(n, timeout, everything)]

    def wait(self, match, timeout=5.0, everything=False):
        """Waits for a frame for which match(frame) holds and returns it, or None when time is up;
        the frames before it are gone, those behind it are not."""
        end = time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.sock], [], [], left)[0]:
                return None
            frame = self.sock.recv(70000)
            if (everything or Tap.is_ours(frame)) and match(frame):
                return frame
        return None

    def none(self, wait=0.2):
        """Whether nothing comes for a while."""
        return not self.recv(1, wait)

    def drain(self, quiet=0.05):
        """Forgets all frames until none has come for a while."""
        while self.recv(1, quiet, everything=True):
            pass

    # --- load, by a thread of its own

    def _take(self, load):
        found = [frame for _, frame in self.take()]
        load.received += len(found)
        load.frames.extend(found)
        return found

    def _try_send(self, frame, load):
        try:
            self.sock.sendto(frame, self.far)
            load.sent += 1
        except OSError:
            load.refused += 1
            time.sleep(RETRY_S)

    @contextlib.contextmanager
    def _thread(self, work):
        load = Load()
        stop = threading.Event()
        thread = threading.Thread(target=work, args=(load, stop), daemon=True)
        thread.start()
        try:
            yield load
        finally:
            stop.set()
            thread.join()

    def echoing(self):
        """A context in which each frame that comes goes back with its addresses swapped."""
        def work(load, stop):
            while not stop.is_set():
                select.select([self.sock], [], [], 0.1)
                for frame in self._take(load):
                    self._try_send(frame[6:12] + frame[:6] + frame[12:], load)
        return self._thread(work)

    def sending(self, frames, pause=0.0):
        """A context in which these frames are sent over and over, with a pause (seconds) after each
        round. What comes meanwhile is counted, and only the last frames are kept: QEMU queues 10000
        for whom does not take them, and drops the others."""
        def work(load, stop):
            while not stop.is_set():
                for frame in frames:
                    self._try_send(frame, load)
                self._take(load)
                stop.wait(pause)
        return self._thread(work)


class TapPeer(Peer):
    """The wire of a NIC of several queues: the host's end of a TAP that QEMU makes in this network
    namespace. Frames must have no VLAN tag."""

    def __init__(self, ifname, queues):
        self.ifname = ifname
        self.queues = 1
        self.n_qemu = queues
        self.far = (ifname, 0)
        self.sock = self.open(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)

    def args(self, name):
        return ['-netdev', f'tap,id={name},ifname={self.ifname},queues={self.n_qemu},script=no,'
                           'downscript=no,vhost=off']

    def attach(self):
        if os.path.exists(f'/proc/sys/net/ipv6/conf/{self.ifname}'):
            quiet(self.ifname)
        subprocess.run(['ip', 'link', 'set', 'dev', self.ifname, 'up'], check=True)
        self.sock.bind(self.far)

    def close(self):
        self.sock.close()
