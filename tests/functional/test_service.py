# SPDX-License-Identifier: BSD-3-Clause
"""test_service.py: what vswitchd tells the service manager that started it (sd_notify)."""

import ctypes
import os
import signal
import socket
import tempfile
import time

import pytest

from daemon import LIBC, Daemon, wait_until

PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
WAIT_ALL = 0x40000000  # __WALL: threads, too


class Manager:
    """A service manager's end of NOTIFY_SOCKET."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix='vst-', dir='/tmp')
        self.path = os.path.join(self.dir, 'notify')
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(self.path)
        self.sock.setblocking(False)
        self.said = []

    def lines(self):
        """All lines that came so far."""
        try:
            while True:
                self.said += self.sock.recv(4096).decode().splitlines()
        except BlockingIOError:
            return self.said

    def wait(self, line, after=0):
        """Waits for a line that begins so; returns the place behind it."""
        def place():
            return next((i + 1 for i, said in enumerate(self.lines())
                         if i >= after and said.startswith(line)), None)
        try:
            return wait_until(line, place)
        except AssertionError as e:
            raise AssertionError(f'{e}: {self.said}') from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()
        os.unlink(self.path)
        os.rmdir(self.dir)


def thread_named(pid, start):
    """The thread of a process whose name begins so."""
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/comm', encoding='ascii') as f:
            if f.read().startswith(start):
                return int(task)
    raise AssertionError(f'{pid} has no thread {start}')


def ptrace(request, tid):
    """ptrace(2) without data."""
    LIBC.ptrace.argtypes = [ctypes.c_long] * 4
    if LIBC.ptrace(request, tid, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f'ptrace {request:#x} of {tid}')


def stop_thread(tid):
    """Stops one thread; the others of its process run on. It goes on when its tracer ends."""
    ptrace(PTRACE_SEIZE, tid)
    ptrace(PTRACE_INTERRUPT, tid)
    os.waitpid(tid, WAIT_ALL)


def stopped_thread(tid):
    """Stops a thread until the process is ended that this starts; returns its number. Who traces
    is told of all that happens to the thread, so that this is nobody who has more to do."""
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            stop_thread(tid)
            os.write(tell, b'!')
            signal.pause()
        finally:
            os._exit(1)
    os.close(tell)
    assert os.read(ready, 1) == b'!', 'the thread can not be stopped'
    os.close(ready)
    return pid


PORT = {'name': 'vm1', 'type': 'vhost-user', 'socket': 'vm1.sock'}


def test_life():
    """Ready when it answers; reload; end."""
    with Manager() as m, Daemon({'ports': [PORT]}, start=False,
                                env={'NOTIFY_SOCKET': m.path}) as d:
        d.spawn()
        at = m.wait('READY=1')
        assert d.ctl('status')['pid'] == d.pid
        at = m.wait('STATUS=ports: 1, up: 0, workers: 1', at)
        d.config['ports'].append({'name': 'vm2', 'type': 'vhost-user',
                                  'socket': d.path('vm2.sock')})
        d.write(d.config)
        d.signal(signal.SIGHUP)
        at = m.wait('RELOADING=1', at)
        assert m.said[at].startswith('MONOTONIC_USEC=')
        at = m.wait('READY=1', at)
        assert len(d.ctl('port', 'list')['ports']) == 2
        at = m.wait('STATUS=ports: 2, up: 0, workers: 1', at)
        d.ctl('port', 'del', 'vm1')
        at = m.wait('STATUS=ports: 1, up: 0, workers: 1', at)
        assert d.stop() == 0
        m.wait('STOPPING=1', at)
        assert not any(line.startswith('WATCHDOG') for line in m.lines())


def test_never_ready():
    """What can't start never says that it is ready."""
    with Manager() as m, Daemon({'ports': [{**PORT, 'socket': '/proc/none/vm1.sock'}]}, start=False,
                                env={'NOTIFY_SOCKET': m.path}) as d:
        d.config['switch']['control'] = '/proc/none/ctl.sock'
        d.write(d.config)
        d.spawn()
        assert d.wait_exit() == 1
        assert 'READY=1' not in m.lines()


@pytest.mark.quick
def test_watchdog():
    """A sign of life comes while control thread and workers run, and none while a worker stands
    still, even if all else works."""
    with Manager() as m, Daemon({'ports': [PORT]}, start=False,
                                env={'NOTIFY_SOCKET': m.path, 'WATCHDOG_USEC': '1000000'}) as d:
        d.spawn()
        at = m.wait('WATCHDOG=1', m.wait('READY=1'))
        m.wait('WATCHDOG=1', at)
        tracer = stopped_thread(thread_named(d.pid, 'worker-'))
        try:
            d.wait_log(r'ERR +worker 0: on CPU \d+ stands still for \d+ ms')
            at = len(m.lines())
            time.sleep(0.6)  # two looks, each of which would give one
            assert d.ctl('status')['pid'] == d.pid
            assert 'WATCHDOG=1' not in m.lines()[at:]
        finally:
            os.kill(tracer, signal.SIGKILL)
            os.waitpid(tracer, 0)
        m.wait('WATCHDOG=1', at)
        d.wait_log(r'INFO +worker 0: on CPU \d+ goes on')


@pytest.mark.quick
def test_watchdog_while_it_reloads():
    """Signs of life come from port to port of a reload that takes longer than the watchdog waits,
    and none while one port hangs."""
    with Manager() as m, Daemon({'ports': [PORT]}, start=False, preload=['tests/lib/slowbind.so'],
                                env={'NOTIFY_SOCKET': m.path, 'WATCHDOG_USEC': '1000000'}) as d:
        d.spawn()
        at = m.wait('WATCHDOG=1', m.wait('READY=1'))
        slow = [{**PORT, 'name': f's{n}', 'socket': f's{n}.slow100'} for n in range(30)]
        d.write({'ports': [PORT, *slow]})
        d.signal(signal.SIGHUP)
        at = m.wait('RELOADING=1', at)
        end = m.wait('READY=1', at)
        assert 'is in force, 31 ports' in d.log()
        assert m.said[at:end].count('WATCHDOG=1') >= 3
        d.write({'ports': [PORT, {**PORT, 'name': 'hung', 'socket': 'hung.slow3000'}]})
        d.signal(signal.SIGHUP)
        m.wait('RELOADING=1', end)
        d.wait_log('port s29: deleted')
        time.sleep(0.5)
        at = len(m.lines())
        time.sleep(1.5)  # six looks
        assert not m.lines()[at:]
        at = m.wait('READY=1', at)
        m.wait('WATCHDOG=1', at)
