# SPDX-License-Identifier: BSD-3-Clause
"""test_ethdev.py: uplinks over devices that a host without SR-IOV has: net_af_packet and others of
DPDK's drivers, on a cable (veth.py)."""

import re
import subprocess

import pytest

from daemon import Daemon, wait_until
from frames import BROADCAST, build
from net import Net, only_to, to_all
from veth import Cable

pytestmark = pytest.mark.quick


def frames_of_all_sizes(net, src, dst):
    """Frames from the shortest to the longest, tagged ones too. Linux takes 4 bytes more than an
    interface's MTU allows if the frame has a tag, and none for a second one. All are 802.1Q tags:
    net_af_packet makes that of other ones that it receives."""
    frames = []
    for size in [60, 61, 128, 1000, 1510, 1513, 1514] * 20:
        for tags in ((), ((0x8100, 10),), ((0x8100, 0x6000 | 20),), ((0x8100, 7), (0x8100, 8))):
            if size + 4 * len(tags) <= (1514 if len(tags) > 1 else 1518):
                frames.append(net.frame(src, dst, len(frames), size, tags=tags))
    return frames


@pytest.mark.parametrize('kind', ['server', 'library', 'tap'])
def test_both_ways(kind):
    """What the wire sends comes to the guest as it was, and the other way."""
    with Cable('up'), Net({'a': kind, 'b': 'server', 'up': 'ethdev'}) as net:
        net.learn()
        assert net.fdb()[0, net.macs['up']] == 'up'
        assert only_to(net, 'up', 'a', net.macs['a']) and only_to(net, 'a', 'up', net.macs['up'])
        assert to_all(net, 'up', BROADCAST) and to_all(net, 'a', BROADCAST)
        for src, dst in (('a', 'up'), ('up', 'a')):
            frames = frames_of_all_sizes(net, src, dst)
            got = net.exchange(src, dst, frames)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')
        shown = net.daemon.port('up')
        assert shown['type'] == 'ethdev' and shown['link'] == 'up' and shown['reason'] == ''
        assert shown['details']['driver'] == 'net_af_packet'
        assert shown['details']['device'] == 'net_af_packet0'


def test_longer_than_the_mtu():
    """What is longer than the interface takes, one tag not counted, is dropped before it, and the
    next frames go out."""
    with Cable('up'), Net({'a': 'server', 'up': 'ethdev'}, conf={'a': {'mtu': 9000}}) as net:
        net.learn()
        tags = ((0x8100, 7), (0x8100, 8))
        longer = [net.frame('a', 'up', size=1514, tags=tags), net.frame('a', 'up', size=1515)]
        frames = [net.frame('a', 'up', n) for n in range(600)]
        net['a'].send_many(longer * 5)
        got = net.exchange('a', 'up', frames)
        net.check_frames([f for _, f in got], frames, 'a to up')
        net.wait_drops('up', 'tx-oversize', 10)


def test_two_uplinks():
    """From wire to wire."""
    more = {'w': {'devargs': 'net_af_packet1,iface=w'}}
    with Cable('v'), Cable('w'), Net({'a': 'server', 'v': 'ethdev', 'w': 'ethdev'},
                                     conf=more) as net:
        net.learn()
        for src, dst in (('v', 'w'), ('w', 'v'), ('a', 'w')):
            frames = frames_of_all_sizes(net, src, dst)
            got = net.exchange(src, dst, frames)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')


def test_two_queues():
    """As many queues as the devargs make."""
    more = {'up': {'devargs': 'net_af_packet0,iface=up,qpairs=2', 'queues': 2}}
    with Cable('up'), Net({'a': 'server', 'up': 'ethdev'}, conf=more) as net:
        net.learn()
        for src, dst in (('a', 'up'), ('up', 'a')):
            frames = [net.frame(src, dst, n, 60 + n) for n in range(1000)]
            got = [f for _, f in net.exchange(src, dst, frames)]
            net.check_frames(sorted(got), sorted(frames), f'{src} to {dst}')


WRONG = {
    'no such interface': ('net_af_packet0,iface=nowhere', 'nowhere'),
    'no such driver': ('net_nothing0', 'net_nothing0'),
    'no such argument': ('net_af_packet0,iface=up,colour=red', 'net_af_packet0'),
    'no interface': ('net_af_packet0', 'net_af_packet0'),
    'no such PCI device': ('0000:fe:1f.7', '0000:fe:1f.7'),
    'nothing at all': (',', 'devargs'),
}


@pytest.mark.parametrize('what', WRONG)
def test_wrong_devargs(what):
    """A sentence, and nothing is left behind: the right ones are taken afterwards."""
    devargs, word = WRONG[what]
    with Cable('up'), Net({'a': 'server'}) as net:
        said = net.daemon.ctl_fail('port', 'add', 'up', 'type=ethdev', f'devargs={devargs}')
        assert re.search(r'port up: ', said) and word in said, said
        assert len(said.splitlines()) == 1 and 'not permitted' not in said, said
        net.add_port('up', 'ethdev')
        net.learn()
        assert only_to(net, 'up', 'a', net.macs['a'])


