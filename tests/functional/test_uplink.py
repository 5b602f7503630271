# SPDX-License-Identifier: BSD-3-Clause
"""test_uplink.py: uplinks whose device is a VF (fakevf.py): its queues, link, resets, MTU, removal
and return, and frames that it brings back. What it lets in is in test_uplink_filter.py."""

import errno
import os
import re
import threading
import time

import pytest

from daemon import wait_until
from fakevf import IAVF, IGBVF, IXGBEVF, FakeVf
from frames import BROADCAST, build
from marks import choose
from net import Net
from wire import (GROUP_MAC, details, from_wire, got, igmp, macs, net_of, reaches, tagged, talk)


# --- the device

def test_fewer_queues():
    """A PF that gives the VF fewer tx queues than there are workers, though the driver has them."""
    cpus = sorted(os.sched_getaffinity(0))[:2]
    with FakeVf('up', **IAVF, txqs=1) as vf, net_of(vf, switch={'workers': cpus}) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert vf.calls('configure') == ['configure = -5', 'configure = 0']
        assert details(net)['tx_queues'] == 1
        for name in 'ab':
            assert from_wire(net, net.macs[name]) == {name}
            assert got(net, name, net.frame(name, 'up')) == {'up'}
        net.daemon.ctl('port', 'restart', 'up')
        net.daemon.wait_link('up')
        net.learn()
        assert got(net, 'a', net.frame('a', 'up')) == {'up'}


def test_no_network_device():
    """What is no NIC is refused, and let go of: it is not attached twice at the next try."""
    with Net({'a': 'server'}) as net:
        for _ in range(2):
            said = net.daemon.ctl_fail('port', 'add', 'x', 'type=ethdev', 'devargs=dma_skeleton')
            assert 'port x: the device dma_skeleton is no network device' in said
        assert 'Failed to attach device' not in net.daemon.log()


# --- link

@pytest.mark.parametrize('lsc', [0, 1])
def test_link(lsc):
    """The port follows its device's link, told by interrupt or looked at."""
    with FakeVf('up', **dict(IAVF, revival='nothing', lsc=lsc)) as vf, net_of(vf) as net:
        net.learn()
        for _ in range(3):
            vf.event('lsc' if lsc else None, link='down')
            net.daemon.wait_link('up', up=False)
            assert net.daemon.port('up')['reason']
            before = net.counts('up')['drops']['tx-down']
            net['a'].send(net.frame('a', 'up'))
            net.wait_drops('up', 'tx-down', before + 1)
            assert reaches(net, 'a', 'b')
            vf.event('lsc' if lsc else None, link='up')
            net.daemon.wait_link('up')
            assert net.daemon.port('up')['reason'] == ''
            net.learn()
            vf.wait_filter(macs=macs(net, 'ab'))
            assert from_wire(net, net.macs['a']) == {'a'}


@pytest.mark.parametrize('pf', [IGBVF, IXGBEVF], ids=['igbvf', 'ixgbevf'])
def test_deaf_after_link_down(pf):
    """A device that is deaf after its link was down is restarted when it comes up."""
    with FakeVf('up', **pf) as vf, net_of(vf) as net:
        net.learn()
        vf.change(link='down')
        net.daemon.wait_link('up', up=False)
        vf.change(link='up')
        net.daemon.wait_link('up')
        net.learn()
        assert got(net, 'a', net.frame('a', 'up')) == {'up'}
        starts = len(vf.calls('start ='))
        assert starts == 2
        time.sleep(3)
        assert len(vf.calls('start =')) == starts, 'it is restarted over and over'


def test_restart_by_the_operator():
    """igbvf when its PF was down: the link says up all the time. port restart helps, and sets all
    again."""
    with FakeVf('up', **dict(IXGBEVF, reset='notsup')) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        vf.change(passes=0)
        net['up'].send(net.frame('up', 'a'))
        assert net['a'].none()
        vf.change(passes=1)
        net['up'].send(net.frame('up', 'a'))
        assert net['a'].none(0.5)
        net.daemon.ctl('port', 'restart', 'up')
        net.daemon.wait_link('up')
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
        assert details(net)['restarts'] == 1


