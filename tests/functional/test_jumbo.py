# SPDX-License-Identifier: BSD-3-Clause
"""test_jumbo.py: frames of 9000 bytes from host to host, over two switches and the wire between
them, with the kernel's IP stacks at both ends.

    host a -- TAP t -- switch a -- uplink up -- vhost-user port v -- switch b -- TAP t -- host b

The wire is virtio: the uplink is DPDK's net_virtio_user, so that the other switch takes it for a
guest. How long frames may be from port to port is in test_mtu.py."""

import contextlib
import errno
import os
import re
import socket
import subprocess

import pytest

from daemon import Daemon, free_hugepages
from fakevf import FakeVf
from frames import build
from hosts import Host, transfer
from marks import choose
from net import Net, port_conf
from offload_frames import data, ether, gso, ip4, ip6, tcp
from offload_model import finished, is_right, outer_transport, partial
from rawguest import GSO_TCPV4, GSO_TCPV6, GUEST_ALL, HOST_ALL, NEEDS_CSUM, Record
from tap import RecordTap

MTU = 9000
LONGEST = MTU + 14  # a whole frame
ADDRESSES = {'a': ('10.77.0.1', 'fd77::1'), 'b': ('10.77.0.2', 'fd77::2')}
IP_HEADER = 20, 40
IP_MTU_DISCOVER, IP_PMTUDISC_DO, UDP_SEGMENT = 10, 2, 103  # linux/in.h, linux/udp.h


class Site:
    """A host and its switch; a context."""

    def __init__(self, name, ports, switch=None):
        self.addresses = ADDRESSES[name]
        self.conf = {'switch': switch or {}, 'ports': ports}
        self.stack = contextlib.ExitStack()
        self.host = self.daemon = None

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.host = stack.enter_context(Host())
            self.daemon = stack.enter_context(self.host.run(Daemon, self.conf))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *what):
        return self.stack.__exit__(*what)

    def pings(self, other, size, version=0):
        """How many of three echoes of that IP length (version: 0 for IPv4, 1 for IPv6), which may
        not be divided, the other answers."""
        payload = size - IP_HEADER[version] - 8
        words = ['ping', '-n', '-q', '-M', 'do', '-c', '3', '-i', '0.05', '-W', '2', '-s',
                 str(payload), other.addresses[version]]
        done = self.host.run(subprocess.run, words, capture_output=True, text=True, check=False)
        return int(re.search(r'(\d+) received', done.stdout).group(1))

    def drops(self):
        """Port and reason -> how many frames of both ports, but for those that kernels send by
        themselves before the wire is there."""
        found = self.daemon.ctl('stats')['ports']
        return {(p['name'], reason): n for p in found for reason, n in p['drops'].items()
                if n and reason not in ('rx-no-port', 'tx-down')}


@contextlib.contextmanager
def sites(conf=None, devargs='', switch=None):
    """Both sites. conf: port and site, as 'up of a', -> further keys; devargs: of the uplink;
    switch: keys of the switch that has it."""
    def port(name, **keys):
        return {'name': name.split()[0], 'mtu': MTU, **keys, **(conf or {}).get(name, {})}

    def tap(site):
        ip4, ip6 = ADDRESSES[site]
        # by default, one of the same name on the same machine has the same MAC
        return port(f't of {site}', type='tap', mac=f'02:00:00:00:00:0{site}',
                    address=[f'{ip4}/24', f'{ip6}/64'])
    with Site('b', [tap('b'), port('v of b', type='vhost-user', socket='v.sock')]) as b:
        wire = f'net_virtio_user0,path={b.daemon.path("v.sock")}{devargs}'
        uplink = port('up of a', type='ethdev', devargs=wire)
        with Site('a', [tap('a'), uplink], switch) as a:
            a.daemon.wait_link('t', 'up')
            b.daemon.wait_link('t', 'v')
            yield a, b


