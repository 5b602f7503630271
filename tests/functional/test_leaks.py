# SPDX-License-Identifier: BSD-3-Clause
"""test_leaks.py: after 100 times a port added and deleted, and 50 guests come and gone, the daemon
has what it had: file descriptors, mbufs, hugepages, mappings, memory."""

import os
import re
from collections import Counter

import pytest

from daemon import build_dir, wait_until
from net import Net, port_conf

pytestmark = pytest.mark.quick

RSS_GROWTH_MAX = 8 << 20  # bytes: what allocators may keep


def sanitized():
    """Whether the build's allocator is a sanitizer's, which keeps freed memory for a while."""
    with open(os.path.join(build_dir(), 'vswitchd'), 'rb') as f:
        return b'__asan_init' in f.read()


def free_hugepages():
    """Free 2M pages."""
    with open('/proc/meminfo', encoding='ascii') as f:
        return int(re.search(r'HugePages_Free:\s*(\d+)', f.read())[1])


def fds(pid):
    """What the open descriptors of a process are, sorted."""
    found = []
    for fd in os.listdir(f'/proc/{pid}/fd'):
        try:
            found.append(re.sub(r'\d+', 'N', os.readlink(f'/proc/{pid}/fd/{fd}')))
        except FileNotFoundError:
            pass
    return sorted(found)


def hugetlb(pid):
    """Bytes of hugepages that a process has mapped."""
    with open(f'/proc/{pid}/smaps_rollup', encoding='ascii') as f:
        return sum(int(n) for n in re.findall(r'_Hugetlb:\s*(\d+) kB', f.read())) << 10


def rss(pid):
    """Resident bytes of its own: neither guests' memory nor the packet memory, which is there from
    the start but resident once touched."""
    with open(f'/proc/{pid}/status', encoding='ascii') as f:
        return int(re.search(r'RssAnon:\s*(\d+) kB', f.read())[1]) << 10


def shared_maps(pid):
    """How often a process has a shared file mapped: guests' memory is."""
    with open(f'/proc/{pid}/maps', encoding='ascii') as f:
        return sum(1 for line in f if line.split()[1].endswith('s'))


class Owned:
    """What the daemon has at a moment."""

    def __init__(self, net):
        self.net = net
        self.now = self.settled()
        self.rss = rss(net.daemon.pid)

    def settled(self):
        """What it has once nothing is on its way any more."""
        seen = [self.look()]

        def same():
            seen.append(self.look())
            return all(s == seen[-1] for s in seen[-5:-1]) and len(seen) > 4
        wait_until('the daemon is at rest', same, 10.0, 0.2)
        return seen[-1]

    def look(self):
        """All that must be equal later."""
        pid = self.net.daemon.pid
        workers = self.net.daemon.ctl('worker', 'list')['workers']
        return {'fds': fds(pid), 'mbufs': [w['mbufs_free'] for w in workers],
                'hugepages': hugetlb(pid), 'maps': shared_maps(pid),
                'threads': len(os.listdir(f'/proc/{pid}/task')),
                'ports': self.net.daemon.ctl('status')['ports'],
                'stations': self.net.daemon.ctl('status')['stations']}

    def check(self):
        """Fails unless it is all the same now."""
        try:
            wait_until('what the daemon owns is as before', lambda: self.look() == self.now, 10.0,
                       0.2)
        except AssertionError as e:
            now = self.look()
            wrong = {k: (self.now[k], now[k]) for k in now if now[k] != self.now[k]}
            if 'fds' in wrong:
                before, after = (Counter(fds) for fds in wrong['fds'])
                wrong['fds'] = (before - after, after - before)
            raise AssertionError(f'{e}: before, after: {wrong}') from None
        grown = rss(self.net.daemon.pid) - self.rss
        if not sanitized():
            assert grown < RSS_GROWTH_MAX, f'the daemon has grown by {grown >> 10} KiB'


@pytest.fixture(scope='module', name='net')
def fixture_net():
    """A daemon, with hugepages where there are enough, and traffic on it."""
    huge = free_hugepages() >= 64
    with Net({'a': 'server', 'b': 'library', 't': 'tap'},
             switch={'hugepages': huge, 'memory': '64M'}) as net:
        net.learn()
        yield net


def test_100_ports(net):
    """Ports of all kinds, added and deleted."""
    def cycle(n):
        kind = ('server', 'client', 'library', 'tap')[n % 4]
        net.daemon.add(port_conf('x', kind))
        net.daemon.ctl('port', 'del', 'x')
    for n in range(8):
        cycle(n)
    net.daemon.ctl('fdb', 'flush')
    net.learn()
    owned = Owned(net)
    for n in range(100):
        cycle(n)
        if n % 20 == 0:
            net['a'].send_many([net.frame('a', 'b', n) for _ in range(64)])
            assert len(net['b'].recv(64)) == 64
    owned.check()


# the switch as a client looks once a second whether there is a guest
@pytest.mark.parametrize('kind,times', [('server', 50), ('library', 50), ('client', 3),
                                        pytest.param('client', 12, marks=pytest.mark.long)])
def test_50_guests(net, kind, times):
    """Guests that connect, talk and go."""
    net.kinds['g'] = kind
    net.daemon.add(port_conf('g', kind))
    try:
        def cycle():
            net.connect('g')
            net.daemon.wait_link('g')
            net['g'].send(net.frame('g', 'a'))
            assert len(net['a'].recv(1)) == 1
            net['a'].send_many([net.frame('a', 'g', n, 1514) for n in range(32)])
            assert len(net['g'].recv(32)) == 32
            net.disconnect('g')
            net.daemon.wait_link('g', up=False)
        for _ in range(3):
            cycle()
        owned = Owned(net)
        for _ in range(times):
            cycle()
        owned.check()
    finally:
        if 'g' in net.stations:
            net.disconnect('g')
        net.daemon.ctl('port', 'del', 'g')
        del net.kinds['g']
        for name in net.stations:
            net[name].recv(10 ** 6, 0.1)


def test_traffic(net):
    """Traffic of all ways: no mbuf stays away. Also with a receiver that takes nothing."""
    net.learn()
    owned = Owned(net)
    for src in net.stations:
        for dst in net.others(src):
            frames = [net.frame(src, dst, n, 60 + n) for n in range(1000)]
            got = net.exchange(src, dst, frames)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')
    for dst in 'ab':
        for src in net.others(dst):
            net[src].send_many([net.frame(src, dst, n, 1514) for n in range(5000)])
    net['t'].send_many([net.frame('t', size=1500) for _ in range(500)])
    for name in net.stations:
        net[name].recv(10 ** 6, 1.0)
    owned.check()
