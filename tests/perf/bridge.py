# SPDX-License-Identifier: BSD-3-Clause
"""The bridge of the Linux kernel between TAPs, as a device under test.

It lives in a network namespace that a sleeping process holds, so that nothing is left however the
run ends. Its work is done by the kernel in the thread that writes to a TAP: perf_tap's.
"""
import contextlib
import os
import platform
import shutil
import signal

from dut import Dut, DutError, namespace_of, run_tool


class Bridge(Dut):
    name = 'bridge'
    what = 'Linux bridge between two TAPs'
    guests = 'tap'
    is_paired = True  # it could have more ports, perf_tap has two
    works_in_guests = True
    end_codes = (-signal.SIGTERM,)

    def __init__(self, *args):
        super().__init__(*args)
        self.sockets = [f'tap{i}' for i in range(1, self.n_ports + 1)]

    @classmethod
    def missing(cls, place):
        if not os.access(place.build / 'tests/perf/perf_tap', os.X_OK):
            return f'{place.build}/tests/perf/perf_tap is not built: ninja -C {place.build}'
        for tool in ('ip', 'nsenter', 'unshare'):
            if shutil.which(tool) is None:
                return f'{tool} is not installed: apt install iproute2 util-linux'
        return None

    @classmethod
    def version(cls, place):
        return f'Linux {platform.release()}'

    @classmethod
    def unfit(cls, case):
        if case.ring != 'split' or case.layout != 'single':
            return 'rings and layouts: a TAP has none'
        if case.offload != 'none':
            return f'{case.offload}: it is measured without'
        if case.ports != 2:
            return f'{case.ports} ports: it is measured with two'
        if case.frame_max > 1518:
            return f'{case.frame_max} B: it is measured up to 1518'
        return None

    def command(self):
        return ['unshare', '--net', 'sleep', 'infinity']

    def ip(self, *words):
        done = run_tool(self.name, ['nsenter', f'--net=/proc/{self.process.pid}/ns/net', 'ip',
                                    *words], timeout_s=20)
        if done.returncode != 0:
            raise DutError(f'bridge: ip {" ".join(words)}: {done.stderr.strip()}')

    def wait_ready(self):
        def has_its_own():
            with contextlib.suppress(OSError):
                return os.stat(f'/proc/{self.process.pid}/ns/net').st_ino != ours
            return False

        ours = os.stat('/proc/self/ns/net').st_ino
        self.wait_for(has_its_own, 'network namespace')
        self.ip('link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0')
        for tap in self.sockets:
            self.ip('tuntap', 'add', 'dev', tap, 'mode', 'tap')
            self.ip('link', 'set', tap, 'master', 'br0', 'mtu', str(self.wiring.mtu), 'up')
        self.ip('link', 'set', 'br0', 'up')

    def inside(self):
        return namespace_of(self.name, self.process.pid)

    def pause(self):
        """It does nothing unless somebody sends."""

    def resume(self):
        """The same."""
