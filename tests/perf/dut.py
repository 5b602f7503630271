# SPDX-License-Identifier: BSD-3-Clause
"""The devices under test: each is a switch with two vhost-user ports, polled on one CPU.

To add one: a class with name, what and the methods of Dut, and its line in DUTS.
"""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

NICE = -20
PR_SET_PDEATHSIG = 1
MTU = 1504  # the longest frame, 1518 bytes, is measured without its FCS


class DutError(Exception):
    """What went wrong with a device, in one sentence."""


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


class Dut:
    """A switch between two guests. Subclasses give command(), and what else differs."""
    name = ''
    what = ''
    is_server = True  # it listens on the sockets, the guests connect
    is_ours = False  # it has to be there
    end_codes = (0,)  # of a clean end after SIGTERM

    def __init__(self, folder, cpu, main_cpu, build, hugepages):
        self.folder = pathlib.Path(folder)
        self.cpu = cpu
        self.main_cpu = main_cpu
        self.build = pathlib.Path(build)
        self.hugepages = hugepages
        self.sockets = [str(self.folder / f'{self.name}{i}.sock') for i in (1, 2)]
        self.log = self.folder / f'{self.name}.log'
        self.process = None

    def missing(self):
        """Why it can't run here, or None."""
        return None

    def command(self):
        raise NotImplementedError

    def wait_ready(self):
        """Returns when the guests may connect."""
        self.wait_for(lambda: all(os.path.exists(s) for s in self.sockets), 'sockets')

    def cycles(self):
        """TSC cycles that it has worked and frames that it has moved so far; None: not known."""
        return None

    def wait_for(self, is_there, what, timeout_s=30):
        until = time.monotonic() + timeout_s
        while not is_there():
            if self.process.poll() is not None:
                raise DutError(f'{self.name}: ended with code {self.process.returncode}, '
                               f'see {self.log}:\n{self.tail()}')
            if time.monotonic() > until:
                raise DutError(f'{self.name}: no {what} after {timeout_s} s, see {self.log}:\n'
                               f'{self.tail()}')
            time.sleep(0.05)

    def tail(self, n=5):
        lines = self.log.read_text(errors='replace').splitlines()
        return '\n'.join(lines[-n:])

    def start(self):
        for socket in self.sockets:
            if os.path.exists(socket):
                os.unlink(socket)
        with open(self.log, 'w', encoding='utf-8') as log:
            # stdin stays open: testpmd ends at its end
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                cwd=self.folder, start_new_session=True, preexec_fn=in_child)
        prefer(self.process.pid)
        self.wait_ready()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Ends it. Returns its exit code, or None if it had to be killed or was never started."""
        if self.process is None:
            return None
        code = None
        if self.process.poll() is None:
            self.resume()
            self.process.terminate()
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdin.close()
        self.process = None
        return code


class Vswitch(Dut):
    """Ours. datapath: as the config spells it."""
    is_ours = True
    datapath = ''

    def missing(self):
        for binary in ('vswitchd', 'vswitchctl'):
            if not os.access(self.build / binary, os.X_OK):
                return f'{self.build / binary} is not built: ninja -C {self.build}'
        return None

    def command(self):
        ports = [f'  - {{name: vm{i}, type: vhost-user, socket: {socket}, mtu: {MTU}, '
                 f'datapath: {self.datapath}}}' for i, socket in enumerate(self.sockets, 1)]
        conf = self.folder / f'{self.name}.yaml'
        conf.write_text('\n'.join([
            'switch:',
            f'  workers: [{self.cpu}]',
            '  idle: poll',
            f'  control: {self.control}',
            '  memory: 128M',
            f'  hugepages: {str(self.hugepages).lower()}',
            'ports:', *ports]) + '\n', encoding='utf-8')
        return ['taskset', '-c', f'{self.main_cpu},{self.cpu}',
                str(self.build / 'vswitchd'), '-c', str(conf)]

    @property
    def control(self):
        return self.folder / f'{self.name}.ctl'

    def ask(self, *command):
        done = subprocess.run([str(self.build / 'vswitchctl'), '-s', str(self.control), '--json',
                               *command], capture_output=True, text=True, timeout=10, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def wait_ready(self):
        self.wait_for(lambda: self.ask('version') is not None, 'answer on its control socket')
        super().wait_ready()

    def cycles(self):
        answer = self.ask('worker', 'list')
        if answer is None:
            return None
        worker = answer['workers'][0]
        if 'busy_cycles' not in worker:
            return None
        return worker['busy_cycles'], worker['frames']


class Direct(Vswitch):
    name = 'direct'
    what = 'vswitchd, datapath: direct'
    datapath = 'direct'


class Library(Vswitch):
    name = 'library'
    what = 'vswitchd, datapath: library'
    datapath = 'library'


class Testpmd(Dut):
    """DPDK's own test program: hands frames from one net_vhost port to the other, no switching."""
    name = 'testpmd'
    what = 'dpdk-testpmd io between two net_vhost ports'
    end_codes = (0, -signal.SIGTERM)

    def missing(self):
        if shutil.which('dpdk-testpmd') is None:
            return 'dpdk-testpmd is not installed: apt install dpdk-dev'
        return None

    def command(self):
        memory = ['--in-memory'] if self.hugepages else ['--no-huge', '--no-shconf']
        vdevs = []
        for i, socket in enumerate(self.sockets):
            vdevs += ['--vdev', f'net_vhost{i},iface={socket}']
        return ['dpdk-testpmd', '-l', f'{self.main_cpu},{self.cpu}',
                '--main-lcore', str(self.main_cpu), '-m', '256', '--no-pci', '--no-telemetry',
                *memory, *vdevs,
                '--', '--forward-mode=io', '--auto-start', '--nb-cores=1', '--no-mlockall',
                '--total-num-mbufs=16384']


DUTS = {d.name: d for d in (Direct, Library, Testpmd)}