@contextlib.contextmanager
def heard(site):
    """The frames of TCP and UDP that its host gets from the switch meanwhile: (record, frame)."""
    tap = site.host.run(RecordTap, 't', alone=False)
    tap.everything = True
    found = []
    try:
        yield found
        found += [(Record(*record), frame) for record, frame in tap.take_records()
                  if outer_transport(frame)]
        assert not tap.kernel_drops(), 'the kernel had no room for some'
    finally:
        tap.close()


def has_sum(record, frame):
    """Whether the checksum is right, or what is left to be put in is."""
    if not record.flags & NEEDS_CSUM:
        return is_right(frame)
    wanted, as_left = partial(frame)
    return (record.csum_start, record.csum_offset) == wanted[4:] and frame == as_left


def check_frames(found, is_whole):
    """All of the heard frames have their sums; they are whole, and the longest ones are as long as
    they may be; or there are some that are still to be divided."""
    wrong = [(record, frame[:80].hex()) for record, frame in found if not has_sum(record, frame)]
    assert not wrong, f'{len(wrong)} of {len(found)} have a wrong sum: {wrong[:3]}'
    longest = max(len(frame) for _, frame in found)
    assert longest == LONGEST if is_whole else longest > 2 * LONGEST, longest


def check_tcp(src, dst, version, is_whole):
    """A transfer of random bytes."""
    with heard(dst) as found:
        transfer(src.host, dst.host, dst.addresses[version], os.urandom(4 << 20))
    check_frames(found, is_whole)


def check_udp(src, dst, version, at_once):
    """Datagrams as long as may be, one by one, or several in one call, which leaves the division to
    whoever does it."""
    size = MTU - IP_HEADER[version] - 8
    family = socket.AF_INET6 if version else socket.AF_INET
    with contextlib.ExitStack() as stack:
        sender, receiver = (stack.enter_context(site.host.run(socket.socket, family,
                                                              socket.SOCK_DGRAM))
                            for site in (src, dst))
        receiver.bind((dst.addresses[version], 0))
        receiver.settimeout(5)
        if not version:
            sender.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        if at_once > 1:
            sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
        found = stack.enter_context(heard(dst))
        for _ in range(40):
            data = os.urandom(at_once * size)
            sender.sendto(data, receiver.getsockname()[:2])
            got = [receiver.recv(65536) for _ in range(at_once)]
            assert b''.join(got) == data and len(got[0]) == size
    check_frames(found, True)


NO_SUMS = {'offloads': {'checksum': False}}
NO_SEGMENTS = {'offloads': {'tso': False, 'uso': False}}
CASES = {  # further keys of ports, and what the uplink is asked for beside
    'default': ({}, ''),
    'packed': ({}, ',packed_vq=1'),
    'hosts do all': ({'t of a': NO_SUMS, 't of b': NO_SUMS}, ''),
    'hosts divide': ({'t of a': NO_SEGMENTS, 't of b': NO_SEGMENTS}, ''),
    'a does all': ({'up of a': NO_SUMS}, ''),
    'b does all': ({'v of b': NO_SUMS}, ''),
    'the last one does all': ({'t of b': NO_SUMS}, ''),
}


@pytest.mark.parametrize('case', choose(CASES, 'default', 'hosts do all', 'a does all'))
def test_hosts(case):
    """Echoes, TCP and UDP both ways over IPv4 and IPv6, whoever of the chain makes the checksums
    and divides the segments."""
    conf, devargs = CASES[case]
    with sites(conf, devargs) as (a, b):
        for src, dst in ((a, b), (b, a)):
            for version in (0, 1):
                assert src.pings(dst, MTU, version) == 3
                assert src.pings(dst, MTU + 1, version) == 0
                check_tcp(src, dst, version, is_whole=bool(conf))
                for at_once in (1, 7):
                    check_udp(src, dst, version, at_once)
        for site in (a, b):
            for protocol in ('Tcp', 'Udp'):
                assert site.host.counter(protocol, 'InCsumErrors') == 0
            assert {reason for _, reason in site.drops()} <= {'tx-no-room'}


