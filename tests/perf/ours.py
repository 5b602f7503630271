# SPDX-License-Identifier: BSD-3-Clause
"""Our vswitchd as a device under test, with each of its data paths."""
import json
import os

from dut import Dut, DutError, run_tool, said

MEMORY_MB = 128  # of two ports
MEMORY_PORT_MB = 12  # of each further one
FDB_DEFAULT = 65536  # stations
STATION_B = 120  # bytes of packet memory
FDB_SPARE = 8  # one part of so many is kept free for uplinks


class Vswitch(Dut):
    """Ours. datapath: as the config spells it."""
    is_ours = True
    datapath = ''

    @classmethod
    def missing(cls, place):
        for binary in ('vswitchd', 'vswitchctl'):
            if not os.access(place.build / binary, os.X_OK):
                return f'{place.build / binary} is not built: ninja -C {place.build}'
        return None

    @classmethod
    def version(cls, place):
        return said(str(place.build / 'vswitchd'), '--version')

    @classmethod
    def memory_mb(cls, wiring):
        large = 256 if wiring.frame_max > 2000 else 0
        return MEMORY_MB + large + MEMORY_PORT_MB * (wiring.ports + wiring.silent - 2) + \
            cls.fdb_max(wiring) * STATION_B // (1 << 20)

    @staticmethod
    def fdb_max(wiring):
        """The default, or as many as are to be learned and some more."""
        spare = wiring.stations // (FDB_SPARE - 1)
        return FDB_DEFAULT + wiring.stations + spare if wiring.stations else FDB_DEFAULT

    def command(self):
        w = self.wiring
        ports = [f'  - {{name: vm{i}, type: vhost-user, socket: {socket}, mtu: {w.mtu}, '
                 f'datapath: {self.datapath}, max_macs: unlimited}}'
                 for i, socket in enumerate(self.sockets, 1)]
        conf = self.folder / f'{self.name}.yaml'
        conf.write_text('\n'.join([
            'switch:',
            f'  workers: [{self.cpu}]',
            '  idle: poll',
            f'  control: {self.control}',
            f'  memory: {self.memory_mb(w)}M',
            f'  hugepages: {str(self.place.hugepages).lower()}',
            f'  fdb: {{max: {self.fdb_max(w)}}}',
            'ports:', *ports]) + '\n', encoding='utf-8')
        return ['taskset', '-c', f'{self.place.main_cpu},{self.cpu}',
                str(self.place.build / 'vswitchd'), '-c', str(conf)]

    @property
    def control(self):
        return self.folder / f'{self.name}.ctl'

    def ask(self, *command):
        done = run_tool(self.name, [str(self.place.build / 'vswitchctl'), '-s', str(self.control),
                                    '--json', *command], timeout_s=10)
        try:
            return json.loads(done.stdout) if done.returncode == 0 else None
        except ValueError as e:
            raise DutError(f'{self.name}: vswitchctl {" ".join(command)}: its answer is not '
                           f'JSON: {e}') from e

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

    @classmethod
    def unfit(cls, case):
        if case.offload == 'tso' and case.takes:
            return 'tso: its guests get no undivided segments (docs/design.md)'
        return super().unfit(case)
