# SPDX-License-Identifier: BSD-3-Clause
"""vguest.py: guests for functional tests, byte-exact: the Python end of vguest.c.

    with Guests() as guests:
        a = guests.add('a', '/tmp/x/vm1.sock')              # the switch is the server
        b = guests.add('b', '/tmp/x/vm2.sock', server=True) # the switch is the client
        a.send(frame)
        b.recv(1)                                           # [frame]

A Guest and a Tap (tap.py) have the same methods, so that a test runs on pairs of any kinds.
"""

import contextlib
import os
import select
import shutil
import socket
import struct
import subprocess
import tempfile
import time

from daemon import REPO, build_dir

HEAD = struct.Struct('=II')


class GuestError(AssertionError):
    """The guest side did not do what the test needs."""


def vguest_binary():
    """Where the vguest program is: in the build under test, or as VSWITCH_VGUEST says."""
    return os.environ.get('VSWITCH_VGUEST', os.path.join(build_dir(), 'tests', 'lib', 'vguest'))


def eal_words(memory, hugepages=False):
    """The EAL options of vguest; memory: MiB."""
    # EAL takes --no-huge for legacy memory, which goes not with --in-memory
    return ['-l', '0', '--no-pci', '-m', str(memory), '--no-telemetry', '--file-prefix', 'vguest',
            *(['--in-memory'] if hugepages else ['--no-huge', '--no-shconf'])]


class Guest:
    """One guest. Made by Guests.add()."""

    def __init__(self, owner, name, queues):
        self.owner = owner
        self.name = name
        self.queues = queues
        self.path = os.path.join(owner.dir, f'{name}.stream')
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.stream = None
        self.said = ''  # the answer to its making
        self.buf = bytearray()

    def accept(self):
        """Takes the connection that vguest makes before it adds the device."""
        self.listener.settimeout(30)
        self.stream, _ = self.listener.accept()
        self.listener.close()
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            self.stream.setsockopt(socket.SOL_SOCKET, option, 4 << 20)
        os.unlink(self.path)

    def close(self):
        """Closes the stream."""
        self.listener.close()
        if self.stream:
            self.stream.close()

    def send(self, frame, queue=0):
        """Sends one frame on a queue."""
        self.send_many([frame], queue)

    def send_many(self, frames, queue=0, timeout=60.0):
        """Sends frames on a queue; waits while there is no room."""
        self.write(b''.join(HEAD.pack(len(f), queue) + bytes(f) for f in frames), timeout)

    def write(self, data, timeout):
        """Writes to the stream; waits while there is no room."""
        self.stream.settimeout(timeout)
        try:
            self.stream.sendall(data)
        except TimeoutError:
            raise GuestError(f'guest {self.name}: its ring takes no frames for {timeout} s '
                             f'({self.owner.program}: {self.owner.log()[-2000:]})') from None
        except OSError as e:
            raise GuestError(f'guest {self.name}: {e} ({self.owner.program}: '
                             f'{self.owner.log()[-2000:]})') from None

    def read(self):
        """Reads what the stream has into buf, without waiting."""
        while select.select([self.stream], [], [], 0)[0]:
            data = self.stream.recv(1 << 20)
            if not data:
                raise GuestError(f'guest {self.name}: {self.owner.program} closed its stream: '
                                 f'{self.owner.log()[-2000:]}')
            self.buf += data

    def take(self):
        """The complete frames that are there, without waiting: a list of (queue, frame)."""
        found = []
        self.read()
        off = 0
        while len(self.buf) - off >= HEAD.size:
            length, queue = HEAD.unpack_from(self.buf, off)
            if len(self.buf) - off < HEAD.size + length:
                break
            found.append((queue, bytes(self.buf[off + HEAD.size:off + HEAD.size + length])))
            off += HEAD.size + length
        del self.buf[:off]
        return found

    def recv_queues(self, n, timeout=5.0):
        """Waits until n frames have come or time is up; returns all there are as (queue, frame)."""
        return self.wait_for(self.take, n, timeout)

    def wait_for(self, take, n, timeout):
        """Waits until take() has given n frames or time is up; returns all that it gave."""
        found = []
        end = time.monotonic() + timeout
        while True:
            found += take()
            left = end - time.monotonic()
            if len(found) >= n or left <= 0:
                return found
            select.select([self.stream], [], [], min(left, 0.2))

    def recv(self, n=1, timeout=5.0):
        """Waits until n frames have come or time is up; returns all there are."""
        return [frame for _, frame in self.recv_queues(n, timeout)]

    def none(self, wait=0.2):
        """Whether nothing comes for a while."""
        return not self.recv(1, wait)


