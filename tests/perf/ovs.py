# SPDX-License-Identifier: BSD-3-Clause
"""Open vSwitch with its DPDK data path as a device under test.

Everything it makes lies in a folder of this run: database, control sockets, logs. It runs in a
network namespace of its own, since its bridge has an interface of the host. Debian's package is
taken if it is installed; otherwise what `tests/lib/install perf` has unpacked in the build.
"""
import os
import pathlib
import re
import shutil
import signal

from dut import Dut, DutError, end, run_tool, said

DAEMON = 'usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk'
MTU_MAX = 9702  # of its DPDK ports, when it does no segmentation itself
N_MBUFS = 262144  # that it allocates; it tries fewer if there is no room, while guests starve
MBUF_EXTRA = 1280  # bytes of one beside the frame, its rounding included
MEMORY_MB = 256  # for the rest
LARGE_MB = 256  # for frames that are still to be cut into segments
MAC_TABLE_MAX = 1000000  # the most that it accepts
BRIDGE = 'perf'


class Ovs(Dut):
    """One bridge with the action NORMAL, ports of type dpdkvhostuserclient, one PMD thread."""
    name = 'ovs'
    what = 'Open vSwitch with DPDK, NORMAL; its other threads share the CPU of the guests'
    is_server = False
    end_codes = (0, -signal.SIGTERM)

    def __init__(self, place, *args):
        super().__init__(place, *args)
        self.folder = place.folder / 'ovs'
        self.root = self.find(place)
        self.database = None

    @staticmethod
    def find(place):
        """The root of the file system that has it, or None."""
        for root in (pathlib.Path('/'), place.build / 'perf-ovs' / 'root'):
            if os.access(root / DAEMON, os.X_OK):
                return root
        return None

    @staticmethod
    def environment(root, folder):
        """With which its programs find libraries and folders."""
        env = dict(os.environ)
        for name in ('OVS_RUNDIR', 'OVS_LOGDIR', 'OVS_DBDIR', 'OVS_SYSCONFDIR'):
            env[name] = str(folder)
        env['OVS_PKGDATADIR'] = str(root / 'usr/share/openvswitch')
        if root != pathlib.Path('/'):
            env['LD_LIBRARY_PATH'] = ':'.join(str(d) for d in (root / 'usr/lib').glob('*-linux-*'))
        return env

    @classmethod
    def missing(cls, place):
        root = cls.find(place)
        if root is None:
            return 'Open vSwitch with DPDK is not there: tests/lib/install perf'
        if not said(str(root / DAEMON), '--version', env=cls.environment(root, place.folder)):
            return f'{root / DAEMON} does not run: tests/lib/install perf'
        return None

    @classmethod
    def version(cls, place):
        root = cls.find(place)
        version = said(str(root / DAEMON), '--version', env=cls.environment(root, place.folder))
        return re.sub(r'^\S+ \(Open vSwitch\)', 'Open vSwitch', version)

    @classmethod
    def unfit(cls, case):
        if case.frame_max - 14 > MTU_MAX:
            return f'{case.frame_max} B: its ports take an MTU of at most {MTU_MAX}'
        if 2 * case.macs > MAC_TABLE_MAX:
            return f'{2 * case.macs} stations: its table takes {MAC_TABLE_MAX}'
        if not case.takes:
            return f'{case.offload} for receivers without: it leaves to them what they do not take'
        return None

    @classmethod
    def memory_mb(cls, wiring):
        large = LARGE_MB if wiring.has_offloads else 0
        return MEMORY_MB + large + N_MBUFS * (wiring.frame_max + MBUF_EXTRA) // (1 << 20)

    def tool(self, program):
        return str(self.root / 'usr' / program)

    def run(self, *command):
        """Runs one of its tools to the end."""
        done = run_tool(self.name, command, env=self.environment(self.root, self.folder))
        if done.returncode != 0:
            raise DutError(f'ovs: {" ".join(command[:3])} ...: {done.stderr.strip()}; '
                           f'{self.tail()}')
        return done.stdout.strip()

    def set_up(self, *words):
        """ovs-vsctl, which waits until the daemon has done it, if there is one."""
        wait = [] if self.process else ['--no-wait']
        return self.run(self.tool('bin/ovs-vsctl'), f'--db=unix:{self.folder}/db.sock',
                        '--timeout=50', *wait, *words)

    def start_database(self):
        db = self.folder / 'conf.db'
        self.run(self.tool('bin/ovsdb-tool'), 'create', str(db),
                 self.tool('share/openvswitch/vswitch.ovsschema'))
        self.database = self.spawn([self.tool('sbin/ovsdb-server'), '--no-chdir',
                                    f'--remote=punix:{self.folder}/db.sock', str(db)],
                                   self.place.folder / 'ovsdb.log',
                                   env=self.environment(self.root, self.folder))
        self.process = self.database
        self.wait_for((self.folder / 'db.sock').exists, 'database')
        self.process = None

    def command(self):
        # all but the PMD thread, which sets its own CPU, stays off the device's CPU
        return ['unshare', '--net', 'taskset', '-c', str(self.place.main_cpu),
                str(self.root / DAEMON), f'unix:{self.folder}/db.sock']

    def start(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        self.start_database()
        # all at once: guests don't wait long for it when they connect
        mb = self.memory_mb(self.wiring)
        memory = [f'other_config:dpdk-socket-mem={mb}', f'other_config:dpdk-socket-limit={mb}']
        extra = '--in-memory --no-pci --no-telemetry'
        if not self.place.hugepages:
            memory = [f'other_config:dpdk-alloc-mem={mb}']
            extra = '--no-huge --no-shconf --no-pci --no-telemetry'
        self.set_up('init', '--', 'set', 'Open_vSwitch', '.', 'other_config:dpdk-init=true',
                    f'other_config:dpdk-extra="{extra}"', *memory,
                    f'other_config:userspace-tso-enable={str(self.wiring.has_offloads).lower()}',
                    f'other_config:pmd-cpu-mask={1 << self.cpu:#x}',
                    f'other_config:dpdk-lcore-mask={1 << self.place.main_cpu:#x}')
        self.process = self.spawn(self.command(), self.log,
                                  env=self.environment(self.root, self.folder))
        self.add_ports()

    def add_ports(self):
        words = ['add-br', BRIDGE, '--', 'set', 'Bridge', BRIDGE, 'datapath_type=netdev',
                 f'other_config:mac-table-size={MAC_TABLE_MAX}']
        for i, socket in enumerate(self.sockets, 1):
            words += ['--', 'add-port', BRIDGE, f'vm{i}', '--', 'set', 'Interface', f'vm{i}',
                      'type=dpdkvhostuserclient', f'options:vhost-server-path={socket}',
                      f'mtu_request={self.wiring.mtu}']
        self.set_up(*words)
        if self.set_up('get', 'Open_vSwitch', '.', 'dpdk_initialized') != 'true':
            raise DutError(f'ovs: DPDK did not start; {self.tail()}')
        # the host's interface of the bridge is nobody's: no copies of flooded frames for it
        self.run(self.tool('bin/ovs-ofctl'), 'mod-port', f'unix:{self.folder}/{BRIDGE}.mgmt',
                 BRIDGE, 'no-flood')

    def stop(self):
        code = super().stop()
        end(self.database)
        self.database = None
        return code