@pytest.mark.parametrize('reset', ['honour', 'notsup'])
def test_reset_by_the_pf(reset):
    """INTR_RESET: the device is reset, or else restarted, and gets everything again."""
    pf = dict(IXGBEVF, reset=reset, revival='reset' if reset == 'honour' else 'start')
    with FakeVf('up', **pf) as vf, net_of(vf, up={'vlans': [30]}) as net:
        net.learn()
        talk(net, 'a', igmp(net, 'a', 0x16))
        wait_until('the group is listed', lambda: GROUP_MAC in vf.filter()['mcs'])
        before = vf.filter()
        for n in range(1, 4):
            vf.event('reset')
            wait_until('restarted', lambda n=n: details(net)['restarts'] == n)
            net.daemon.wait_link('up')
            wait_until('the filter is as before', lambda: vf.filter() == before)
            net.learn()
            vf.wait_filter(macs=macs(net, 'ab'))
            assert from_wire(net, net.macs['a']) == {'a'}
            assert got(net, 'up', net.frame('up', BROADCAST, **tagged(30))) == {'a', 'b'}


def test_reset_that_fails():
    """A PF that is not back yet: the driver closes the device half, says nothing more of it, and
    is asked for another reset until that is granted. Meanwhile it is left alone."""
    with FakeVf('up', **dict(IXGBEVF, revival='reset')) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        vf.event('reset', reset='reject')
        net.daemon.wait_link('up', up=False)
        assert re.search(r"can't reset the device", net.daemon.port('up')['reason'])
        tries = len(vf.calls('reset ='))
        wait_until('it is tried again', lambda: len(vf.calls('reset =')) > tries + 1)
        assert not vf.calls('info_get ='), 'a device that is closed half is asked'
        assert details(net)['restarts'] == 0
        assert reaches(net, 'a', 'b')
        vf.change(reset='honour')
        net.daemon.wait_link('up')
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
        assert details(net)['restarts'] == 1


def test_reset_that_takes_long():
    """A driver that waits for its PF in vain, as iavf does for 10 s: it is left alone for the most
    part, so that the control thread has time for others; a word of the PF's changes that."""
    with FakeVf('up', **dict(IXGBEVF, revival='reset')) as vf, net_of(vf) as net:
        net.learn()
        vf.event('reset', reset='reject', reset_ms=1500)
        wait_until('it was tried', lambda: len(vf.calls('reset =')) == 1, 20.0)
        longest, end = 0, time.monotonic() + 8
        while time.monotonic() < end:
            start = time.monotonic()
            net.daemon.ctl('status')
            longest = max(longest, time.monotonic() - start)
            time.sleep(0.1)
        tries = len(vf.calls('reset ='))
        assert tries == 1, f'{tries} tries, and an answer took {longest:.1f} s'
        vf.event('reset', reset='honour', reset_ms=0)
        net.daemon.wait_link('up', timeout=15.0)
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}


def test_restart_that_fails():
    """The driver refuses to start: the port says why, and it is tried again."""
    with FakeVf('up', **IXGBEVF) as vf, net_of(vf) as net:
        net.learn()
        vf.event('reset', start='reject')
        net.daemon.wait_link('up', up=False)
        assert re.search(r'start the device', net.daemon.port('up')['reason'])
        assert re.search(r'port up: .*start', net.daemon.ctl_fail('port', 'restart', 'up'))
        assert reaches(net, 'a', 'b')
        vf.change(start='honour')
        net.daemon.wait_link('up')
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}


def set_mtu(net, mtu):
    """Asks for another MTU of the uplink, by a new configuration; the CompletedProcess."""
    config = net.daemon.config
    config['ports'] = [dict(p, mtu=mtu) if p['name'] == 'up' else p for p in config['ports']]
    net.daemon.write(config)
    return net.daemon.ctl_run('config', 'apply', net.daemon.config_file)


@pytest.mark.parametrize('refusal', [errno.EBUSY, errno.EPERM], ids=['iavf', 'bnxt'])
def test_mtu_of_a_stopped_device(refusal):
    """Drivers that take another MTU only while they are stopped: they are, and all is set again."""
    with FakeVf('up', **dict(IAVF, revival='nothing'), mtu_errno=refusal) as vf, \
            net_of(vf, up={'mtu': 1400}) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        for n, mtu in enumerate((1300, 1500), 1):
            done = set_mtu(net, mtu)
            assert done.returncode == 0, done.stderr
            assert vf.calls('set_mtu')[-1] == f'set_mtu {mtu} = 0'
            shown = net.daemon.port('up')
            assert (shown['mtu'], shown['link']) == (mtu, 'up')
            assert shown['details']['restarts'] == n
            net.learn()
            vf.wait_filter(macs=macs(net, 'ab'))
            longest = net.frame('a', 'up', size=mtu + 14)
            assert got(net, 'a', longest) == {'up'}
            assert from_wire(net, net.macs['a']) == {'a'}


