# SPDX-License-Identifier: BSD-3-Clause
"""sriov.py: guests with emulated SR-IOV NICs, in which our vswitchd runs; for tests/guest/sriov.

    image = build_image(build_dir())
    guest = SriovGuest('igb', workdir, image, [Igb(), Igb()])
    guest.boot()
    pf = guest.pf(0)                    # of the first NIC
    pf.ifname, pf.pci                   # 'eth0', '0000:02:00.0'
    pf.make_vfs(2)                      # bound to the kernel's driver; probe=False: to none
    pf.vf_pci(0), pf.vf_driver(0)       # '0000:02:10.0', 'igbvf'
    pf.set_vf(0, 'trust on')            # ip link set eth0 vf 0 trust on
    pf.vf(0)                            # what `ip link show` says of it: {'mac': ..., 'trust': ...}
    pf.wire.send(frame)                 # see peer.py
    pf.set_link(False)                  # unplugs the cable
    with GuestDaemon(guest, {'ports': [...]}) as d:
        d.ctl('port', 'list')           # all that daemon.Daemon has: ctl_fail, add, wait_link, ...
        with GuestStations(guest) as stations:
            vm1 = stations.virtio_user('vm1', d.path('vm1.sock'), mac='02:...')
            eth = stations.netdev('eth', pf.ifname)
            vm1.send(frame)             # a vguest.Guest: send, send_many, recv, none, ...
    guest.run('ip link')                # all that guest.Guest has
    guest.shut()

GuestDaemon and GuestStations are in inguest.py. Paths in configs and for stations are paths in the
guest. Emulated igb: 7 VFs at most, which share their PF's wire. QEMU's virtio-net as SR-IOV device:
each VF has a wire of its own, pf.vf_wire(0), and `ip link set vf` is not supported.
"""

import functools
import json
import os
import subprocess
import time

from guest import QEMU, REPO, Guest, GuestError
from peer import Peer, TapPeer

BOOT_S = 120
HUGEPAGES = 192  # of 2 MiB
CHANNELS = 6
SYS_PCI = '/sys/bus/pci/devices'
IOMMU = 'intel-iommu,intremap=on,aw-bits=48'  # 39 bits, once the default, are too few for IOVA=VA