def test_device_in_use():
    """A device is one port's."""
    with Cable('up'), Net({'a': 'server', 'up': 'ethdev'}) as net:
        said = net.daemon.ctl_fail('port', 'add', 'two', 'type=ethdev',
                                   'devargs=net_af_packet0,iface=up')
        assert re.search(r'port two: devargs: port up has .*net_af_packet0', said), said
        with Cable('other'):  # another interface, but the device of that name is there already
            said = net.daemon.ctl_fail('port', 'add', 'two', 'type=ethdev',
                                       'devargs=net_af_packet0,iface=other')
            assert re.search(r'port two: devargs: port up has .*net_af_packet0', said), said
        net.learn()
        assert only_to(net, 'up', 'a', net.macs['a'])


def test_too_many_queues():
    """More queues than the device has."""
    with Cable('up'), Daemon() as d:
        said = d.ctl_fail('port', 'add', 'up', 'type=ethdev', 'queues=3',
                          'devargs=net_af_packet0,iface=up,qpairs=2')
        assert re.search(r'port up: queues: 3 .*2', said), said


def test_add_delete_under_traffic():
    """An uplink comes and goes while guests talk: they lose no frame."""
    with Cable('up'), Net({'a': 'server', 'b': 'server', 'up': 'ethdev'}) as net:
        net.learn()
        for n in range(20):
            frames = [net.frame('a', 'b', n * 64 + i, 60 + i) for i in range(64)]
            net['a'].send_many(frames)
            if n % 2:
                net.add_port('up', 'ethdev')
                net['a'].send(net.frame('a', 'up'))  # unknown: is flooded
                assert net['b'].recv(64 + 1)[:64] == frames
                assert len(net['up'].recv(1)) == 1
            else:
                net['up'].send_many([net.frame('up', 'a') for _ in range(50)])
                net.del_port('up')
                assert net['b'].recv(64) == frames
        assert net['b'].none()


def set_mtu(net, mtu):
    """Asks for another MTU of the port up, by a new configuration; the CompletedProcess."""
    config = net.daemon.config
    config['ports'] = [dict(p, mtu=mtu) if p['name'] == 'up' else p for p in config['ports']]
    net.daemon.write(config)
    return net.daemon.ctl_run('config', 'apply', net.daemon.config_file)


def test_mtu():
    """The MTU is the interface's; more than the driver takes is refused; it changes at run time."""
    with Cable('up'), Net({'a': 'server', 'up': 'ethdev'}, conf={'up': {'mtu': 1400}}) as net:
        net.learn()
        said = set_mtu(net, 9000)
        assert said.returncode == 1
        assert re.search(r'port up: mtu: 9000 .*1500', said.stderr), said.stderr
        for mtu in (1400, 1300, 1500):
            assert set_mtu(net, mtu).returncode == 0
            assert net.daemon.port('up')['mtu'] == mtu
            assert f'mtu {mtu} ' in subprocess.run(['ip', 'link', 'show', 'dev', 'up'], check=True,
                                                   capture_output=True, text=True).stdout
            before = net.counts('up')['drops']['tx-oversize']
            longest = net.frame('a', 'up', size=mtu + 14)
            net['a'].send_many([longest, net.frame('a', 'up', size=mtu + 15)]
                               if mtu < 1500 else [longest])
            assert net['up'].recv(1) == [longest]
            if mtu < 1500:
                net.wait_drops('up', 'tx-oversize', before + 1)


def test_restart():
    """port restart loses the frames of a moment; those who can't be restarted say so."""
    with Cable('up'), Net({'a': 'server', 'up': 'ethdev'}) as net:
        net.learn()
        for n in range(1, 6):
            net.daemon.ctl('port', 'restart', 'up')
            assert net.daemon.port('up')['details']['restarts'] == n
            net.learn()
            assert only_to(net, 'up', 'a', net.macs['a'])
        assert re.search(r'port a: .*restart', net.daemon.ctl_fail('port', 'restart', 'a'))
        assert re.search(r'port x: there is no such port',
                         net.daemon.ctl_fail('port', 'restart', 'x'))


def test_interface_removed():
    """The host cuts the cable and lays another: guests go on; the port is made anew."""
    with Cable('up') as cable, Net({'a': 'server', 'b': 'server', 'up': 'ethdev'}) as net:
        net.learn()
        cable.cut()
        net.stations.pop('up').close()
        for src, dst in (('a', 'b'), ('b', 'a')):
            net[src].send_many([net.frame(src) for _ in range(10)])
            assert len(net[dst].recv(10)) == 10
            frames = [net.frame(src, dst, n) for n in range(200)]
            got = net.exchange(src, dst, frames)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')
        net.daemon.wait_link('up', up=False)
        assert 'was taken away' in net.daemon.port('up')['reason']
        sentence = net.daemon.ctl_fail('port', 'restart', 'up')
        assert sentence.startswith('vswitchctl: port up: devargs: no driver of '), sentence
        net.daemon.ctl('port', 'del', 'up')
        del net.kinds['up']
        cable.lay()
        net.add_port('up', 'ethdev')
        net.learn()
        assert only_to(net, 'up', 'a', net.macs['a'])