def test_hugepages():
    """Memory of hugepages, which the uplink shares with the other switch, is few files."""
    if free_hugepages() < 256 << 20:
        pytest.skip('fewer than 128 free hugepages of 2M')
    with sites(switch={'hugepages': True, 'memory': '256M'}) as (a, b):
        for src, dst in ((a, b), (b, a)):
            assert src.pings(dst, MTU) == 3
            check_tcp(src, dst, version=0, is_whole=False)


SHORTER = {  # port of the chain with an MTU of 1500: where longer frames from a, and from b, end
    't of a': (None, ('a', 't', 'tx-oversize')),
    'up of a': (('a', 'up', 'tx-oversize'), ('a', 'up', 'rx-oversize')),
    'v of b': (('b', 'v', 'rx-oversize'), ('b', 'v', 'tx-oversize')),
    't of b': (('b', 't', 'tx-oversize'), None),
}


@pytest.mark.parametrize('port', SHORTER)
def test_shorter_mtu(port):
    """Where one port of the chain has a shorter MTU, what is longer ends there and counts, there
    only; what is not passes before and after."""
    with sites({port: {'mtu': 1500}}) as (a, b):
        for src, dst, end in zip((a, b), (b, a), SHORTER[port]):
            assert src.pings(dst, 1500) == 3
            before = [site.drops() for site in (a, b)]
            assert src.pings(dst, 1501) == 0
            assert src.pings(dst, MTU) == 0
            after = [site.drops() for site in (a, b)]
            if end:  # the host knows of no shorter MTU but that of its own TAP
                before['ab'.index(end[0])][end[1:]] = 6
            assert after == before
            assert src.pings(dst, 1500) == 3


@pytest.mark.parametrize('case', choose(CASES, 'default', 'a does all'))
def test_at_run_time(case):
    """All ports get a longer MTU while they run, and a shorter one."""
    conf, devargs = CASES[case]
    conf = {name: {**conf.get(name, {}), 'mtu': 1500} for name in SHORTER}
    with sites(conf, devargs) as (a, b):
        for mtu in (1500, MTU, 1500):
            for port in SHORTER:
                name, _, site = port.split()
                {'a': a, 'b': b}[site].daemon.ctl('port', 'set', name, f'mtu={mtu}')
            for src, dst in ((a, b), (b, a)):
                assert src.pings(dst, mtu) == 3
                assert src.pings(dst, mtu + 1) == 0


def refused(*words, devargs=''):
    """The sentence with which an uplink is refused, whose other end takes any MTU."""
    with Daemon({'ports': [{'name': 'v', 'type': 'vhost-user', 'socket': 'v.sock',
                            'mtu': 65535}]}) as far, Daemon() as d:
        said = d.ctl_fail('port', 'add', 'up', 'type=ethdev',
                          f'devargs=net_virtio_user0,path={far.path("v.sock")}{devargs}', *words)
        assert d.ctl('port', 'list')['ports'] == []
        return said


def test_longer_than_the_device():
    """More than the driver takes is refused with what it takes; so are frames of several buffers
    where the device has no such (without mergeable receive buffers)."""
    assert re.search(r'port up: mtu: 9699 is more than the driver net_virtio_user of DPDK \S+ '
                     r'takes: 9698$', refused('mtu=9699'))
    for words in ((), ('offloads.checksum=false',)):
        assert refused('mtu=9000', *words, devargs=',mrg_rxbuf=0').endswith(
            "port up: mtu: 9000 makes frames of several buffers, which the driver "
            "net_virtio_user can't receive here: set an mtu of at most 2016")
    with sites({name: {'mtu': 2016} for name in SHORTER}, ',mrg_rxbuf=0') as (a, b):
        for src, dst in ((a, b), (b, a)):
            assert src.pings(dst, 2016) == 3
            transfer(src.host, dst.host, dst.addresses[0], os.urandom(4 << 20))
        said = a.daemon.ctl_fail('port', 'set', 'up', 'mtu=2017')
        assert 'set an mtu of at most 2016' in said
        assert a.daemon.port('up')['mtu'] == 2016 and a.pings(b, 2016) == 3


