# SPDX-License-Identifier: BSD-3-Clause
"""inguest.py: vswitchd, and stations of tests, that run in a SriovGuest (see sriov.py).

What daemon.Daemon and vguest.Guests do on this machine these do in the guest, by its agent. Frames
of stations come and go by the guest's channels, ports of its virtio-serial device, so that every
test has them as bytes.
"""

import contextlib
import re
import shlex
import signal
import socket
import subprocess
import time

import vguest
from daemon import SANITIZER_ENV, Daemon, DaemonError, assert_no_report

DIR = '/run/vs'
VGUEST_MIB = 96


class GuestProcess:
    """A process in the guest, with as much of subprocess.Popen as Daemon needs."""

    def __init__(self, guest, words, log_file, env=None, stdin='/dev/null'):
        self.guest = guest
        self.returncode = None
        self.code_file = f'{log_file}.code'
        given = ' '.join(f'{k}={shlex.quote(v)}' for k, v in (env or {}).items())
        # the shell around it keeps the exit code for who asks later
        self.pid = int(guest.run(
            f'rm -f {self.code_file}\n'
            f'( {given} {shlex.join(words)} <{stdin} >>{log_file} 2>&1 &\n'
            f'echo $! >/tmp/.pid; wait $!; echo $? >{self.code_file} ) >/dev/null 2>&1 &\n'
            'while [ ! -s /tmp/.pid ]; do usleep 1000; done; cat /tmp/.pid; rm /tmp/.pid'))

    def poll(self):
        """Its exit code (negative: the signal that ended it), or None while it runs."""
        if self.returncode is None:
            text = self.guest.read(self.code_file).strip()
            if text:
                code = int(text)
                self.returncode = code if code <= 128 else 128 - code
        return self.returncode

    def wait(self, timeout=None):
        """Waits for its end."""
        end = time.monotonic() + (timeout or 60)
        while self.poll() is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired('a process in the guest', timeout)
            time.sleep(0.05)
        return self.returncode

    def send_signal(self, number):
        """Sends it a signal, if it runs."""
        if self.poll() is None:
            self.guest.status(f'kill -{int(number)} {self.pid}')

    def kill(self):
        """Ends it without warning."""
        self.send_signal(signal.SIGKILL)


class GuestDaemon(Daemon):
    """vswitchd in a guest. Relative socket paths are meant relative to d.dir, in the guest."""

    def __init__(self, guest, config=None, workdir=DIR, **options):
        self.guest = guest
        super().__init__(config, build='/bin', workdir=workdir, **options)

    def make_dir(self, workdir):
        """In the guest, and empty."""
        self.guest.run(f'rm -rf {workdir}; mkdir -p {workdir}')
        return workdir

    def settle(self, config):
        """Hugepages, because a NIC reaches only these without further ado; the second CPU for the
        only worker."""
        switch = {'hugepages': True, 'workers': [1], **config.get('switch', {})}
        return super().settle({**config, 'switch': switch})

    def store(self, text):
        """Writes the config file."""
        self.guest.write(self.config_file, text)

    def spawn(self):
        """Starts vswitchd without waiting for it."""
        self.proc = GuestProcess(self.guest, self.command(), self.log_file, SANITIZER_ENV)

    def answers(self):
        """Whether there is a control socket; vswitchctl will say whether somebody listens."""
        return self.guest.status(f'[ -S {self.socket} ]')[0] == 0

    def log(self):
        """All that it wrote so far, over all starts."""
        return self.guest.read(self.log_file)

    def ctl_run(self, *words, stdin=None, timeout=60.0):
        """Runs vswitchctl -s SOCKET WORDS; returns the CompletedProcess, whatever it says."""
        given = ' '.join(f'{k}={v}' for k, v in SANITIZER_ENV.items())
        command = f'{given} vswitchctl -s {self.socket} {shlex.join(words)} 2>/tmp/.stderr'
        if stdin is not None:
            command += f" <<'END_OF_TEXT'\n{stdin}\nEND_OF_TEXT"
        code, out = self.guest.status(command, timeout)
        err = self.guest.read('/tmp/.stderr')
        assert_no_report(err, 'vswitchctl')
        return subprocess.CompletedProcess(words, code, out, err)

    def cleanup(self):
        """Ends it in whatever state it is; its directory stays until the next one."""
        if self.proc is not None and self.guest.alive():
            self.proc.kill()
            self.proc.wait()

    def wait_log(self, pattern, timeout=20.0):
        """Waits until the log matches the regular expression; returns the match."""
        end = time.monotonic() + timeout
        while True:
            found = re.search(pattern, self.log())
            if found:
                return found
            if time.monotonic() > end:
                raise DaemonError(f'the log has no {pattern!r} after {timeout} s:\n{self.log()}')
            time.sleep(0.1)