def test_interface_made_anew():
    """The host deletes the interface and makes another of that name: it is taken by itself."""
    with Cable('up') as cable, Net({'a': 'server', 'up': 'ethdev'}) as net:
        net.learn()
        cable.cut()
        net.daemon.wait_link('up', up=False)
        cable.lay()
        net.daemon.wait_link('up', timeout=60)
        assert net.daemon.port('up')['details']['returns'] == 1


def test_config_file():
    """From the file, with all keys, and by port add: config show says the same."""
    conf = {'name': 'up', 'type': 'ethdev', 'devargs': 'net_af_packet0,iface=up',
            'filter': 'promiscuous', 'vlans': [10, 20], 'mtu': 1400}
    with Cable('up'), Daemon({'ports': [conf]}) as d:
        d.wait_link('up')
        first = d.ctl('config', 'show')['text']
        for line in ('type: ethdev', 'filter: promiscuous'):
            assert line in first, first
        d.ctl('port', 'del', 'up')
        d.add(conf)
        d.wait_link('up')
        assert d.ctl('config', 'show')['text'] == first


# --- other drivers

def test_pcap():
    """net_pcap on an interface."""
    more = {'up': {'devargs': 'net_pcap0,iface=up'}}
    with Cable('up'), Net({'a': 'server', 'up': 'ethdev'}, conf=more) as net:
        # what libpcap sees of its own sending comes back as well: reflected, if at all
        net.learn()
        for src, dst in (('a', 'up'), ('up', 'a')):
            frames = [net.frame(src, dst, n, 60 + n) for n in range(300)]
            got = net.exchange(src, dst, frames, window=32)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')
        assert net.fdb()[0, net.macs['a']] == 'a'


def test_ring_gives_back():
    """net_ring receives what it sends: nobody's station moves, and nobody hears it twice."""
    with Net({'a': 'server', 'b': 'server'}) as net:
        net.daemon.ctl('port', 'add', 'up', 'type=ethdev', 'devargs=net_ring0')
        net.daemon.wait_link('up')
        before = net.counts('up')['drops']['rx-reflected']
        frames = [net.frame('a') for _ in range(50)]
        net['a'].send_many(frames)
        assert net['b'].recv(50) == frames
        net.wait_drops('up', 'rx-reflected', before + 50)
        assert net['a'].none() and net['b'].none()
        assert net.fdb()[0, net.macs['a']] == 'a'
        net.daemon.ctl('port', 'del', 'up')


def test_null():
    """net_null takes all, and sends nothing of use: frames of zeroes, counted by their reason."""
    with Net({'a': 'server', 'b': 'server'}) as net:
        net.daemon.ctl('port', 'add', 'sink', 'type=ethdev', 'devargs=net_null0,size=64,no-rx=1')
        net.daemon.ctl('port', 'add', 'noise', 'type=ethdev', 'devargs=net_null1,size=64')
        net.daemon.wait_link('sink', 'noise')
        frames = [net.frame('a') for _ in range(50)]
        net['a'].send_many(frames)
        assert net['b'].recv(50) == frames
        wait_until('all are taken', lambda: net.counts('sink')['tx_frames'] >= 50)
        assert net.counts('sink')['rx_frames'] == 0
        wait_until('zeroes are dropped', lambda: net.counts('noise')['drops']['rx-bad-source'])
        frames = [build(net.macs['b'], net.macs['a'], n) for n in range(200)]
        assert net['a'] and net.frame('b', 'a')
        net['b'].send(net.frame('b'))
        assert net['a'].recv(1)
        got = net.exchange('a', 'b', frames)
        net.check_frames([f for _, f in got], frames, 'a to b')
        for name in ('noise', 'sink'):
            net.daemon.ctl('port', 'del', name)


def test_af_xdp(tmp_path):
    """net_af_xdp, where the kernel and the interface can do it. The driver of DPDK 22.11 never
    frees its umem: eth_dev_close() takes one reference and looks for two."""
    suppressions = tmp_path / 'lsan'
    suppressions.write_text('leak:xsk_umem__create\n')
    env = {'LSAN_OPTIONS': f'suppressions={suppressions}:print_suppressions=0'}
    with Cable('up'), Net({'a': 'server'}, daemon={'env': env}) as net:
        done = net.daemon.ctl_run('port', 'add', 'up', 'type=ethdev',
                                  'devargs=net_af_xdp0,iface=up')
        if done.returncode != 0:
            assert re.search(r'port up: devargs: ', done.stderr), done.stderr
            pytest.skip(f'net_af_xdp can not be had here: {done.stderr.strip()}')
        net.kinds['up'] = 'ethdev'
        net.connect('up')
        net.daemon.wait_link('up')
        net.learn()
        for src, dst in (('a', 'up'), ('up', 'a')):
            frames = [net.frame(src, dst, n, 60 + n) for n in range(300)]
            got = net.exchange(src, dst, frames, window=32)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')
