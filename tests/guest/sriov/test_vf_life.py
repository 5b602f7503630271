# SPDX-License-Identifier: BSD-3-Clause
"""VF ports on emulated igbs: what happens to a port when the cable, the PF or the VF goes, and that
traffic passes again when it is back."""

import statistics
import threading
import time

import pytest

from daemon import wait_until
from frames import BROADCAST, build
from sriov import SYS_PCI, pci_driver
from vfnet import OUTSIDE, REMOVE_S, TAP, VM1, VfNet, remove_vfs, tagged, vf_mac

OUTSIDE1 = '02:00:00:00:00:98'  # on the second wire
VLAN1 = 100                     # port VLAN of up1


@pytest.fixture(scope='module', name='net')
def fixture_net(igb_guest):
    """up0 on the first card, up1 on the second one."""
    uplinks = {'up0': {'pf': 0, 'num_vfs': 1, 'max_rate': 500},
               'up1': {'pf': 1, 'num_vfs': 1, 'vlan': VLAN1}}
    with VfNet(igb_guest, uplinks) as net:
        yield net
    for pf in igb_guest.pfs:
        pf.restore()


def check_others(net):
    """Frames pass between the other ports, and from the other uplink."""
    net.drain()
    there, back, number = net.frame(VM1), net.frame(TAP, VM1), next(net.numbers)
    net.vm1.send(there)
    assert net.tap.recv(1) == [there]
    net.tap.send(back)
    assert net.vm1.recv(1) == [back]
    net.uplinks['up1'].wire.send(build(BROADCAST, OUTSIDE1, number, tags=tagged(VLAN1)))
    assert net.vm1.recv(1) == [build(BROADCAST, OUTSIDE1, number)]


def wait_passes(net):
    """Waits until frames pass on up0 again."""
    wait_until('frames pass', lambda: net.passes(1.0), 30.0)


def is_as_asked(pf, number):
    """Whether the PF has all settings of VF 0."""
    found = pf.vf(0)
    return (found['address'] == vf_mac(number) and found['trust'] and not found['spoofchk'] and
            (found['rate']['max_tx'] == 500 if number == 0 else
             found['vlan_list'][0]['vlan'] == VLAN1))


def test_cable(net):
    """The cable goes and comes."""
    pf = net.uplinks['up0']
    assert net.passes()
    pf.set_link(False)
    net.wait_state('down', 'no link: the cable')
    check_others(net)
    pf.set_link(True)
    net.wait_state('up')
    wait_passes(net)


def test_pf_down(net):
    """The host sets the PF down, and up again: the VF says that its link is up, and is deaf until
    it is started anew."""
    pf = net.uplinks['up0']
    net.guest.run(f'ip link set dev {pf.ifname} down')
    net.wait_state('down', f'the PF {pf.ifname} is down: ip link set {pf.ifname} up')
    check_others(net)
    n_before = net.details()['restarts']
    net.guest.run(f'ip link set dev {pf.ifname} up')
    net.wait_state('up')
    wait_passes(net)
    assert net.details()['restarts'] > n_before


def test_restart(net):
    """The operator restarts a port."""
    n_before = net.details()['restarts']
    net.daemon.ctl('port', 'restart', 'up0')
    net.wait_state('up')
    wait_passes(net)
    assert net.details()['restarts'] == n_before + 1
    assert 'has no device to restart' in net.daemon.ctl_fail('port', 'restart', 'vm1')


def test_removed(net):
    """The host takes the VFs away under traffic: it gets them, the other ports go on. When VFs are
    there again, the port has its own, with all settings."""
    pf = net.uplinks['up0']
    with pf.wire.sending([build(BROADCAST, OUTSIDE, n) for n in range(32)], pause=0.01):
        assert net.vm1.recv(1)
        remove_vfs(pf)
        assert net.state()[0] == 'down'
        assert 'was taken away: it is attached again when it is back' in net.state()[1]
        assert net.details()['device_is_there'] is False
        check_others(net)
        net.vm1.recv(1, 0.1)
        pf.make_vfs(2)
        assert net.vm1.recv(1, 30)
    net.wait_state('up')
    wait_until('the PF has all settings', lambda: is_as_asked(pf, 0), 30)
    wait_passes(net)
    details = net.details()
    assert (details['returns'], details['device_is_there']) == (1, True)
    assert pf.vf_driver(0) == 'vfio-pci'
    assert pf.vf_driver(1) == 'igbvf'


