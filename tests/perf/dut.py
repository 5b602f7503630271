# SPDX-License-Identifier: BSD-3-Clause
"""The device under test: a switch with two or more ports for guests, polled on one CPU.

Each kind has a file of its own, and its line in devices.py.
"""
import contextlib
import ctypes
import os
import pathlib
import signal
import subprocess
import time
from dataclasses import dataclass

NICE = -20
PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000
ETHER_LEN = 14  # an MTU does not count the Ethernet header


class DutError(Exception):
    """What went wrong with a device, in one sentence."""


def run_tool(name, command, timeout_s=60, **more):
    """Runs a program of a device to its end: what it did, or a DutError."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout_s,
                              check=False, **more)
    except subprocess.TimeoutExpired as e:
        raise DutError(f'{name}: {pathlib.Path(command[0]).name} did not end in '
                       f'{timeout_s} s') from e
    except OSError as e:
        raise DutError(f'{name}: {command[0]} does not run: {e.strerror}') from e


def in_child():
    """Before exec: die with the runner, whatever becomes of it, and go before others on a CPU."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        os.nice(NICE)
    except PermissionError:
        pass


def prefer(pid):
    """Under autogroup scheduling a nice value counts only within a session: raise the session's."""
    try:
        pathlib.Path(f'/proc/{pid}/autogroup').write_text(str(NICE))
    except OSError:
        pass


@contextlib.contextmanager
def namespace_of(name, pid):
    """What is started meanwhile is in the network namespace of a process of a device."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(fd):
        if libc.setns(fd, CLONE_NEWNET) < 0:
            raise DutError(f'{name}: no way into its network namespace: '
                           f'{os.strerror(ctypes.get_errno())}')

    with contextlib.ExitStack() as stack:
        try:
            home, there = (stack.enter_context(open(f'/proc/{of}/ns/net', 'rb'))
                           for of in ('self', pid))
        except OSError as e:
            raise DutError(f'{name}: no way into its network namespace: {e.strerror}') from e
        enter(there.fileno())
        try:
            yield
        finally:
            enter(home.fileno())


@dataclass(frozen=True)
class Place:
    """Where devices run."""
    folder: pathlib.Path  # of this run: logs, sockets, configs
    build: pathlib.Path
    cpu: int  # that it polls on
    main_cpu: int  # for what else it does
    hugepages: bool


@dataclass(frozen=True)
class Wiring:
    """What a device is started for."""
    ports: int = 2
    frame_max: int = 1518  # bytes, without FCS
    stations: int = 0  # of all guests together; 0: few
    silent: int = 0  # further ports whose guests send nothing, if the device can have them
    has_offloads: bool = False  # of checksums and segmentation

    @property
    def mtu(self):
        return self.frame_max - ETHER_LEN


class Dut:
    """A switch between guests. Subclasses give command(), and what else differs."""
    name = ''
    what = ''
    guests = ''  # the kind that it needs (session.py); else any kind for vhost-user
    is_server = True  # it listens on the sockets, the guests connect
    is_ours = False  # it has to be there
    is_paired = False  # it hands frames on in pairs of ports, whatever their address
    works_in_guests = False  # in the thread that plays them: that is busy then
    end_codes = (0,)  # of a clean end after SIGTERM

    def __init__(self, place, wiring=Wiring()):
        self.place = place
        self.cpu = place.cpu
        self.wiring = wiring
        self.folder = place.folder
        self.sockets = [str(self.folder / f'{self.name}{i}.sock')
                        for i in range(1, self.n_ports + 1)]
        self.log = self.folder / f'{self.name}.log'
        self.process = None

    @property
    def n_ports(self):
        return self.wiring.ports + (0 if self.is_paired else self.wiring.silent)

    @classmethod
    def missing(cls, place):
        """Why it can't run here, or None."""
        return None

    @classmethod
    def version(cls, place):
        """A few words that name the program's version, or an empty string."""
        return ''

    @classmethod
    def unfit(cls, case):
        """Why it can't do that, or None."""
        return None

    @classmethod
    def memory_mb(cls, wiring):
        """Of hugepages, at most, without the guests'."""
        return 0

    def command(self):
        raise NotImplementedError

    def wait_ready(self):
        """Returns when the guests may connect."""
        self.wait_for(lambda: all(os.path.exists(s) for s in self.sockets), 'sockets')

    def inside(self):
        """A context in which its guests are to be started."""
        return contextlib.nullcontext()

    def cycles(self):
        """TSC cycles that it has worked and frames that it has moved so far; None: not known."""
        return None

    def wait_for(self, is_there, what, timeout_s=30):
        until = time.monotonic() + timeout_s
        while not is_there():
            if self.process.poll() is not None:
                raise DutError(f'{self.name}: ended with code {self.process.returncode}; '
                               f'{self.tail()}')
            if time.monotonic() > until:
                raise DutError(f'{self.name}: no {what} after {timeout_s} s; {self.tail()}')
            time.sleep(0.05)

    def tail(self, n=5):
        """The end of its log, which --out keeps whole."""
        lines = []
        with contextlib.suppress(OSError):
            lines = self.log.read_text(errors='replace').splitlines()
        return '\n'.join([f'the end of {self.log.name}:', *lines[-n:]])

    def spawn(self, command, log, **more):
        """Starts a program of the device, its output in a log."""
        with open(log, 'a', encoding='utf-8') as out:
            # stdin stays open: testpmd ends at its end
            try:
                process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out,
                                           stderr=subprocess.STDOUT, cwd=self.folder,
                                           start_new_session=True, preexec_fn=in_child, **more)
            except OSError as e:
                raise DutError(f'{self.name}: {command[0]} does not run: {e.strerror}') from e
        prefer(process.pid)
        return process

    def start(self):
        for socket in self.sockets:
            if os.path.exists(socket):
                os.unlink(socket)
        self.process = self.spawn(self.command(), self.log)
        self.wait_ready()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Ends it. Returns its exit code, or None if it had to be killed or was never started."""
        process, self.process = self.process, None
        return end(process)


def end(process, timeout_s=20):
    """Ends a program by SIGTERM. Returns its exit code; None if it had to be killed, or is None."""
    if process is None:
        return None
    code = None
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    with contextlib.suppress(OSError):
        process.stdin.close()
    return code


def said(*command, env=None):
    """The first line that a program prints, or an empty string if it can't run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False,
                              env=env)
    except (OSError, subprocess.TimeoutExpired):
        return ''
    lines = done.stdout.splitlines() if done.returncode == 0 else []
    return lines[0].strip() if lines else ''
