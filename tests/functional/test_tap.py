# SPDX-License-Identifier: BSD-3-Clause
"""test_tap.py: the inband port as the host sees it: name, MAC, MTU, addresses, link, and the host's
own IP stack behind it."""

import contextlib
import json
import os
import re
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6ND_NA, IPv6
from scapy.layers.l2 import ARP, Ether

from daemon import Daemon, wait_until
from hosts import Host, transfer
from net import Net
from offload_net import Way, switch
from rawguest import GUEST_ALL, HOST_ALL
from tap import exists
from tcpstation import TcpStation

BACKENDS = ('tun', 'net_tap')
KINDS = ('tap', 'net_tap')  # of net.py
MAC = '52:54:00:77:00:fe'
GUEST = '02:00:00:00:00:aa'
MTU_MAX = 65521  # of a TAP, says the kernel


def link(ifname):
    """What `ip` says of an interface."""
    out = subprocess.run(['ip', '-j', 'addr', 'show', 'dev', ifname], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)[0]


@pytest.mark.parametrize('backend', BACKENDS)
def test_interface(backend, kernel_ipv6):
    """Name, MAC, MTU and addresses are as the config says; the link is up; gone at the end."""
    conf = {'name': 'inband', 'type': 'tap', 'ifname': 'vs-inband', 'mac': MAC, 'mtu': 1400,
            'backend': backend,
            'address': ['10.77.0.254/24', '192.168.5.1/30', 'fd77::fe/64']}
    with Daemon({'ports': [conf]}) as d:
        d.wait_link('inband')
        info = link('vs-inband')
        assert info['address'] == MAC
        assert info['mtu'] == 1400
        assert 'UP' in info['flags'] and 'LOWER_UP' in info['flags']
        addresses = {f'{a["local"]}/{a["prefixlen"]}' for a in info['addr_info']
                     if a['scope'] != 'link'}
        assert addresses == set(conf['address'])
        assert not any(a.get('tentative') for a in info['addr_info'] if a['local'] == 'fd77::fe')
        shown = d.port('inband')
        assert shown['mtu'] == 1400 and shown['type'] == 'tap'
        details = {'ifname': 'vs-inband', 'backend': backend, 'mac': MAC, 'rx_queues': 1,
                   'tx_queues': 1}
        assert details.items() <= shown['details'].items()
    assert not exists('vs-inband')


def test_defaults():
    """Without keys: the port's name, a MAC of its own, 1500, no address."""
    with Daemon({'ports': [{'name': n, 'type': 'tap'} for n in ('tap-a', 'tap-b')]}) as d:
        d.wait_link('tap-a', 'tap-b')
        a, b = link('tap-a'), link('tap-b')
        assert a['mtu'] == b['mtu'] == 1500
        assert a['address'] != b['address']
        assert int(a['address'][:2], 16) & 3 == 2, 'a locally administered station address'
        assert not [i for i in a['addr_info'] if i['scope'] != 'link']
        assert d.port('tap-a')['details']['backend'] == 'tun'


@pytest.mark.parametrize('queues', [4, 5, 16])
def test_many_queues(queues):
    """As many queues as net_tap takes; more are refused, and the daemon lives."""
    with Daemon({'ports': []}) as d:
        done = d.ctl_run('port', 'add', 't', 'type=tap', 'backend=net_tap', f'queues={queues}')
        if done.returncode != 0:
            assert queues > 4 and re.search(r'port t: queues: \d+ is more than', done.stderr)
        assert d.alive() and d.ctl('version')


def test_default_mac_stays():
    """Guests find the host again after a restart."""
    seen = set()
    for _ in range(2):
        with Daemon({'ports': [{'name': 'tap-a', 'type': 'tap'}]}) as d:
            d.wait_link('tap-a')
            seen.add(link('tap-a')['address'])
    assert len(seen) == 1


@pytest.mark.parametrize('kind', KINDS)
def test_link_follows_the_host(kind):
    """The host sets the interface down and up: so is the port."""
    with Net({'a': 'server', 't': kind}) as net:
        net.learn()
        subprocess.run(['ip', 'link', 'set', 'dev', 't', 'down'], check=True)
        net.daemon.wait_link('t', up=False)
        assert net.daemon.port('t')['reason']
        net['a'].send(net.frame('a', 't'))
        net.wait_drops('t', 'tx-down', 1)
        subprocess.run(['ip', 'link', 'set', 'dev', 't', 'up'], check=True)
        net.daemon.wait_link('t')
        net.learn()