def build_image(build):
    """Builds the guests' kernel and initramfs with the programs of that build; returns where."""
    directory = os.path.join(build, 'guest-sriov')
    done = subprocess.run([os.path.join(REPO, 'tests', 'lib', 'sriov-image'), build, directory],
                          text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise GuestError(f'the image of the SR-IOV guests could not be built: {done.stdout}')
    return directory


@functools.lru_cache(maxsize=None)
def has_virtio_sriov(qemu):
    """Whether this QEMU's virtio-net can be an SR-IOV device."""
    try:
        return 'sriov-pf' in subprocess.run([qemu, '-device', 'virtio-net-pci,help'], check=True,
                                            capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False


def virtio_sriov_qemu(build):
    """The QEMU whose virtio-net can be an SR-IOV device: the installed one, or the private copy
    that tests/lib/install makes in the build directory."""
    for qemu in (QEMU, os.path.join(build, 'guest-sriov', 'qemu', 'run')):
        if has_virtio_sriov(qemu):
            return qemu
    raise GuestError('no QEMU here has virtio-net-pci with sriov-pf: run '
                     f'VSWITCH_BUILD={build} tests/lib/install sriov')


class Igb:
    """An emulated Intel 82576."""
    driver = 'igb'
    n_wires = 1
    n_queues = 1

    @staticmethod
    def devices(bus, wires, mac):
        """QEMU's arguments for the device; wires: ids of its netdevs."""
        return ['-device', f'igb,bus={bus},netdev={wires[0]},mac={mac},romfile=']


class Virtio:
    """QEMU's virtio-net behind the IOMMU, with n_vfs VFs if any; n_queues: pairs, of each."""
    driver = 'virtio-pci'

    def __init__(self, n_vfs=0, n_queues=1):
        self.n_wires = 1 + n_vfs
        self.n_queues = n_queues

    def devices(self, bus, wires, mac):
        """QEMU's arguments for the device; wires: ids of its netdevs, first the PF's."""
        options = 'iommu_platform=on,disable-legacy=on,romfile='
        if self.n_queues > 1:
            options += f',mq=on,rss=on,vectors={2 * self.n_queues + 2}'
        words = []
        for n in range(1, self.n_wires):  # QEMU wants them before their PF
            words += ['-device', f'virtio-net-pci,bus={bus},addr=0x0.{n:#x},netdev={wires[n]},'
                                 f'sriov-pf=pf-{bus},mac={mac[:-2]}{n:02x},{options}']
        return words + ['-device', f'virtio-net-pci,bus={bus},addr=0x0.0x0,netdev={wires[0]},'
                                   f'id=pf-{bus},mac={mac},{options}']


class Pf:
    """A NIC of a running guest, seen from within it."""

    def __init__(self, guest, number, wires):
        self.guest = guest
        self.number = number
        self.mac = pf_mac(number)
        self.wire = wires[0]
        self.vf_wires = wires[1:]
        path = guest.run(f'grep -lix {self.mac} /sys/class/net/*/address | head -n 1').strip()
        self.ifname = path.split('/')[4]
        device = guest.run(f'readlink -f /sys/class/net/{self.ifname}/device').strip()
        # a virtio device is a child of the one on the bus
        self.pci = next(w for w in reversed(device.split('/')) if w.count(':') == 2)
        self.sys = f'{SYS_PCI}/{self.pci}'

    def make_vfs(self, number, probe=True):
        """Makes VFs (0: takes them away). probe: whether the kernel's own driver gets them."""
        self.guest.run(f'echo {int(probe)} >{self.sys}/sriov_drivers_autoprobe; '
                       f'if [ {number} != 0 ]; then echo 0 >{self.sys}/sriov_numvfs; fi; '
                       f'echo {number} >{self.sys}/sriov_numvfs')

    def n_vfs(self):
        """How many there are."""
        return int(self.guest.run(f'cat {self.sys}/sriov_numvfs'))

    def vf_pci(self, vf):
        """The VF's address on the bus."""
        return self.guest.run(f'basename $(readlink {self.sys}/virtfn{vf})').strip()

    def vf_driver(self, vf):
        """The name of the driver that has the VF, or ''."""
        return pci_driver(self.guest, self.vf_pci(vf))

    def vf_wire(self, vf):
        """Where the VF's frames go and come from."""
        return self.vf_wires[vf] if self.vf_wires else self.wire

    def set_vf(self, vf, words):
        """`ip link set PF vf N WORDS`."""
        self.guest.run(f'ip link set dev {self.ifname} vf {vf} {words}')

    def vf(self, vf):
        """What the PF says of the VF: the object of `ip -json link show` (address, vlan, ...)."""
        link = json.loads(self.guest.run(f'ip -json -details link show dev {self.ifname}'))[0]
        return next(v for v in link['vfinfo_list'] if v['vf'] == vf)

    def set_link(self, up, vf=None):
        """Plugs or unplugs the cable (of the VF, where that has its own)."""
        name = netdev(self.number, 0 if vf is None or not self.vf_wires else vf + 1)
        self.guest.qmp('set_link', name=name, up=up)

    def drain(self):
        """Forgets what has come by the wires."""
        for wire in (self.wire, *self.vf_wires):
            wire.drain()

    def restore(self):
        """Back to what a test expects: no VF, cables plugged in, interface up, nothing under way.
        Nobody may use a VF any more."""
        for vf in (None, *range(len(self.vf_wires))):
            self.set_link(True, vf)
        if self.guest.status(f'[ -e {self.sys}/sriov_numvfs ]')[0] == 0:
            self.make_vfs(0)
        self.guest.run(f'ip link set dev {self.ifname} up promisc off')
        self.drain()


def pf_mac(number):
    """The address of NIC number."""
    return f'52:54:00:00:{number + 1:02x}:00'


def netdev(number, wire):
    """QEMU's name for a wire of NIC number."""
    return f'net{number}-{wire}'


def pci_driver(guest, pci):
    """The name of the driver that has a device, or ''."""
    return guest.run(f'basename "$(readlink {SYS_PCI}/{pci}/driver)"').strip()


def pci_bind(guest, pci, driver):
    """Gives a device to a driver, by hand; '' as driver: to none."""
    guest.run(f'[ ! -e {SYS_PCI}/{pci}/driver ] || echo {pci} >{SYS_PCI}/{pci}/driver/unbind; '
              f'echo "{driver}" >{SYS_PCI}/{pci}/driver_override; '
              f'[ -z "{driver}" ] || echo {pci} >/sys/bus/pci/drivers_probe')
    found = pci_driver(guest, pci)
    if found != driver:
        raise GuestError(f'device {pci} has driver "{found}", not "{driver}"')


class SriovGuest(Guest):
    """A guest with an IOMMU, NICs, hugepages, and channels for stations (see inguest.py)."""

    def __init__(self, name, workdir, image, nics, qemu=QEMU, memory=1536, thread='multi'):
        """thread: single, where VFs come and go: with a thread for each CPU, QEMU 10.0 then aborts
        at times (iotlb_to_section), or a CPU gets no timer interrupt any more. no_timer_check: on a
        busy machine the kernel finds its timer too slow, and panics."""
        self.wire_dir = os.path.join(os.path.abspath(workdir), f'{name}.wires')
        self.channels = [os.path.join(os.path.abspath(workdir), name, f'channel{n}')
                         for n in range(CHANNELS)]
        self.nics = list(nics)
        self.wires = []
        self.pfs = []
        os.makedirs(self.wire_dir, exist_ok=True)
        devices = ['-device', IOMMU, '-device', f'virtio-serial-pci,max_ports={CHANNELS + 1}']
        for n, path in enumerate(self.channels):
            devices += ['-chardev', f'socket,id=channel{n},path={path},server=on,wait=off',
                        '-device', f'virtserialport,nr={n + 1},chardev=channel{n}']
        for n, nic in enumerate(self.nics):
            devices += self._nic_args(n, nic)
        super().__init__(name, workdir, image, accel=f'tcg,thread={thread}', cpus=2,
                         memory=memory, qemu=qemu,
                         append='intel_iommu=on iommu=pt tsc=reliable '
                                'random.trust_cpu=on ipv6.disable=1 '
                                f'hugepages={HUGEPAGES}', devices=devices)

    def _nic_args(self, number, nic):
        names = [netdev(number, w) for w in range(nic.n_wires)]
        if nic.n_queues > 1:
            self.wires.append([TapPeer(name, nic.n_queues) for name in names])
        else:
            self.wires.append([Peer(os.path.join(self.wire_dir, name)) for name in names])
        bus = f'nic{number}'
        args = ['-device', f'pcie-root-port,id={bus},chassis={number + 2}']
        for wire, name in zip(self.wires[-1], names):
            args += wire.args(name)
        return args + nic.devices(bus, names, pf_mac(number))

    def boot(self):
        """Starts the guest and waits until it is there; returns how long that took, seconds."""
        self.start()
        seconds = self.wait_ready(BOOT_S)
        for wires in self.wires:
            for wire in wires:
                wire.attach()
        self.pfs = [Pf(self, n, wires) for n, wires in enumerate(self.wires)]
        return seconds

    def pf(self, number=0):
        """The NIC with this number."""
        return self.pfs[number]

    def status(self, command, timeout=30):
        """As Guest.status(), but with `ip` from iproute2: busybox's shell prefers its own."""
        return super().status(f'ip() {{ /bin/ip "$@"; }}\n{command}', timeout)

    def write(self, path, text):
        """Makes a file in the guest."""
        assert '\nEND_OF_TEXT\n' not in text
        self.run(f"cat >{path} <<'END_OF_TEXT'\n{text}\nEND_OF_TEXT\n")

    def read(self, path):
        """A file of the guest as text; '' if there is none."""
        return self.run(f'[ ! -e {path} ] || cat {path}')

    def wait_file(self, path, text, timeout=15):
        """Waits until a file of the guest has just this in it."""
        end = time.monotonic() + timeout
        while (found := self.read(path).strip()) != text:
            if time.monotonic() > end:
                raise GuestError(f'{path} has "{found}", not "{text}", after {timeout} s')
            time.sleep(0.05)

    def whole_log(self):
        """What QEMU, the console and, while the guest answers, its kernel said last."""
        text = self.log()
        if self.alive():
            try:
                text += '\n' + self.run('dmesg | tail -n 50', 10)
            except (GuestError, OSError) as e:
                text += f'\n{e}'
        return text

    def shut(self):
        """Ends the guest and its wires, whatever state they are in."""
        self.kill9()
        for wires in self.wires:
            for wire in wires:
                wire.close()