def test_mtu_of_a_device_that_does_not_start():
    """It has its old MTU when it starts again, and so has the port."""
    with FakeVf('up', **dict(IAVF, revival='nothing'), mtu_errno=errno.EBUSY) as vf, \
            net_of(vf, up={'mtu': 1400}) as net:
        net.learn()
        vf.change(start='reject')
        done = set_mtu(net, 1300)
        assert done.returncode == 1 and re.search(r"can't start the device", done.stderr), done
        assert net.daemon.port('up')['mtu'] == 1400
        assert reaches(net, 'a', 'b')
        vf.change(start='honour')
        net.daemon.wait_link('up')
        assert vf.calls('set_mtu')[-1] == 'set_mtu 1400 = 0'
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}


def test_numa_node():
    """A device on another NUMA node than its worker's: said, and its frames pass all the same."""
    with FakeVf('up', **dict(IAVF, node=7)) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
        assert re.search(r'WARN +port up: its device is on NUMA node 7, but its queue 0 is polled '
                         r'by CPU \d+ on node 0', net.daemon.log())
        assert details(net)['node'] == 7


# --- removal

@pytest.mark.parametrize('event', ['rmv', 'remove'])
def test_removed_and_returned(event):
    """The host takes the VF away: it is let go, the rest goes on; it comes back: as it was."""
    up = {'vlans': [30], 'mtu': 1400}
    with FakeVf('up', **IXGBEVF, rmv=1) as vf, net_of(vf, up=up) as net:
        net.learn()
        talk(net, 'a', igmp(net, 'a', 0x16))
        wait_until('the group is listed', lambda: GROUP_MAC in vf.filter()['mcs'])
        before = vf.filter()
        vf.event(event, present=0)
        wait_until('it is closed', lambda: vf.calls('close'))
        net.daemon.wait_link('up', up=False)
        assert re.search(r'taken away', net.daemon.port('up')['reason'])
        assert details(net)['device_is_there'] is False
        assert reaches(net, 'a', 'b')
        dropped = net.counts('up')['drops']['tx-down']
        net['a'].send(net.frame('a', 'up'))
        net.wait_drops('up', 'tx-down', dropped + 1)
        assert net.daemon.ctl_fail('port', 'restart', 'up')
        vf.change(present=1)
        net.daemon.wait_link('up', timeout=30.0)
        assert net.daemon.port('up')['reason'] == ''
        wait_until('the filter is as before', lambda: vf.filter() == before)
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
        shown = net.daemon.port('up')
        assert shown['mtu'] == 1400 and shown['details']['returns'] == 1


def test_deleted_while_away():
    """A port whose device is away is deleted, and added again when it is back."""
    with FakeVf('up', **IXGBEVF, rmv=1) as vf, net_of(vf) as net:
        net.learn()
        vf.event('rmv', present=0)
        net.daemon.wait_link('up', up=False)
        net.del_port('up')
        said = net.daemon.ctl_fail('port', 'add', 'up', 'type=ethdev',
                                   'devargs=net_af_packet0,iface=up')
        assert re.search(r'port up: there is no device net_af_packet0', said), said
        vf.change(present=1)
        net.add_port('up', 'ethdev')
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}


def test_restart_brings_it_back():
    """port restart attaches a device that is back without waiting."""
    with FakeVf('up', **IXGBEVF, rmv=1) as vf, net_of(vf) as net:
        net.learn()
        vf.event('rmv', present=0)
        net.daemon.wait_link('up', up=False)
        vf.change(present=1)
        net.daemon.ctl('port', 'restart', 'up')
        net.daemon.wait_link('up')
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}