@pytest.mark.parametrize('kind', KINDS)
def test_interface_removed(kind):
    """The host takes the interface away: the port is down with a reason, others run."""
    with Net({'a': 'server', 'b': 'server', 't': kind}) as net:
        net.learn()
        subprocess.run(['ip', 'link', 'del', 'dev', 't'], check=True)
        net.daemon.wait_link('t', up=False)
        assert net.daemon.port('t')['reason']
        net.stations.pop('t').close()
        frames = [net.frame('a', 'b', n) for n in range(200)]
        got = net.exchange('a', 'b', frames)
        net.check_frames([f for _, f in got], frames, 'a to b')
        net.daemon.ctl('port', 'del', 't')
        del net.kinds['t']


@pytest.mark.parametrize('kind', ['server', 'library'])
def test_host_answers(kind, kernel_ipv6):
    """A guest resolves and pings the host's inband address, IPv4 and IPv6."""
    ports = [{'name': 'inband', 'type': 'tap', 'ifname': 'vs-in', 'mac': MAC,
              'address': ['10.77.0.254/24', 'fd77::fe/64']}]
    with Net({'g': kind}, guest={'g': {'mac': GUEST}}) as net:
        net.daemon.add(ports[0])
        net.daemon.wait_link('inband')
        g = net['g']

        def answer(request, matches):
            """Sends until the answer that matches comes."""
            def ask():
                g.send(bytes(request))
                for frame in g.recv(1, 0.5):
                    reply = Ether(frame)
                    if matches(reply):
                        return reply
                return None
            return wait_until('an answer', ask, 10.0)

        reply = answer(Ether(dst='ff:ff:ff:ff:ff:ff', src=GUEST) /
                       ARP(op=1, hwsrc=GUEST, psrc='10.77.0.1', pdst='10.77.0.254'),
                       lambda r: ARP in r and r[ARP].op == 2)
        assert reply[ARP].hwsrc == MAC and reply[Ether].dst == GUEST
        payload = bytes(range(256)) * 5
        request = Ether(dst=MAC, src=GUEST) / IP(src='10.77.0.1', dst='10.77.0.254') / \
            ICMP(id=7, seq=3) / payload
        # the host asks who 10.77.0.1 is before it answers
        arp = Ether(dst=MAC, src=GUEST) / ARP(op=2, hwsrc=GUEST, psrc='10.77.0.1', hwdst=MAC,
                                              pdst='10.77.0.254')
        g.send(bytes(arp))
        reply = answer(request, lambda r: ICMP in r and r[ICMP].type == 0)
        assert bytes(reply[ICMP].payload)[:len(payload)] == payload
        assert reply[ICMP].id == 7 and reply[ICMP].seq == 3
        reply = answer(Ether(dst='33:33:ff:00:00:fe', src=GUEST) /
                       IPv6(src='fd77::1', dst='ff02::1:ff00:fe') / ICMPv6ND_NS(tgt='fd77::fe') /
                       b'\x01\x01' / bytes.fromhex(GUEST.replace(':', '')),
                       lambda r: ICMPv6ND_NA in r)
        assert reply[ICMPv6ND_NA].tgt == 'fd77::fe'
        reply = answer(Ether(dst=MAC, src=GUEST) / IPv6(src='fd77::1', dst='fd77::fe') /
                       ICMPv6EchoRequest(id=9, data=payload),
                       lambda r: ICMPv6EchoReply in r)
        assert bytes(reply[ICMPv6EchoReply].data)[:len(payload)] == payload
        assert net.fdb()[0, MAC] == 'inband' and net.fdb()[0, GUEST] == 'g'