class Guests:
    """One vguest process with its guests."""

    program = 'vguest'

    def __init__(self, memory=128, hugepages=False):
        self.dir = tempfile.mkdtemp(prefix='vsg-', dir='/tmp')
        self.log_file = os.path.join(self.dir, f'{self.program}.log')
        self.guests = {}
        self.waiting = {}
        env = dict(os.environ, ASAN_OPTIONS='detect_leaks=0', TSAN_OPTIONS='report_bugs=0')
        self.log_out = open(self.log_file, 'ab')
        self.proc = subprocess.Popen(self.command(memory, hugepages), stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, stderr=self.log_out, text=True,
                                     bufsize=1, env=env, cwd=REPO)
        # no lcore of vguest's may be tied to one CPU: the workers of the switch sit there
        try:
            self.answer('start', 30.0)
            for task in os.listdir(f'/proc/{self.proc.pid}/task'):
                os.sched_setaffinity(int(task), range(os.cpu_count()))
        except BaseException:
            self.close()
            raise

    @staticmethod
    def command(memory, hugepages):
        """The words that start the process."""
        return [vguest_binary(), *eal_words(memory, hugepages)]

    @property
    def pid(self):
        """The process."""
        return self.proc.pid

    def log(self):
        """What the process wrote."""
        with open(self.log_file, encoding='utf-8', errors='replace') as f:
            return f.read()

    def answer(self, what, timeout):
        """Waits for the answer to a command, and returns it: a line that starts with "ok"."""
        end = time.monotonic() + timeout
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.proc.stdout], [], [], left)[0]:
                raise GuestError(f'{what}: {self.program} does not answer within {timeout} s: '
                                 f'{self.log()}')
            line = self.proc.stdout.readline()
            if not line:
                raise GuestError(f'{what}: {self.program} ended with {self.proc.wait()}: '
                                 f'{self.log()}')
            if line.startswith('ok'):
                return line
            if line.startswith('error'):
                raise GuestError(f'{what}: {line.strip()}: {self.log()[-3000:]}')

    def start(self, name, path, server=False, queues=1, packed=False, mrg_rxbuf=True,
              in_order=True, mac=None, mtu=1500, segment=2048, queue_size=256):
        """Asks for a guest; finish() must follow. With server=True the guest makes the socket and
        finish() waits for the switch to connect."""
        guest = Guest(self, name, queues)
        devargs = (f'path={path},server={int(server)},queues={queues},queue_size={queue_size},'
                   f'packed_vq={int(packed)},mrg_rxbuf={int(mrg_rxbuf)},in_order={int(in_order)}')
        if mac:
            devargs += f',mac={mac}'
        self.ask(guest, f'{mtu} {queues} {segment} {devargs}')
        return guest

    def ask(self, guest, words):
        """Asks for a guest, words: what follows its stream; the answer is not waited for."""
        self.proc.stdin.write(f'add {guest.name} {guest.path} {words}\n')
        try:
            guest.accept()
        except TimeoutError:
            raise GuestError(f'add {guest.name}: {self.program} does not connect: {self.log()}') \
                from None

    def finish(self, guest, timeout=30.0):
        """Waits until the guest of start() is there."""
        try:
            guest.said = self.answer(f'add {guest.name}', timeout)
        except BaseException:
            guest.close()
            raise
        self.guests[guest.name] = guest
        return guest

    def add(self, name, path, **options):
        """A new guest; options as for start()."""
        return self.finish(self.start(name, path, **options))

    def set_queues(self, guest, n):
        """The guest stops its device and starts it again with n of its queue pairs."""
        self.proc.stdin.write(f'queues {guest.name} {n}\n')
        self.answer(f'queues {guest.name} {n}', 30.0)

    def remove(self, guest):
        """The guest shuts its device down and goes."""
        self.proc.stdin.write(f'del {guest.name}\n')
        self.answer(f'del {guest.name}', 30.0)
        guest.close()
        del self.guests[guest.name]

    def kill9(self):
        """All guests die at once, saying nothing."""
        self.proc.kill()
        self.close()

    def close(self):
        """Ends the process."""
        if self.proc.poll() is None:
            try:
                self.proc.stdin.close()
                self.proc.wait(20)
            except (subprocess.TimeoutExpired, OSError):
                self.proc.kill()
        self.proc.wait()
        for guest in self.guests.values():
            guest.close()
        self.guests = {}
        self.proc.stdout.close()
        self.log_out.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.rmdir('/var/run/dpdk/vguest')  # EAL makes it, and puts nothing there

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(f'--- log of {self.program}:\n{self.log()[-4000:]}')
        self.close()