class Load(threading.Thread):
    """Traffic of all ways, as fast as it goes, until stop()."""

    def __init__(self, net):
        super().__init__()
        self.net = net
        self.over = threading.Event()
        self.error = None

    def run(self):
        """Guest to guest, guest to wire and back, and broadcasts."""
        net = self.net
        try:
            while not self.over.is_set():
                for src, dst in (('a', 'b'), ('a', 'up'), ('b', 'up'), ('up', 'a'), ('up', 'b')):
                    net[src].send_many([net.frame(src, dst, size=200) for _ in range(16)])
                net['a'].send(net.frame('a'))
                for name in ('a', 'b', 'up'):
                    net[name].take()
        except BaseException as e:  # pylint: disable=broad-except
            self.error = e

    def stop(self):
        """Ends it; fails if it could not send."""
        self.over.set()
        self.join()
        if self.error:
            raise self.error


@pytest.mark.parametrize('times', choose([6, 50], 6))
def test_away_again_and_again_under_load(times):
    """Removed and returned, up to 50 times, while all talk: nothing leaks, traffic resumes."""
    with FakeVf('up', **IXGBEVF, rmv=1) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))

        def free():
            return [w['mbufs_free'] for w in net.daemon.ctl('worker', 'list')['workers']]
        before = free()
        without = []
        for n in range(times):
            load = Load(net)
            load.start()
            start = time.monotonic()
            vf.event(('rmv', 'remove')[n % 2], present=0)
            net.daemon.wait_link('up', up=False)
            vf.change(present=1)
            net.daemon.ctl('port', 'restart', 'up')
            rx = net.counts('up')
            wait_until('traffic to and from the wire', lambda rx=rx: all(
                net.counts('up')[key] > rx[key] for key in ('rx_frames', 'tx_frames')), 15.0)
            without.append(time.monotonic() - start)
            load.stop()
            # once more where it was attached again before the restart, which makes it anew
            assert len(vf.calls('close')) > n
        for name in net.stations:
            net[name].recv(10 ** 6, 0.5)
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        assert from_wire(net, net.macs['a']) == {'a'}
        wait_until('all mbufs are back', lambda: free() == before, 10.0, 0.2)
        status = net.daemon.ctl('status')
        assert status['retired_pools'] == 0, status
        assert 'not ready port' not in net.daemon.log()
        without.sort()
        print(f'without traffic: median {without[times // 2] * 1e3:.0f} ms, most '
              f'{without[-1] * 1e3:.0f} ms, of {times} times')


# --- what comes back

def test_reflected():
    """Some VFs get their own broadcasts back: nobody's station moves, nobody hears them twice."""
    with FakeVf('up', **IXGBEVF, reflect=1) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        before = net.counts('up')['drops']['rx-reflected']
        frames = [net.frame('a') for _ in range(100)]
        net['a'].send_many(frames)
        assert net['b'].recv(100) == frames and net['up'].recv(100) == frames
        net.wait_drops('up', 'rx-reflected', before + 100)
        assert net['a'].none() and net['b'].none() and net['up'].none()
        assert net.fdb()[0, net.macs['a']] == 'a'
        assert from_wire(net, net.macs['a']) == {'a'}
        assert vf.filter()['macs'] == macs(net, 'ab')


def test_guest_moves_to_the_wire():
    """A guest that migrates is heard on the wire, once its old port is down: that is no echo."""
    with FakeVf('up', **IXGBEVF, reflect=1) as vf, net_of(vf) as net:
        net.learn()
        vf.wait_filter(macs=macs(net, 'ab'))
        net['a'].send(net.frame('a'))
        net['b'].recv(1)
        net['up'].recv(1)
        net.disconnect('a')
        net.daemon.wait_link('a', up=False)
        moved = build(BROADCAST, net.macs['a'], next(net.numbers))
        net['up'].send(moved)
        assert net['b'].recv(1) == [moved]
        assert net.fdb()[0, net.macs['a']] == 'up'
        vf.wait_filter(macs=macs(net, 'b'))


def test_spoofcheck():
    """A PF that drops what has a foreign source: nothing that the switch sees goes wrong."""
    with FakeVf('up', **IXGBEVF, spoofcheck=1) as vf, net_of(vf) as net:
        frame = net.frame('a', 'up')
        net['a'].send(frame)
        assert net['up'].none(0.5)
        own = build(BROADCAST, vf.mac, next(net.numbers))
        net['a'].send(own)
        assert net['up'].recv(1) == [own]
        assert net.counts('up')['tx_frames'] >= 2