def long_frames_both_ways(net, mtu):
    """Up to the longest one, between g and t."""
    net.learn()
    assert link('t')['mtu'] == mtu
    longest = mtu + 14
    for src, dst in (('g', 't'), ('t', 'g')):
        frames = [net.frame(src, dst, n, size) for n, size in
                  enumerate([*range(1400, longest, max(1, mtu // 40)), longest])]
        got = net.exchange(src, dst, frames, window=16)
        net.check_frames([f for _, f in got], frames, f'{src} to {dst}')


@pytest.mark.parametrize('backend', BACKENDS)
def test_long_frames(backend):
    """The longest MTU, up to 9000, that the backend takes, to and from a guest; a longer one is
    refused with the one it takes."""
    mtu = 9000
    with Daemon() as d:
        done = d.ctl_run('port', 'add', 't', 'type=tap', f'backend={backend}', f'mtu={mtu}')
        if done.returncode != 0:  # DPDK 22.11
            assert backend == 'net_tap'
            said = re.search(r'port t: mtu: 9000 is more than .* takes: (\d+): use backend: '
                             r'tun, or DPDK 23.11 or later$', done.stderr.strip())
            assert said, done.stderr
            mtu = int(said[1])
    with Net({'g': 'server', 't': 'tap' if backend == 'tun' else backend},
             conf={n: {'mtu': mtu} for n in 'gt'}) as net:
        long_frames_both_ways(net, mtu)


def test_longest_frames():
    """The longest MTU that the kernel gives a TAP, set at run time; more is refused."""
    conf = {'g': {'mtu': 65535}}
    with Net({'g': 'raw', 't': 'tap'}, guest={'g': {'size': 512}}, conf=conf) as net:
        net.learn()
        said = net.daemon.ctl_fail('port', 'set', 't', f'mtu={MTU_MAX + 1}')
        assert f'port t: mtu: {MTU_MAX + 1} is more than a TAP can have, {MTU_MAX}' in said
        assert link('t')['mtu'] == 1500
        net.daemon.ctl('port', 'set', 't', f'mtu={MTU_MAX}')
        assert link('t')['mtu'] == net.daemon.port('t')['mtu'] == MTU_MAX
        longest = MTU_MAX + 14
        for src, dst in (('g', 't'), ('t', 'g')):
            frames = [net.frame(src, dst, n, longest - n) for n in range(20)]
            for frame in frames:
                net[src].send(frame)
                assert [f for _, f in wait_until('the frame', net[dst].take, step=0.001)] == [frame]
        net.daemon.ctl('port', 'set', 't', 'mtu=1000')
        net['g'].send_many([net.frame('g', 't', 1, 1015), net.frame('g', 't', 2, 1014)])
        assert len(net['t'].recv(2, 1)) == 1
        net.wait_drops('t', 'tx-oversize', 1)


def test_vhost_net_missing():
    """Where there is no vhost-net, that is said with what to do, and nothing is left behind; the
    port of a configuration that is there at the start waits."""
    if os.path.exists('/dev/vhost-net'):
        pytest.skip('this machine has vhost-net')
    conf = {'name': 't', 'type': 'tap', 'backend': 'vhost-net'}
    said = ('port t: backend: /dev/vhost-net is missing: load the module with `modprobe vhost_net` '
            '(in a container, pass the device in), or use backend: tun')
    with Daemon() as d:
        assert d.ctl_fail('port', 'add', 't', 'type=tap', 'backend=vhost-net') == \
            f'vswitchctl: {said}'
        assert not exists('t')
        d.ctl('port', 'add', 't', 'type=tap', 'backend=net_tap')
        assert d.port('t')['details']['backend'] == 'net_tap'
    with Daemon({'ports': [conf]}, start=False) as d:
        d.start()
        assert said in d.log()


def test_backend_unknown():
    """Backends there are three, with queues as each has them."""
    with Daemon() as d:
        assert d.ctl_fail('port', 'add', 't', 'type=tap', 'backend=vhost') == \
            'vswitchctl: port t: backend: "vhost" is none of: tun, net_tap, vhost-net'
        said = d.ctl_run('port', 'add', 't', 'type=tap', 'backend=vhost-net', 'queues=16').stderr
        assert 'queues: 16 is more than the 8 that' in said or 'backend: ' in said


def offloads(daemon):
    """What the port t may leave to the host, and the host to it, as words."""
    found = daemon.port('t')['details']
    return found['offloads_from_host'], found['offloads_to_host']


def test_offloads_of_net_tap():
    """It leaves nothing to the host, nor the host to us."""
    with Daemon({'ports': [{'name': 't', 'type': 'tap', 'backend': 'net_tap'}]}) as d:
        d.wait_link('t')
        found = d.port('t')['details']
        assert (found['backend'], found['driver']) == ('net_tap', 'net_tap')
        assert offloads(d) == ('none', 'none')


def ethtool(ifname):
    """The offloads of an interface that are on, among those that concern us."""
    out = subprocess.run(['ethtool', '-k', ifname], check=True, capture_output=True,
                         text=True).stdout
    names = {'tx-checksumming': 'checksum', 'tx-tcp-segmentation': 'tso4',
             'tx-tcp6-segmentation': 'tso6', 'tx-tcp-ecn-segmentation': 'ecn',
             'tx-udp-segmentation': 'uso4 uso6'}
    return [text for name, text in names.items()
            if re.search(rf'^\s*{name}: on', out, re.MULTILINE)]


def test_offloads_at_run_time():
    """What is switched off, neither the host nor the switch leaves to the other from then on, and
    nothing is lost; and on again."""
    every = ['checksum', 'tso4', 'tso6', 'ecn', 'uso4 uso6']
    guest = {'g': {'features': HOST_ALL | GUEST_ALL, 'size': 512}}
    with switch({'g': 'raw', 't': 'tap'}, guest) as net:
        if 'uso4' not in offloads(net.daemon)[0]:
            every.remove('uso4 uso6')  # before Linux 6.2
        for words, on in (((), every),
                          (('offloads.uso=false',), every[:4]),
                          (('offloads.tso=false',), ['checksum']),
                          (('offloads.checksum=false',), []),
                          (('offloads.checksum=true', 'offloads.tso=true', 'offloads.uso=true'),
                           every)):
            if words:
                net.daemon.ctl('port', 'set', 't', *words)
            assert ethtool('t') == on
            assert offloads(net.daemon) == (' '.join(on) or 'none',) * 2
            for src, dst in (('g', 't'), ('t', 'g')):
                way = Way(net, src, dst)
                # the kernel does not know by such a record that it is SCTP's checksum
                way.run([k for k in way.frames()
                         if k[0].startswith(('csum', 'tso', 'uso')) and 'sctp' not in k[0]])
        for name in 'gt':
            assert not any(net.counts(name)['drops'].values()), net.counts(name)


def long_part(daemon, way):
    """Reads the counters of t before and, called, after: bytes a frame that went that way."""
    before = daemon.counts('t')

    def found():
        after = daemon.counts('t')
        return ((after[f'{way}_bytes'] - before[f'{way}_bytes']) /
                max(1, after[f'{way}_frames'] - before[f'{way}_frames']))
    return found


@pytest.mark.parametrize('peer', BACKENDS)
@pytest.mark.parametrize('mtu', [1500, 9000])
def test_tcp_of_the_kernel(peer, mtu):
    """The host's TCP through two TAPs: segments pass undivided where both take them, and all
    arrives while offloads are switched off and on."""
    if peer == 'net_tap' and mtu == 9000:
        pytest.skip('net_tap of DPDK 22.11 takes 1504')
    ports = [{'name': 't', 'type': 'tap', 'address': ['10.77.0.1/24'], 'mtu': mtu},
             {'name': 'p', 'type': 'tap', 'backend': peer, 'mtu': mtu}]
    payload = os.urandom(8 << 20)
    with Host(own=False) as near, Host() as far, Daemon({'ports': ports}) as d:
        d.wait_link('t', 'p')
        far.take('p')
        far.tool('ip', 'addr', 'add', '10.77.0.2/24', 'dev', 'p')
        far.tool('ip', 'link', 'set', 'p', 'up')
        d.wait_link('p')
        mean = long_part(d, 'rx')
        transfer(near, far, '10.77.0.2', payload)
        assert mean() > max(4000, mtu), 'the kernel did not hand over long segments'
        counts = d.counts('p')
        sent_len = counts['tx_bytes'] / counts['tx_frames']
        assert sent_len > max(4000, mtu) if peer == 'tun' else sent_len < 1515
        for word in ('tso=false', 'checksum=false', 'checksum=true', 'tso=true'):
            with ThreadPoolExecutor(1) as pool:
                sending = pool.submit(transfer, near, far, '10.77.0.2', payload)
                d.ctl('port', 'set', 't', f'offloads.{word}')
                if peer == 'tun':
                    d.ctl('port', 'set', 'p', f'offloads.{word}')
                sending.result()
        assert d.counts('p')['drops'].keys() <= {'tx-no-room'}


def test_tcp_with_a_guest():
    """The host's TCP with a guest that takes neither checksums nor segments, nor leaves them to
    others: what it gets is cut to the MTU, each segment with its checksums, and all of it."""
    conf = {'t': {'mac': MAC, 'address': ['10.77.0.254/24']}}
    with Net({'g': 'server', 't': 'tap'}, conf=conf, guest={'g': {'mac': GUEST}}) as net:
        subprocess.run(['ip', 'neigh', 'replace', '10.77.0.1', 'lladdr', GUEST, 'dev', 't'],
                       check=True)
        net['g'].send(net.frame('g'))
        station = TcpStation(net['g'], GUEST, '10.77.0.1', MAC, '10.77.0.254')
        payload = os.urandom(400000)
        mean = long_part(net.daemon, 'rx')
        with ThreadPoolExecutor(1) as pool:
            def connect():
                with socket.create_connection(('10.77.0.1', 5000), 10) as peer:
                    peer.sendall(payload)
                    peer.shutdown(socket.SHUT_WR)
                    peer.settimeout(10)
                    with contextlib.suppress(ConnectionResetError):
                        peer.recv(1)
            sending = pool.submit(connect)
            assert station.serve(5000, len(payload), 30) == payload
            sending.result()
        assert max(station.sizes) == 1514
        assert mean() > 2000, 'the kernel did not hand over long segments'
        with socket.create_server(('10.77.0.254', 5001)) as server:
            with ThreadPoolExecutor(1) as pool:
                sending = pool.submit(station.send, 5001, payload, 30)
                server.settimeout(10)
                with server.accept()[0] as peer:
                    got = bytearray()
                    while data := peer.recv(1 << 20):
                        got += data
                sending.result()
        assert got == payload


def test_forty():
    """More TAPs than DPDK has room for devices."""
    taps = [f't{n}' for n in range(40)]
    with Net({'g': 'server', **{name: 'tap' for name in taps}}) as net:
        net.after('g')
        for name in taps:
            net[name].send(net.frame(name, 'g'))
        assert len(net['g'].recv(len(taps))) == len(taps)
        for name in taps:
            frame = net.frame('g', name)
            net['g'].send(frame)
            assert net[name].recv() == [frame]


def test_deleted_under_load():
    """The host deletes the interface while frames go both ways: the port is down, the others run,
    and the port can be made again."""
    with Net({'a': 'server', 'b': 'server', 't': 'tap'}) as net:
        net.learn()
        for n in range(3):
            frames = [net.frame('a', 't', i, 1000) for i in range(300)]
            net['a'].send_many(frames)
            net['t'].send_many(net.frame('t', 'b', i, 1000) for i in range(300))
            subprocess.run(['ip', 'link', 'del', 'dev', 't'], check=True)
            net['a'].send_many(frames)
            net.daemon.wait_link('t', up=False)
            assert 'was deleted on the host' in net.daemon.port('t')['reason']
            net.disconnect('t')
            net.daemon.ctl('port', 'del', 't')
            net.after('a')
            net.add_port('t', 'tap')
            net.learn()
            assert net.daemon.alive(), n


def test_longer_than_the_mtu():
    """What is too long for the TAP is dropped before it, and counted."""
    with Net({'g': 'server', 't': 'tap'}, conf={'g': {'mtu': 9000}, 't': {'mtu': 1000}}) as net:
        net.learn()
        just, over = net.frame('g', 't', 1, 1014), net.frame('g', 't', 2, 1015)
        net['g'].send_many([over, just])
        assert net['t'].recv(1) == [just]
        net.wait_drops('t', 'tx-oversize', 1)


@pytest.mark.parametrize('kind,queues', [('tap', 2), ('tap', 16), ('net_tap', 2)])
def test_queues(kind, queues):
    """A TAP with several queues."""
    workers = sorted(os.sched_getaffinity(0))[:2]
    with Net({'g': 'server', 't': kind}, {'workers': workers},
             {'t': {'queues': queues}}) as net:
        net.learn()
        assert net.daemon.port('t')['details']['rx_queues'] == queues
        for src, dst in (('g', 't'), ('t', 'g')):
            frames = [net.frame(src, dst, n, 60 + n) for n in range(1000)]
            got = [f for _, f in net.exchange(src, dst, frames)]
            # the kernel chooses the queue: order is kept in each only
            net.check_frames(sorted(got) if src == 't' else got,
                             sorted(frames) if src == 't' else frames, f'{src} to {dst}')