def test_unbound(net):
    """Somebody takes the VF from vfio-pci: he gets it, and keeps it until the operator says so."""
    pf = net.uplinks['up0']
    pci = pf.vf_pci(0)
    net.guest.run(f'echo {pci} >/sys/bus/pci/drivers/vfio-pci/unbind', REMOVE_S)
    net.wait_state('down', f'the device {pci} was taken away')
    assert pci_driver(net.guest, pci) == ''
    check_others(net)
    time.sleep(3)
    assert (net.state()[0], pci_driver(net.guest, pci)) == ('down', '')
    net.daemon.ctl('port', 'restart', 'up0')
    net.wait_state('up')
    assert net.guest.run(f'cat {SYS_PCI}/{pci}/driver_override').strip() == 'vfio-pci'
    wait_passes(net)


class Listener(threading.Thread):
    """Takes what comes to vm1, and notes when nothing did. What comes to the TAP is taken too: its
    channel has no room for all."""

    def __init__(self, net):
        super().__init__(daemon=True)
        self.net = net
        self.last = time.monotonic()  # when a frame came
        self.pause = 0.0              # the longest time without one
        self.done = False

    def run(self):
        while not self.done:
            self.net.tap.take()
            if self.net.vm1.recv(1, 0.02):
                now = time.monotonic()
                self.pause = max(self.pause, now - self.last)
                self.last = now

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done = True
        self.join()

    def wait_frame(self):
        """Waits for a frame that comes from now on; says how far frames get if none does."""
        now = time.monotonic()
        try:
            wait_until('traffic passes', lambda: self.last > now, 60)
        except AssertionError as e:
            raise AssertionError(f'{e}: {"" if self.is_alive() else "nobody listens, "}'
                                 f'{self.net.traces()}') from None


def remove_and_make(net, pf, _pci):
    """The host takes the VFs away and makes new ones."""
    remove_vfs(pf)
    assert net.state()[0] == 'down'
    net.guest.run(f'echo 1 >{pf.sys}/sriov_numvfs', REMOVE_S)


def unbind_and_restart(net, _pf, pci):
    """The host takes the VF from its driver, and has the operator take it back."""
    net.guest.run(f'echo {pci} >/sys/bus/pci/drivers/vfio-pci/unbind', REMOVE_S)
    net.daemon.ctl('port', 'restart', 'up0')


def go_and_come(net, capsys, n_made, n_bound):
    """An uplink goes and comes under load: traffic passes again each time. Made anew are its VFs
    n_made times, which takes the kernel 4 s, and it is bound anew n_bound times."""
    pf = net.uplinks['up0']
    net.guest.run(f'echo 0 >{pf.sys}/sriov_drivers_autoprobe')
    pci = pf.vf_pci(0)
    net.drain()
    n_before = net.details()['returns']
    for act, rounds in ((remove_and_make, n_made), (unbind_and_restart, n_bound)):
        pauses = []
        with pf.wire.sending([build(BROADCAST, OUTSIDE, n) for n in range(8)], 0.01), \
                Listener(net) as listener:
            for _ in range(rounds):
                listener.wait_frame()
                listener.pause = 0.0
                act(net, pf, pci)
                listener.wait_frame()
                pauses.append(listener.pause)
        with capsys.disabled():
            print(f'\n{rounds} times {act.__name__}: without traffic for min {min(pauses):.2f} s, '
                  f'median {statistics.median(pauses):.2f} s, max {max(pauses):.2f} s')
    net.drain()
    assert net.details()['returns'] == n_before + n_made + n_bound
    wait_until('the PF has all settings', lambda: is_as_asked(pf, 0), 30)
    wait_passes(net)


def test_some_times(net, capsys):
    """An uplink goes and comes under load."""
    go_and_come(net, capsys, 1, 3)


@pytest.mark.long
def test_fifty_times(net, capsys):
    """The same, very often."""
    go_and_come(net, capsys, 12, 38)


def test_nothing_is_left(net):
    """After all that no mbuf is missing. A pool is retired until each of its mbufs is back, and the
    other uplink keeps what it sent."""
    for name in net.uplinks:
        net.daemon.ctl('port', 'del', name)
    assert net.daemon.ctl('status')['retired_pools'] == 0
    for worker in net.daemon.ctl('worker', 'list')['workers']:
        assert worker['mbufs_free'] == worker['mbufs'], worker
