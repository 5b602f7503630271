# SPDX-License-Identifier: BSD-3-Clause
"""test_tap.py: the inband port as the host sees it: name, MAC, MTU, addresses, link, and the host's
own IP stack behind it."""

import json
import os
import re
import subprocess

import pytest
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6ND_NA, IPv6
from scapy.layers.l2 import ARP, Ether

from daemon import Daemon, wait_until
from net import Net
from tap import exists

MAC = '52:54:00:77:00:fe'
GUEST = '02:00:00:00:00:aa'


def link(ifname):
    """What `ip` says of an interface."""
    out = subprocess.run(['ip', '-j', 'addr', 'show', 'dev', ifname], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)[0]


def test_interface(kernel_ipv6):
    """Name, MAC, MTU and addresses are as the config says; the link is up; gone at the end."""
    conf = {'name': 'inband', 'type': 'tap', 'ifname': 'vs-inband', 'mac': MAC, 'mtu': 1400,
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
        assert 'vs-inband' in json.dumps(shown['details'])
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


@pytest.mark.parametrize('queues', [4, 5, 16])
def test_many_queues(queues):
    """As many queues as the driver takes; more are refused, and the daemon lives."""
    with Daemon({'ports': []}) as d:
        done = d.ctl_run('port', 'add', 't', 'type=tap', f'queues={queues}')
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


def test_link_follows_the_host():
    """The host sets the interface down and up: so is the port."""
    with Net({'a': 'server', 't': 'tap'}) as net:
        net.learn()
        subprocess.run(['ip', 'link', 'set', 'dev', 't', 'down'], check=True)
        net.daemon.wait_link('t', up=False)
        assert net.daemon.port('t')['reason']
        net['a'].send(net.frame('a', 't'))
        net.wait_drops('t', 'tx-down', 1)
        subprocess.run(['ip', 'link', 'set', 'dev', 't', 'up'], check=True)
        net.daemon.wait_link('t')
        net.learn()


def test_interface_removed():
    """The host takes the interface away: the port is down with a reason, others run."""
    with Net({'a': 'server', 'b': 'server', 't': 'tap'}) as net:
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


def test_long_frames():
    """The longest MTU, up to 9000, that the driver takes, to and from a guest; a longer one is
    refused with the one it takes."""
    mtu = 9000
    with Daemon() as d:
        done = d.ctl_run('port', 'add', 't', 'type=tap', f'mtu={mtu}')
        if done.returncode != 0:  # DPDK 22.11
            said = re.search(r'port t: mtu: 9000 is more than .* takes: (\d+): use backend: '
                             r'vhost-net, or DPDK 23.11 or later$', done.stderr.strip())
            assert said, done.stderr
            mtu = int(said[1])
    with Net({'g': 'server', 't': 'tap'}, conf={n: {'mtu': mtu} for n in 'gt'}) as net:
        net.learn()
        assert link('t')['mtu'] == mtu
        longest = mtu + 14
        for src, dst in (('g', 't'), ('t', 'g')):
            frames = [net.frame(src, dst, n, size) for n, size in
                      enumerate([*range(1400, longest, max(1, mtu // 40)), longest])]
            got = net.exchange(src, dst, frames, window=16)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')


def test_vhost_net_missing():
    """Where there is no vhost-net, that is said with what to do, and nothing is left behind; the
    port of a configuration that is there at the start waits."""
    if os.path.exists('/dev/vhost-net'):
        pytest.skip('this machine has vhost-net')
    conf = {'name': 't', 'type': 'tap', 'backend': 'vhost-net'}
    said = ('port t: backend: /dev/vhost-net is missing: load the module with `modprobe vhost_net` '
            '(in a container, pass the device in), or use backend: net_tap')
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
    """Backends there are two, with queues as each has them."""
    with Daemon() as d:
        assert d.ctl_fail('port', 'add', 't', 'type=tap', 'backend=vhost') == \
            'vswitchctl: port t: backend: "vhost" is none of: net_tap, vhost-net'
        said = d.ctl_run('port', 'add', 't', 'type=tap', 'backend=vhost-net', 'queues=16').stderr
        assert 'queues: 16 is more than the 8 that' in said or 'backend: ' in said


def test_offloads_of_net_tap():
    """It leaves nothing to the host, nor the host to us."""
    with Daemon({'ports': [{'name': 't', 'type': 'tap'}]}) as d:
        d.wait_link('t')
        found = d.port('t')['details']
        assert (found['backend'], found['driver']) == ('net_tap', 'net_tap')
        assert (found['offloads_from_host'], found['offloads_to_host']) == ('none', 'none')


def test_longer_than_the_mtu():
    """What is too long for the TAP is dropped before it, and counted."""
    with Net({'g': 'server', 't': 'tap'}, conf={'g': {'mtu': 9000}, 't': {'mtu': 1000}}) as net:
        net.learn()
        just, over = net.frame('g', 't', 1, 1014), net.frame('g', 't', 2, 1015)
        net['g'].send_many([over, just])
        assert net['t'].recv(1) == [just]
        net.wait_drops('t', 'tx-oversize', 1)


def test_two_queues():
    """A TAP with two queues."""
    with Net({'g': 'server', 't': 'tap'}, conf={'t': {'queues': 2}}) as net:
        net.learn()
        for src, dst in (('g', 't'), ('t', 'g')):
            frames = [net.frame(src, dst, n, 60 + n) for n in range(1000)]
            got = [f for _, f in net.exchange(src, dst, frames)]
            # the kernel chooses the queue: order is kept in each only
            net.check_frames(sorted(got), sorted(frames), f'{src} to {dst}')
