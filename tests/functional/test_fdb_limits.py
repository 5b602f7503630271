# SPDX-License-Identifier: BSD-3-Clause
"""test_fdb_limits.py: stations that age, ports and tables that are full, ports that go."""

import time

from frames import BROADCAST, build
from net import Net, only_to, to_all

THREE = {'a': 'server', 'b': 'server', 't': 'tap'}


def test_ageing():
    """A silent station is forgotten after the ageing time, a talking one is not."""
    with Net(THREE, switch={'fdb': {'ageing': 3}}) as net:
        net.learn()
        start = time.monotonic()
        assert {(0, net.macs[n]) for n in THREE} <= set(net.fdb())
        while (0, net.macs['b']) in net.fdb():
            assert time.monotonic() - start < 15, 'not forgotten'
            net['a'].send(net.frame('a'))
            net['t'].send(net.frame('t'))
            time.sleep(0.5)
        assert time.monotonic() - start >= 2, 'forgotten too early'
        assert {(0, net.macs['a']), (0, net.macs['t'])} <= set(net.fdb())
        for name in net.stations:
            net[name].take()
        net.after('a')
        assert to_all(net, 'a', net.macs['b'])
        assert only_to(net, 'a', 't', net.macs['t'])


def test_max_macs():
    """A port that has its number of stations gets no more; their frames go on, flooded."""
    with Net(THREE, conf={'b': {'max_macs': 4}}) as net:
        net.learn()
        macs = [f'02:cc:00:00:00:{n:02x}' for n in range(10)]
        for n, mac in enumerate(macs):
            frame = build(net.macs['a'], mac, n)
            net['b'].send(frame)
            assert net['a'].recv(1) == [frame], 'the frame of a station that was not learned'
        known = [m for m in macs if (0, m) in net.fdb()]
        assert known == macs[:3]
        assert net.daemon.port('b')['stations'] == 4
        assert only_to(net, 'a', 'b', macs[0])
        assert to_all(net, 'a', macs[9])
        net.daemon.wait_log(r'port b:.*4 stations.*max_macs')
        net.daemon.ctl('fdb', 'flush', 'b')
        net['b'].send(build(BROADCAST, macs[9], 99))
        net.after('b')
        assert only_to(net, 'a', 'b', macs[9])


def test_full():
    """A full table learns no more, forwards all, and never exceeds its limit."""
    with Net(THREE, switch={'fdb': {'max': 64}}) as net:
        net.learn()
        macs = [f'02:dd:00:00:{n >> 8:02x}:{n & 0xff:02x}' for n in range(300)]
        frames = [build(net.macs['a'], mac, n) for n, mac in enumerate(macs)]
        got = net.exchange('b', 'a', frames)
        net.check_frames([f for _, f in got], frames, 'b to a')
        table = net.daemon.ctl('fdb', 'list')
        assert table['max'] == 64
        assert len(table['entries']) == table['n'] == 64
        net.daemon.wait_log(r'table is full')
        unknown = next(m for m in macs if (0, m) not in net.fdb())
        assert to_all(net, 'a', unknown)
        net.daemon.ctl('fdb', 'flush')
        net.learn()
        assert only_to(net, 'a', 'b', net.macs['b'])


def test_station_of_a_deleted_port():
    """With a port go its stations: their frames are flooded, not lost."""
    with Net(THREE) as net:
        net.learn()
        gone = net.macs['b']
        net.del_port('b')
        assert (0, gone) not in net.fdb()
        frame = build(gone, net.macs['a'], 1)
        net['a'].send(frame)
        assert net.after('a') == {'t': [frame]}


def test_port_down():
    """Frames to a station whose guest has gone are counted; a flood goes on to the others."""
    with Net(THREE) as net:
        net.learn()
        net.disconnect('b')
        net.daemon.wait_link('b', up=False)
        port = net.daemon.port('b')
        assert port['reason'], 'down without a reason'
        net['a'].send_many([build(net.macs['b'], net.macs['a'], n) for n in range(5)])
        assert net.after('a') == {'t': []}
        net.wait_drops('b', 'tx-down', 5)
        net.connect('b')
        net.daemon.wait_link('b')
        assert net.daemon.port('b')['reason'] == ''
        assert only_to(net, 'a', 'b', net.macs['b'])


def test_nobody_to_flood_to():
    """The last one standing talks to nobody, counted."""
    with Net({'a': 'server', 'b': 'server'}) as net:
        net.learn()
        net.disconnect('b')
        net.daemon.wait_link('b', up=False)
        net['a'].send_many([net.frame('a') for _ in range(7)])
        net.wait_drops('a', 'rx-no-port', 7)
