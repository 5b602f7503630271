# SPDX-License-Identifier: BSD-3-Clause
"""migration.py: a guest that moves between places, while others talk to it.

    with two_ports(image) as movable:       # or two_switches(image)
        movable.move()                      # to the other place
        movable.guest                       # who it is now
        movable.places[movable.at]          # where: the GuestNet, and the port's name
"""

import contextlib
import hashlib
import os
import socket
import threading
import time

from daemon import wait_until
from guest import GuestError
from guestnet import GuestNet
from load import NICTOOL
from veth import Cable, far_end

MOVE_S = 120
INCOMING = ('-incoming', 'defer')
UPLINK = 'up'


def is_moved(guest):
    """Whether QEMU has nothing more to do; a migration that fails is an error."""
    told = guest.qmp('query-migrate')
    assert told['status'] not in ('failed', 'cancelled'), told
    return told['status'] == 'completed'


class Movable:
    """A guest at one of two places."""

    def __init__(self, *places):
        """places: (GuestNet, name of the port); it was booted at the first."""
        self.places = places
        self.at = 0
        self.told = None  # what QEMU said of the last migration

    @property
    def guest(self):
        """The guest where it is."""
        net, name = self.places[self.at]
        return net[name]

    def move(self, during=lambda: None):
        """Moves it to the other place; calls during() again and again meanwhile."""
        here, at = self.guest, 1 - self.at
        net, name = self.places[at]
        there = net.guests[name] = net.make_guest(name, self.places[0][1], devices=INCOMING)
        uri = f'unix:{net.daemon.path("migration")}'
        there.start()
        there.qmp('migrate-incoming', uri=uri)
        here.qmp('migrate-set-parameters', **{'max-bandwidth': 0})
        here.qmp('migrate', uri=uri)
        wait_until('the guest is moved', lambda: during() or is_moved(here), MOVE_S)
        wait_until('it runs', lambda: during() or there.qmp('query-status')['running'])
        self.told = here.qmp('query-migrate')
        here.stop()
        del self.places[self.at][0].guests[self.places[self.at][1]]
        self.at = at


def uplink(ifname):
    """The port with one end of the cable."""
    return {'name': UPLINK, 'type': 'ethdev', 'devargs': f'net_af_packet0,iface={ifname}'}


@contextlib.contextmanager
def two_ports(image, port=None, nic=None, guest=None):
    """A guest on one of two ports of a switch."""
    names = ('vm1', 'other')
    with GuestNet(image, {name: port or {} for name in names},
                  {name: nic or {} for name in names}, {name: guest or {} for name in names},
                  boot=False) as net:
        del net.guests['other']
        net.boot('vm1')
        yield Movable((net, 'vm1'), (net, 'other'))


@contextlib.contextmanager
def two_switches(image, port=None, nic=None, guest=None):
    """A guest on one of two switches that a cable joins; the host is on the first one."""
    all_of_it = ({'vm1': port or {}}, {'vm1': nic or {}}, {'vm1': guest or {}})
    with Cable(UPLINK), \
            GuestNet(image, *all_of_it, boot=False) as here, \
            GuestNet(image, *all_of_it, boot=False, more=[uplink(far_end(UPLINK))]) as there:
        del there.guests['vm1']
        here.daemon.add(uplink(UPLINK))
        here.daemon.wait_link(UPLINK)
        there.daemon.wait_link(UPLINK)
        here.boot('vm1')
        yield Movable((here, 'vm1'), (there, 'vm1'))


PLACES = {'two ports': two_ports, 'two switches': two_switches}


class Echo:
    """A TCP connection to a guest that sends all back, paced; the checksums of what went there and
    of what came back must be the same. A context."""

    PORT = 7

    def __init__(self, guest, piece=32 << 10, pause_s=0.02):
        self.piece, self.pause_s = piece, pause_s
        self.sent = self.came = 0
        self.sums = hashlib.sha256(), hashlib.sha256()
        self.ends = threading.Event()
        self.failure = None
        guest.run(f'(nc -l -p {self.PORT} -e cat) </dev/null >/dev/null 2>&1 &\n'
                  f'for i in $(seq 100); do netstat -ltn | grep -q ":{self.PORT} " && exit 0; '
                  'usleep 20000; done; exit 1')
        self.stream = socket.create_connection((guest.ip, self.PORT), 30)
        self.threads = [threading.Thread(target=self._guarded, args=(work,), daemon=True)
                        for work in (self._send, self._receive)]

    def _guarded(self, work):
        try:
            work()
        except OSError as e:
            self.failure = e

    def _send(self):
        self.stream.settimeout(60)
        while not self.ends.wait(self.pause_s):
            piece = os.urandom(self.piece)
            self.stream.sendall(piece)
            self.sums[0].update(piece)
            self.sent += len(piece)
        self.stream.shutdown(socket.SHUT_WR)

    def _receive(self):
        while data := self.stream.recv(1 << 16):
            self.sums[1].update(data)
            self.came += len(data)

    def wait_more(self, n=1 << 20):
        """Waits until so many more bytes have come back."""
        want = self.came + n
        wait_until(f'{n} bytes come back', lambda: self.failure or self.came >= want, 60)
        if self.failure:
            raise GuestError(f'the connection broke after {self.came} bytes: {self.failure}')

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.ends.set()
        for thread in self.threads:
            thread.join(70)
        self.stream.close()
        if kind is None:
            assert not self.failure, self.failure
            assert (self.came, self.sums[1].hexdigest()) == (self.sent, self.sums[0].hexdigest())


class Probe(threading.Thread):
    """Asks a guest every 2 ms by UDP; notes how long no answer came, and how many are missing. A
    context; the guest must answer on the port, see serve()."""

    PORT = 7
    PAUSE_S = 0.002

    def __init__(self, guest):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect((guest.ip, self.PORT))
        self.socket.settimeout(self.PAUSE_S)
        self.ends = threading.Event()
        self.sent = 0
        self.pause_s = 0.0  # the longest time without an answer
        self.came = set()

    @classmethod
    def serve(cls, movable):
        """From now on the guest answers."""
        net, name = movable.places[movable.at]
        net.put(name, NICTOOL, '/bin/nictool')
        movable.guest.run(f'nictool echo {cls.PORT} </dev/null >/dev/null 2>&1 &')

    def _take(self, last):
        try:
            data = self.socket.recv(64)
        except TimeoutError:
            return last
        now = time.monotonic()
        self.came.add(data)
        self.pause_s = max(self.pause_s, now - last)
        return now

    def run(self):
        last = time.monotonic()
        while not self.ends.is_set():
            self.socket.send(self.sent.to_bytes(8, 'big'))
            self.sent += 1
            due = time.monotonic() + self.PAUSE_S
            while time.monotonic() < due:
                last = self._take(last)
        end = time.monotonic() + 2  # for those that are late
        while len(self.came) < self.sent and time.monotonic() < end:
            last = self._take(last)

    def __enter__(self):
        self.start()
        wait_until('the guest answers', lambda: self.came)
        return self

    def __exit__(self, *what):
        self.ends.set()
        self.join()
        self.socket.close()

    @property
    def lost(self):
        """How many were not answered."""
        return self.sent - len(self.came)
