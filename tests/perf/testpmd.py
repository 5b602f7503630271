# SPDX-License-Identifier: BSD-3-Clause
"""dpdk-testpmd as a device under test: hands frames on from port to port, without switching."""
import shutil
import signal

from dut import Dut, said

PORTS_MAX = 32  # of Debian's build (RTE_MAX_ETHPORTS)
PORT_MB = 16  # of descriptors and caches


class Testpmd(Dut):
    """io: frames go on untouched from each odd port to the next, and back."""
    name = 'testpmd'
    what = 'dpdk-testpmd io between net_vhost ports'
    mode = 'io'
    is_paired = True
    end_codes = (0, -signal.SIGTERM)

    @classmethod
    def missing(cls, place):
        if shutil.which('dpdk-testpmd') is None:
            return 'dpdk-testpmd is not installed: apt install dpdk-dev'
        return None

    @classmethod
    def version(cls, place):
        version = said('dpkg-query', '-W', '-f', '${Version}', 'dpdk-dev') or \
            said('pkg-config', '--modversion', 'libdpdk')
        return f'DPDK {version}' if version else ''

    @classmethod
    def unfit(cls, case):
        if case.ports > PORTS_MAX:
            return f'{case.ports} ports: its DPDK takes {PORTS_MAX}'
        if case.ports > 2 and case.pattern != 'pairs':
            return f'{case.pattern}: it hands frames on in pairs of ports, whatever their address'
        if not case.takes:
            return f'{case.offload} for receivers without: it makes neither checksums nor segments'
        return None

    @classmethod
    def memory_mb(cls, wiring):
        return 256 + PORT_MB * (wiring.ports - 2)

    def command(self):
        memory = ['--in-memory'] if self.place.hugepages else ['--no-huge', '--no-shconf']
        vdevs = []
        for i, socket in enumerate(self.sockets):
            vdevs += ['--vdev', f'net_vhost{i},iface={socket}{self.vdev_options()}']
        return ['dpdk-testpmd', '-l', f'{self.place.main_cpu},{self.cpu}',
                '--main-lcore', str(self.place.main_cpu), '-m', str(self.memory_mb(self.wiring)),
                '--no-pci', '--no-telemetry', *memory, *vdevs,
                '--', f'--forward-mode={self.mode}', '--auto-start', '--nb-cores=1',
                '--no-mlockall', f'--total-num-mbufs={self.n_mbufs()}', *self.options()]

    def n_mbufs(self):
        """Each ring of 1024 full, and the bursts of one core."""
        return max(16384, 2048 * self.wiring.ports)

    def vdev_options(self):
        """What a guest left to be done is left to the next one: as mbufs to be sent have it, since
        what net_vhost offers otherwise is to make checksums itself.
        """
        return ',tso=1,legacy-ol-flags=1' if self.wiring.has_offloads else ''

    def options(self):
        return []


class TestpmdMac(Testpmd):
    """mac: each frame's addresses are written anew, those of the port and of the guest behind."""
    name = 'testpmd-mac'
    what = 'dpdk-testpmd mac between net_vhost ports'
    mode = 'mac'

    @classmethod
    def unfit(cls, case):
        if case.macs > 1:
            return f'{case.macs} stations: it knows one behind each port'
        return super().unfit(case)

    def options(self):
        # behind port i sits guest i+1, whose stations are 02:00:<guest>:...
        return [f'--eth-peer={i},02:00:{i + 1:02x}:00:00:00' for i in range(self.wiring.ports)]
