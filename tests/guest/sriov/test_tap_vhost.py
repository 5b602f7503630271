# SPDX-License-Identifier: BSD-3-Clause
"""TAP ports with `backend: vhost-net`, in a guest, whose kernel has that: its own IP stack on one
side, a vhost-user station that takes no checksums and no segments of its peer on the other."""

import re
import time

import pytest
from scapy.all import ARP, ICMP, IP, Ether, raw

from daemon import wait_until
from frames import BROADCAST, build, parse
from inguest import GuestDaemon, GuestStations
from marks import choose
from tcpstation import TcpStation, check_sums
from uplink import MANY_S, VM1, VM2

HOST_MAC = '52:54:00:77:00:fe'
HOST = '10.77.0.254'
VM = '10.77.0.1'
TEXT = bytes(n * 7 + n // 251 & 0xff for n in range(400000))
MTU_MAX = 65521  # of a TAP, says the kernel
STATION_MTU_MAX = 9698  # says its driver


def inband(**keys):
    """The port."""
    return {'name': 'inband', 'type': 'tap', 'backend': 'vhost-net', 'ifname': 'vs-inband',
            'mac': HOST_MAC, 'address': [f'{HOST}/24'], **keys}


class Bench:
    """A switch in the guest with the port inband and the station vm1; a context."""

    def __init__(self, guest, mtu=1500, others=(), **keys):
        self.guest = guest
        self.mtu = mtu
        vm1 = {'name': 'vm1', 'type': 'vhost-user', 'socket': 'vm1.sock', 'mtu': mtu}
        workers = {'workers': [0, 1]} if keys.get('queues', 1) > 1 else {}
        self.d = GuestDaemon(guest, {'switch': workers,
                                     'ports': [inband(mtu=mtu, **keys), vm1, *others]}, start=False)
        self.stations = None

    def __enter__(self):
        try:
            self.d.start()
            self.stations = GuestStations(self.guest)
            self.vm1 = self.stations.virtio_user('vm1', self.d.path('vm1.sock'), mac=VM1,
                                                 mtu=min(self.mtu, STATION_MTU_MAX))
            self.d.wait_link('inband', 'vm1')
            self.vm1.recv(1 << 20, 0.5)
        except BaseException as e:
            self.__exit__(type(e), e, None)
            raise
        return self

    def __exit__(self, *what):
        if self.stations:
            self.stations.__exit__(*what)
        self.d.__exit__(*what)

    def show(self, key):
        """A detail of the port."""
        return self.d.port('inband')['details'][key]

    def know(self):
        """Each has the other's address."""
        self.guest.run(f'ip neigh replace {VM} lladdr {VM1} dev vs-inband')
        self.vm1.send(raw(Ether(dst=BROADCAST, src=VM1) /
                          ARP(op=1, hwsrc=VM1, psrc=VM, pdst=HOST)))
        assert ARP(self.answer(lambda f: ARP in f)[14:]).hwsrc == HOST_MAC

    def answer(self, matches, timeout=MANY_S):
        """The next frame of the host's that matches."""
        def look():
            return next((f for f in self.vm1.recv(1, 0.2) if matches(Ether(f))), None)
        return wait_until('an answer of the host', look, timeout, 0.01)

    def ping_host(self, size):
        """The host answers a ping of that many bytes with the same."""
        payload = TEXT[:size]
        self.vm1.send(raw(Ether(dst=HOST_MAC, src=VM1) / IP(src=VM, dst=HOST) /
                          ICMP(id=7, seq=3) / payload))
        reply = self.answer(lambda f: ICMP in f and f[ICMP].type == 0)
        assert bytes(Ether(reply)[ICMP].payload) == payload

    def pinged(self, size):
        """The host's own ping of that many bytes arrives in one frame, and its answer is taken."""
        out = '/tmp/ping'
        self.guest.run(f'ping -c 1 -W {MANY_S} -s {size} {VM} >{out} 2>&1 &')
        frame = self.answer(lambda f: ICMP in f and f[ICMP].type == 8)
        assert len(frame) == size + 42
        check_sums(frame)
        got = Ether(frame)
        self.vm1.send(raw(Ether(dst=HOST_MAC, src=VM1) / IP(src=VM, dst=HOST) /
                          ICMP(type=0, id=got[ICMP].id, seq=got[ICMP].seq) /
                          bytes(got[ICMP].payload)))
        wait_until('ping has its answer', lambda: ' 0% packet loss' in self.guest.read(out),
                   MANY_S, 0.1)


def gather(station, frames):
    """Those of the frames that come to the station, until all have."""
    wanted = set(frames)
    got = []
    end = time.monotonic() + MANY_S
    while len(got) < len(frames) and time.monotonic() < end:
        got += [f for f in station.recv(1, 0.5) if f in wanted]
    return got


def interface(guest, ifname='vs-inband'):
    """What `ip link show` says."""
    return guest.run(f'ip link show dev {ifname}')


def test_interface(vhost_guest):
    """Name, MAC, MTU, address, link and details; frames of the station and the host's own pings
    both ways; all is gone with the port."""
    with Bench(vhost_guest) as b:
        found = interface(vhost_guest)
        assert HOST_MAC in found and ' mtu 1500 ' in found and ',UP,LOWER_UP>' in found
        shown = b.d.port('inband')['details']
        assert (shown['backend'], shown['driver']) == ('vhost-net', 'net_virtio_user')
        assert shown['mac'] == HOST_MAC
        assert shown['interface'] == 'in the network namespace of vswitchd'
        assert shown['offloads_from_host'] == shown['offloads_to_host'] == 'checksum tso4 tso6'
        b.know()
        for size in (0, 1, 18, 100, 1471, 1472):
            b.ping_host(size)
            b.pinged(size)
        tap = b.stations.netdev('inband', 'vs-inband')
        for src, dst, send, receive in ((VM1, HOST_MAC, b.vm1, tap), (HOST_MAC, VM1, tap, b.vm1)):
            for _ in range(4):
                frames = [build(dst, src, n, 60 + n * 14,
                                tags=((), ((0x8100, 5),))[n % 2 and n < 100]) for n in range(104)]
                send.send_many(frames)
                got = gather(receive, frames)
                # the kernel lets tagged ones overtake others (GRO's list of untagged ones)
                for part in ([f for f in frames if f[12:14] == b'\x81\x00'],
                             [f for f in frames if f[12:14] != b'\x81\x00']):
                    assert [parse(f)[1] for f in got if f in part] == [parse(f)[1] for f in part]
                assert len(got) == len(frames)
        assert b.d.counts('inband')['drops'] == {}
        b.d.ctl('port', 'del', 'inband')
        assert vhost_guest.status('ip link show dev vs-inband')[0] != 0
        b.d.ctl('port', 'add', 'inband', 'type=tap', 'backend=net_tap', 'ifname=vs-inband')
        assert b.show('backend') == 'net_tap'


def test_tcp_to_the_station(vhost_guest):
    """The kernel hands over large segments. The station gets them cut to the MTU, each with its
    checksums, and all that was sent."""
    with Bench(vhost_guest) as b:
        b.know()
        vhost_guest.run(f'head -c {len(TEXT)} /dev/urandom >/tmp/sent')
        station = TcpStation(b.vm1, VM1, VM, HOST_MAC, HOST)
        vhost_guest.run(f'nc {VM} 5000 </tmp/sent >/dev/null 2>&1 &')
        before = b.d.counts('inband')
        got = station.serve(5000, len(TEXT), MANY_S)
        after = b.d.counts('inband')
        assert station.digest(got) == vhost_guest.run('sha256sum </tmp/sent').split()[0]
        assert max(station.sizes) == 1514
        n_frames = after['rx_frames'] - before['rx_frames']
        assert len(station.sizes) > 1.5 * n_frames, 'the kernel did not hand over large segments'
        assert b.d.counts('vm1')['drops'] == {}


@pytest.mark.long
def test_tcp_to_the_host(vhost_guest):
    """What the station sends by TCP is what the kernel's socket reads."""
    with Bench(vhost_guest) as b:
        b.know()
        vhost_guest.run('nc -l -p 5001 </dev/null >/tmp/got 2>/dev/null & sleep 0.5')
        station = TcpStation(b.vm1, VM1, VM, HOST_MAC, HOST)
        station.send(5001, TEXT, MANY_S)
        wait_until('all has come', lambda: vhost_guest.run('stat -c %s /tmp/got').strip() ==
                   str(len(TEXT)), MANY_S, 0.2)
        assert vhost_guest.run('sha256sum </tmp/got').split()[0] == station.digest(TEXT)


@pytest.mark.parametrize('backend', choose(('vhost-net', 'net_tap'), 'vhost-net'))
def test_tcp_between_taps(vhost_guest, backend):
    """Two TAPs in namespaces of their own, TCP from one kernel socket to another. Between two of
    vhost-net segments pass undivided; with net_tap they are divided on the way; with ethtool's
    switches in any position all arrives."""
    far = {'name': 'far', 'type': 'tap', 'backend': backend, 'ifname': 'vs-far'}
    far_side = 'ip netns exec far'
    with Bench(vhost_guest, others=[far]) as b:
        vhost_guest.run('ip netns add far; ip link set vs-far netns far; '
                        'ip -n far addr add 10.77.0.2/24 dev vs-far; ip -n far link set vs-far up')
        try:
            b.d.wait_link('far')
            assert b.d.port('far')['details']['interface'] == 'in another network namespace'
            vhost_guest.run('head -c 2000000 /dev/urandom >/tmp/sent')
            digest = vhost_guest.run('sha256sum </tmp/sent')
            for mode in ('', 'tso off', 'tx off', 'tx on', 'tso on'):
                if mode:
                    vhost_guest.status(f'ethtool -K vs-inband {mode}')
                    vhost_guest.status(f'{far_side} ethtool -K vs-far {mode}')
                for listener, sender, address in ((far_side, '', '10.77.0.2'),
                                                  ('', far_side, HOST)):
                    before = b.d.counts('inband')
                    # by -e: see guest.transfer()
                    vhost_guest.run(f'{listener} nc -l -p 5002 -e sh -c "cat >/tmp/got" & '
                                    f'sleep 0.5; {sender} nc {address} 5002 -e cat /tmp/sent; wait',
                                    4 * MANY_S)
                    assert vhost_guest.run('sha256sum </tmp/got') == digest, (mode, address)
                    after = b.d.counts('inband')
                    if not mode and address != HOST:
                        frames, octets = (after[k] - before[k] for k in ('rx_frames', 'rx_bytes'))
                        assert octets > 3000 * frames
                    if not mode and address == HOST and backend == 'vhost-net':
                        frames, octets = (after[k] - before[k] for k in ('tx_frames', 'tx_bytes'))
                        assert octets > 3000 * frames
        finally:
            vhost_guest.run('ip netns del far')


@pytest.mark.parametrize('mtu', choose((9000, MTU_MAX), MTU_MAX))
def test_jumbo(vhost_guest, mtu):
    """Long frames both ways."""
    with Bench(vhost_guest, mtu=mtu) as b:
        assert f' mtu {mtu} ' in interface(vhost_guest)
        b.know()
        for size in (1473, 4000, 8972):
            b.ping_host(size)
            b.pinged(size)
        if mtu == 9000:
            said = b.d.ctl_fail('port', 'add', 't', 'type=tap', 'backend=vhost-net', 'mtu=65522')
            assert said.startswith('vswitchctl: port t: mtu: the kernel refuses 65522 on t: ')
            assert vhost_guest.status('ip link show dev t')[0] != 0


@pytest.mark.long
def test_mtu_live(vhost_guest):
    """An MTU that is changed is the interface's at once."""
    with Bench(vhost_guest) as b:
        b.know()
        for mtu in (9000, 576):
            for port in b.d.config['ports']:
                port['mtu'] = mtu
            b.d.write(b.d.config)
            b.d.ctl('config', 'apply', b.d.config_file)
            assert f' mtu {mtu} ' in interface(vhost_guest)
            b.ping_host(mtu - 28 if mtu < 1500 else 1472)


def test_offloads_live(vhost_guest):
    """What the port may use no more, the kernel is not offered, and does itself from then on."""
    with Bench(vhost_guest) as b:
        b.know()

        def offered():
            found = vhost_guest.run('ethtool -k vs-inband')
            return tuple(f'{name}: on' in found for name in
                         ('tx-checksumming', 'tx-tcp-segmentation', 'tx-tcp6-segmentation'))
        assert offered() == (True, True, True)
        for word, text, expected in (
                ('tso=false', 'checksum', (True, False, False)),
                ('checksum=false', 'none', (False, False, False)),
                ('checksum=true', 'checksum tso4 tso6', (True, True, True))):
            b.d.ctl('port', 'set', 'inband', f'offloads.{word}')
            assert b.show('offloads_from_host') == b.show('offloads_to_host') == text
            assert offered() == expected
            b.ping_host(1000)


def test_queues(vhost_guest):
    """Two queues with two workers: the kernel spreads its flows over both, each in order; and what
    comes from the station reaches it by both."""
    with Bench(vhost_guest, queues=2) as b:
        shown = b.d.port('inband')['details']
        assert (shown['rx_queues'], shown['tx_queues']) == (2, 2)
        b.know()
        numbers = range(101, 133)
        vhost_guest.run(f'for n in $(seq {numbers[0]} {numbers[-1]}); do '
                        f'ip neigh replace 10.77.0.$n lladdr {VM1} dev vs-inband; '
                        'ping -q -c 3 -i 0.2 -W 1 10.77.0.$n >/dev/null & done; wait', 120)
        flows = {f'10.77.0.{n}': [] for n in numbers}
        for frame in b.vm1.recv(3 * len(flows), MANY_S):
            found = Ether(frame)
            if ICMP in found:
                check_sums(frame)
                flows[found[IP].dst].append(found[ICMP].seq)
        assert all(seen == [0, 1, 2] for seen in flows.values()), flows
        assert all(w['frames'] > 0 for w in b.d.ctl('worker', 'list')['workers'])
        for size in (0, 100, 1472):
            b.ping_host(size)


@pytest.mark.long
def test_link_follows_the_host(vhost_guest):
    """Set down and up, renamed, moved and deleted: the port knows."""
    with Bench(vhost_guest) as b:
        vhost_guest.run('ip link set dev vs-inband down')
        b.d.wait_link('inband', up=False)
        assert 'is down on the host' in b.d.port('inband')['reason']
        vhost_guest.run('ip link set dev vs-inband name other; ip link set dev other up')
        b.d.wait_link('inband')
        assert b.show('ifname') == 'other'
        vhost_guest.run('ip link del dev other')
        b.d.wait_link('inband', up=False)
        assert 'was deleted on the host' in b.d.port('inband')['reason']


@pytest.mark.long
def test_deleted_under_load(vhost_guest):
    """The host deletes the interface while frames go both ways: the port is down, the switch runs,
    and the port can be made again."""
    with Bench(vhost_guest) as b:
        b.know()
        for n in range(3):
            vhost_guest.run('for n in 1 2 3 4; do '
                            f'ping -q -i 0.002 -s 1400 {VM} >/dev/null 2>&1 & done')
            b.vm1.send_many([build(HOST_MAC, VM1, i, 1000) for i in range(500)])
            vhost_guest.run('ip link del dev vs-inband')
            b.vm1.send_many([build(HOST_MAC, VM1, i, 1000) for i in range(500)])
            b.d.wait_link('inband', up=False)
            vhost_guest.status('killall ping')
            assert b.d.alive()
            b.d.ctl('port', 'del', 'inband')
            b.vm1.recv(1 << 20, 0.3)
            b.d.ctl('port', 'add', 'inband', 'type=tap', 'backend=vhost-net', 'ifname=vs-inband',
                    f'mac={HOST_MAC}', f'address={HOST}/24')
            b.d.wait_link('inband')
            b.know()
            b.ping_host(100 + n)
        assert not re.search(r' ERR ', b.d.log())


def test_refused(vhost_guest):
    """Too many queues, and no right to the device."""
    with Bench(vhost_guest) as b:
        words = ('port', 'add', 't', 'type=tap', 'backend=vhost-net')
        done = b.d.ctl_run(*words, 'queues=9')
        assert done.returncode == 0 or 'queues: 9 is more than the 8 that' in done.stderr
        b.d.ctl_run('port', 'del', 't')
        vhost_guest.run('mv /dev/vhost-net /dev/vhost-net-away')
        try:
            assert 'backend: /dev/vhost-net is missing: load the module' in b.d.ctl_fail(*words)
        finally:
            vhost_guest.run('mv /dev/vhost-net-away /dev/vhost-net')
        b.d.ctl('port', 'add', 't', 'type=tap', 'backend=vhost-net', f'mac={VM2}')
        b.d.wait_link('t')