def test_pf_refuses():
    """A PF that does not let its VF have the MTU: it is said what to do, and the port goes on."""
    with FakeVf('up', driver='net_ixgbe_vf', mtu_errno=errno.EINVAL) as vf, \
            Net({'a': 'server', 'up': 'ethdev'}, daemon=vf.daemon) as net:
        net.learn()
        assert net.daemon.ctl_fail('port', 'set', 'up', 'mtu=1400').endswith(
            "port up: mtu: the driver net_ixgbe_vf can't set 1400: Invalid argument: set a smaller "
            "one, or give the PF this one first")
        assert net.daemon.port('up')['mtu'] == 1500
        net.learn()


# --- guests

GUESTS = {  # kind of port and options of the guest, see net.py
    'split': ('raw', {'features': HOST_ALL | GUEST_ALL, 'size': 512}),
    'packed': ('raw', {'features': HOST_ALL | GUEST_ALL, 'size': 512, 'packed': True}),
    'takes nothing': ('raw', {'features': HOST_ALL, 'size': 512, 'layout': 'chain'}),
    'library': ('library', {}),
}
MACS = '02:00:00:00:00:0a', '02:00:00:00:00:0b'


def check_whole(src, dst, macs):
    """Whole frames of all lengths, with tags, of which the second one counts."""
    frames = []
    for size in (*range(60, LONGEST, 199), LONGEST - 1, LONGEST):
        for tags in ((), ((0x8100, 7),), ((0x88a8, 7), (0x8100, 8))):
            frames.append(build(*macs, len(frames), min(size, LONGEST + 4 - 4 * len(tags)),
                                tags=tags))
    while frames:
        part, frames = frames[:24], frames[24:]  # no ring is too short for so many
        src.send_many(part)
        got = [frame for _, frame in dst.recv_queues(len(part))]
        assert got == part, f'{len(got)} of {len(part)}, or others'


def check_divided(src, dst, macs):
    """Frames that are to be divided into segments as long as may be: right, whoever does it."""
    for ip, kind, headers in ((ip4, GSO_TCPV4, 40), (ip6, GSO_TCPV6, 60)):
        record, frame = gso(kind, MTU - headers)(ether(*reversed(macs)) / ip() / tcp() /
                                                 data(60000))
        src.send(frame, record)
        wanted, got = finished(record, frame), []
        while len(got) < len(wanted):
            came = dst.recv(1)
            assert came, f'{len(got)} segments came of {len(wanted)}'
            got += [f for pair in came for f in finished(*pair)]
        assert got == wanted


@pytest.mark.parametrize('guest', choose(GUESTS, 'split', 'packed', 'library'))
def test_guests(guest):
    """From a guest of one switch to one of the other and back: whole, and divided on the way."""
    kind, options = GUESTS[guest]

    def net():
        return Net({'g': kind}, conf={'g': {'mtu': MTU}}, guest={'g': options})
    with net() as far, net() as near:
        far.daemon.add(port_conf('v', 'server', {'mtu': MTU}))
        near.daemon.add({'name': 'up', 'type': 'ethdev', 'mtu': MTU,
                         'devargs': f'net_virtio_user0,path={far.daemon.path("v.sock")}'})
        near.daemon.wait_link('up')
        far.daemon.wait_link('v')
        for src, dst, macs in ((near, far, MACS), (far, near, MACS[::-1])):
            check_whole(src['g'], dst['g'], macs)
            if kind == 'raw':
                check_divided(src['g'], dst['g'], macs)
        for d, port in ((near.daemon, 'up'), (far.daemon, 'v')):
            assert d.counts('g')['drops'] == d.counts(port)['drops'] == {}