class Station(vguest.Guest):
    """A station whose stream is a channel of the guest."""

    def __init__(self, owner, name, queues, channel):
        self.owner = owner
        self.name = name
        self.queues = queues
        self.channel = channel
        self.path = f'/dev/vport{owner.port_bus()}p{channel + 1}'
        self.stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.stream.connect(owner.guest.channels[channel])
        self.buf = bytearray()

    def close(self):
        """Lets go of the channel, of which the guest must have let go before. What it wrote is read
        first: QEMU 10.0 takes nothing from the guest for the next reader of a port whose last one
        left while more was to come."""
        self.stream.setblocking(False)
        n_quiet = 0
        while n_quiet < 2 and self.owner.guest.alive():
            n_quiet = 0 if self._skip() else n_quiet + 1
            self.owner.guest.qmp('query-status')  # what QEMU has left goes on meanwhile
        self.stream.close()

    def _skip(self):
        """Forgets what is there; whether there was anything."""
        found = False
        with contextlib.suppress(BlockingIOError, ConnectionError):
            while self.stream.recv(1 << 20):
                found = True
        return found


class GuestStations:
    """One vguest process in the guest, with its stations."""

    def __init__(self, guest):
        self.guest = guest
        self.dir = '/run/stations'
        self.stations = {}
        self.free = list(range(len(guest.channels)))
        guest.run(f'rm -rf {self.dir}; mkdir -p {self.dir}; mkfifo {self.dir}/in; '
                  f'sleep 1000000 >{self.dir}/in 2>/dev/null & echo $! >{self.dir}/in.pid')
        words = ' '.join(vguest.eal_words(VGUEST_MIB))
        self.proc = GuestProcess(guest, ['sh', '-c', f'exec vguest {words} 2>{self.dir}/log'],
                                 f'{self.dir}/out', {'ASAN_OPTIONS': 'detect_leaks=0'},
                                 stdin=f'{self.dir}/in')
        try:
            self._answer('start', 1)
        except BaseException:
            self.close()
            raise
        self.answered = 1

    def port_bus(self):
        """The number of the guest's virtio-serial device."""
        return int(self.guest.run('ls -d /sys/class/virtio-ports/vport*p1').split('vport')[-1][:-3])

    def log(self):
        """What vguest and DPDK wrote."""
        return self.guest.read(f'{self.dir}/log')

    def _answer(self, what, number, timeout=30.0):
        end = time.monotonic() + timeout
        while True:
            lines = self.guest.read(f'{self.dir}/out').splitlines()
            answers = [line for line in lines if line.startswith(('ok', 'error'))]
            if len(answers) >= number:
                break
            if self.proc.poll() is not None or time.monotonic() > end:
                raise vguest.GuestError(f'{what}: vguest does not answer: {lines} {self.log()}')
            time.sleep(0.02)
        if answers[number - 1] != 'ok' and not answers[number - 1].startswith('ok '):
            raise vguest.GuestError(f'{what}: {answers[number - 1]}: {self.log()[-3000:]}')

    def _command(self, line):
        self.guest.run(f'echo {shlex.quote(line)} >{self.dir}/in')
        self.answered += 1
        self._answer(line, self.answered)

    def _add(self, name, device, devargs, queues, mtu, segment):
        station = Station(self, name, queues, self.free.pop(0))
        try:
            self._command(f'add {device} {station.path} {mtu} {queues} {segment} {devargs}')
        except BaseException:
            station.close()
            raise
        station.device = device
        self.stations[name] = station
        return station

    def virtio_user(self, name, path, mac=None, server=False, queues=1, mtu=1500, segment=2048):
        """A guest on the vhost-user port at path; server: the guest makes the socket."""
        devargs = f'path={path},server={int(server)},queues={queues},queue_size=256'
        if mac:
            devargs += f',mac={mac}'
        return self._add(name, name, devargs, queues, mtu, segment)

    def netdev(self, name, ifname, promisc=False):
        """The frames that come to a network interface, and a way to send from it."""
        mode = 'on' if promisc else 'off'
        self.guest.run(f'ip link set dev {ifname} up promisc {mode}')
        return self._add(name, f'net_af_packet_{name}', f'iface={ifname},blocksz=4096,framesz=2048',
                         1, 1500, 2048)

    def remove(self, station):
        """The station shuts its device down and goes."""
        self._command(f'del {station.device}')
        station.close()
        self.free.append(station.channel)
        del self.stations[station.name]

    def close(self):
        """Ends the process."""
        if self.guest.alive():
            with contextlib.suppress(FileNotFoundError):
                self.guest.status(f'kill $(cat {self.dir}/in.pid)')
            try:
                self.proc.wait(20)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()
        for station in self.stations.values():
            station.close()
        self.stations = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(f'--- log of vguest:\n{self.log()[-4000:]}')
        self.close()
