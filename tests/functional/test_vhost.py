# SPDX-License-Identifier: BSD-3-Clause
"""test_vhost.py: vhost-user ports: guests of all features, long frames, guests that leave, die and
return, a daemon that dies and returns, and peers that are no guests at all."""

import itertools
import os
import socket
import struct
import time

import pytest

from daemon import wait_until
from net import Net
from vguest import Guests

FEATURES = {
    'plain': {},
    'no-mrg': {'mrg_rxbuf': False},
    'no-inorder': {'in_order': False},
    'neither': {'mrg_rxbuf': False, 'in_order': False},
    'chains': {'segment': 26},
    'small-ring': {'queue_size': 64},
    'large-ring': {'queue_size': 1024},
    'packed': {'packed': True},
    'packed-no-mrg': {'packed': True, 'mrg_rxbuf': False, 'in_order': False},
    'packed-no-inorder': {'packed': True, 'in_order': False},
    'packed-chains': {'packed': True, 'segment': 26},
    'packed-odd-ring': {'packed': True, 'in_order': False, 'queue_size': 200},
}


@pytest.fixture(scope='module', name='guests')
def fixture_guests():
    """One vguest for many tests."""
    with Guests() as guests:
        yield guests


def check_negotiated(net, name, options):
    """What the guest asked for is what it has."""
    port = net.daemon.port(name)['details']
    packed = options.get('packed', False)
    assert port['ring_layout'] == ('packed' if packed else 'split')
    words = set(port['features'].split())
    assert ('RING_PACKED' in words) == packed
    assert ('MRG_RXBUF' in words) == options.get('mrg_rxbuf', True)
    assert ('IN_ORDER' in words) == options.get('in_order', True)


@pytest.mark.parametrize('kind', ['server', 'client', 'library'])
@pytest.mark.parametrize('features', FEATURES)
def test_features(guests, kind, features):
    """Whatever a guest negotiates, frames of many sizes come and go unaltered, several times round
    its rings."""
    with Net({'g': kind, 'o': 'server'}, guest={'g': FEATURES[features]}, guests=guests) as net:
        check_negotiated(net, 'g', FEATURES[features])
        net.learn()
        for src, dst in (('g', 'o'), ('o', 'g')):
            frames = [net.frame(src, dst, n, 60 + n * 7 % 1455) for n in range(2500)]
            got = net.exchange(src, dst, frames, window=48)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')
        assert not any(net.after('g').values())


LONG = {'conf': {n: {'mtu': 9000} for n in 'ab'}}


@pytest.mark.parametrize('kinds', itertools.product(['server', 'library'], repeat=2),
                         ids='-'.join)
def test_long_frames(guests, kinds):
    """Up to an MTU of 9000, in mergeable buffers and in chains of many descriptors."""
    with Net(dict(zip('ab', kinds)), guest={'a': {'segment': 512}}, guests=guests, **LONG) as net:
        net.learn()
        for src, dst in (('a', 'b'), ('b', 'a')):
            frames = [net.frame(src, dst, n, size)
                      for n, size in enumerate([*range(1500, 9014, 131), 9013, 9014])]
            got = net.exchange(src, dst, frames, window=16)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')


def test_longer_than_the_mtu(guests):
    """Longer than the MTU of the port where it comes in, or where it is to go out."""
    with Net({'a': 'server', 'b': 'server', 'c': 'server'}, conf={'a': {'mtu': 9000}},
             guest={'b': {'mtu': 9000}}, guests=guests) as net:
        net.learn()
        just, over = net.frame('a', 'b', 1, 1514), net.frame('a', 'b', 2, 1515)
        tagged = net.frame('a', 'b', 3, 1514, tags=[(0x8100, 5)])
        net['a'].send_many([just, over, tagged])
        seen = net.after('a')
        assert seen == {'b': [just, tagged], 'c': [tagged]}
        net.wait_drops('b', 'tx-oversize', 1)
        just, over = net.frame('b', 'a', 4, 1514), net.frame('b', 'a', 5, 1515)
        tagged = net.frame('b', 'a', 6, 1515, tags=[(0x8100, 5)])
        net['b'].send_many([over, tagged, just])
        assert net.after('b') == {'a': [just], 'c': []}
        net.wait_drops('b', 'rx-oversize', 2)
        flooded = net.frame('a', number=7, size=5000)
        net['a'].send(flooded)
        assert net.after('a') == {'b': [], 'c': []}
        net.wait_drops('c', 'tx-oversize', 1)


def test_longer_than_the_buffers(guests):
    """A guest with small buffers that can't merge them gets no part of a frame."""
    with Net({'a': 'server', 'b': 'server'}, conf={n: {'mtu': 9000} for n in 'ab'},
             guest={'b': {'mtu': 1500, 'mrg_rxbuf': False}}, guests=guests) as net:
        net.learn()
        net['a'].send_many([net.frame('a', 'b', n, 5000) for n in range(3)])
        last = net.frame('a', 'b', 9, 1514)
        net['a'].send(last)
        assert net['b'].recv(1) == [last]
        net.wait_drops('b', 'tx-oversize', 3)
        frames = [net.frame('a', 'b', n, 60 + n) for n in range(600)]
        got = net.exchange('a', 'b', frames)
        net.check_frames([f for _, f in got], frames, 'after it')


@pytest.mark.parametrize('kind', ['server', 'client', 'library'])
def test_guest_leaves_and_returns(kind):
    """A guest that shuts down, and one that is killed: the link follows, others lose nothing, and
    the next guest on the socket finds a working port."""
    with Net({'g': kind, 'a': 'server', 'b': 'server'}) as net:
        with Guests() as others:
            net.learn()
            for how in ('leaves', 'dies', 'leaves'):
                if how == 'dies':
                    net.disconnect('g')
                    net.daemon.wait_link('g', up=False)
                    if kind == 'client' and os.path.exists(net.daemon.path('g.sock')):
                        os.unlink(net.daemon.path('g.sock'))
                    guest = others.add('g', net.daemon.path('g.sock'), server=kind == 'client')
                    net.daemon.wait_link('g')
                    guest.send_many([net.frame('g') for _ in range(100)])
                    others.kill9()
                    if kind == 'client':
                        os.unlink(net.daemon.path('g.sock'))
                else:
                    net.disconnect('g')
                net.daemon.wait_link('g', up=False)
                frames = [net.frame('a', 'b', n) for n in range(300)]
                net['b'].recv(10 ** 6, 0.1)
                got = net.exchange('a', 'b', frames)
                net.check_frames([f for _, f in got], frames, 'beside it')
                net['a'].take()
                net.connect('g')
                net.daemon.wait_link('g')
                net.learn()
                for src, dst in (('g', 'a'), ('a', 'g')):
                    frames = [net.frame(src, dst, n, 60 + n) for n in range(600)]
                    got = net.exchange(src, dst, frames)
                    net.check_frames([f for _, f in got], frames, f'{src} to {dst} after it {how}')


@pytest.mark.parametrize('path', ['direct', 'library'])
@pytest.mark.parametrize('end', ['kill9', 'stop'])
def test_daemon_returns(path, end):
    """Guests that own the socket keep running while the daemon dies or is restarted, and go on."""
    conf = {n: {'datapath': path} for n in 'ab'}
    with Net({'a': 'client', 'b': 'client'}, conf=conf) as net:
        net.learn()
        for _ in range(2):
            if end == 'kill9':
                net.daemon.kill9()
            else:
                assert net.daemon.stop() == 0
            net.daemon.start()
            net.daemon.wait_link('a', 'b')
            time.sleep(0.5)  # vguest takes its rings up again
            for name in 'ab':
                net[name].take()
            net.learn()
            for src, dst in (('a', 'b'), ('b', 'a')):
                frames = [net.frame(src, dst, n, 60 + n) for n in range(1000)]
                got = net.exchange(src, dst, frames)
                net.check_frames([f for _, f in got], frames, f'{src} to {dst} after the restart')


def test_client_waits_for_its_guest():
    """mode: client tries until the guest's socket is there."""
    with Net({'a': 'server'}) as net:
        net.daemon.add({'name': 'w', 'type': 'vhost-user', 'socket': 'w.sock', 'mode': 'client'})
        assert net.daemon.port('w')['link'] == 'down'
        assert 'w.sock' in net.daemon.port('w')['reason']
        time.sleep(2.5)
        guest = net.guests.add('w', net.daemon.path('w.sock'), server=True)
        net.daemon.wait_link('w')
        frame = net.frame('a')
        net['a'].send(frame)
        assert guest.recv(1) == [frame]


@pytest.mark.parametrize('path', ['direct', 'library'])
def test_two_queues(path):
    """A guest with two queue pairs sends on both, all arrives; on another port with two as well."""
    conf = {n: {'queues': 2, 'datapath': path} for n in 'ab'}
    with Net({'a': 'server', 'b': 'server', 'c': 'server'}, conf=conf,
             guest={n: {'queues': 2} for n in 'ab'}) as net:
        net.learn()
        for src, dst in (('a', 'b'), ('b', 'a'), ('a', 'c'), ('c', 'a')):
            for queue in range(2 if src != 'c' else 1):
                frames = [net.frame(src, dst, n, 60 + n % 1400) for n in range(1000)]
                got = net.exchange(src, dst, frames, queue=queue)
                net.check_frames([f for _, f in got], frames, f'{src} queue {queue} to {dst}')
        assert {q['queue'] for w in net.daemon.ctl('worker', 'list')['workers']
                for q in w['queues'] if q['port'] == 'a'} == {0, 1}


def test_guest_with_fewer_queues():
    """A port of four queues and a guest that uses one."""
    with Net({'a': 'server', 'b': 'server'}, conf={'a': {'queues': 4}}) as net:
        net.learn()
        for src, dst in (('a', 'b'), ('b', 'a')):
            frames = [net.frame(src, dst, n, 60 + n) for n in range(1000)]
            got = net.exchange(src, dst, frames)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')


def header(request, size, flags=1):
    """The head of a vhost-user message."""
    return struct.pack('=III', request, flags, size)


GARBAGE = {
    'nothing': b'',
    'zeroes': bytes(4096),
    'text': b'GET / HTTP/1.1\r\n\r\n' * 20,
    'half a head': header(1, 0)[:7],
    'unknown request': header(4711, 8) + bytes(8),
    'too long': header(2, 0xffffffff) + bytes(64),
    'size of another request': header(2, 3) + bytes(3),
    'no version': header(1, 0, 0),
    'memory table without memory': header(5, 8) + struct.pack('=II', 0, 0),
    'memory table that lies': header(5, 8 + 32) + struct.pack('=IIQQQQ', 8, 0, 0, 1 << 40, 0, 0),
    'ring of a queue that is not': header(8, 8) + struct.pack('=II', 255, 256),
    'ring of 3 entries': header(8, 8) + struct.pack('=II', 0, 3),
    'addresses before memory': header(9, 40) + struct.pack('=IIQQQQ', 0, 0, 1, 2, 3, 4),
    'kick without memory': header(12, 8) + struct.pack('=Q', 0x100),
    'base of a ring that is not': header(11, 8) + struct.pack('=II', 77, 0),
    'enable of a ring that is not': header(18, 8) + struct.pack('=II', 200, 1),
}


@pytest.mark.parametrize('kind', ['server', 'library'])
def test_no_guest(kind):
    """Peers that speak no vhost-user, or a wrong one, end their connection at most."""
    with Net({'a': 'server', 'b': 'server'}) as net:
        d = net.daemon
        d.add({'name': 'x', 'type': 'vhost-user', 'socket': 'x.sock',
               'datapath': 'library' if kind == 'library' else 'direct'})
        net.learn()
        for what, data in GARBAGE.items():
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(1)
                s.connect(d.path('x.sock'))
                try:
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(4096):
                        pass
                except OSError:
                    pass
            assert d.alive(), f'{what}: the daemon is gone: {d.log()[-3000:]}'
        frames = [net.frame('a', 'b', n) for n in range(200)]
        got = net.exchange('a', 'b', frames)
        net.check_frames([f for _, f in got], frames, 'a to b')
        guest = net.guests.add('x', d.path('x.sock'))
        d.wait_link('x')
        frame = net.frame('a')
        net['a'].send(frame)
        assert guest.recv(1) == [frame]
        net.guests.remove(guest)


def test_second_guest_on_a_socket():
    """A socket serves one guest: a second one neither gets its frames nor disturbs it."""
    with Net({'a': 'server', 'b': 'server'}) as net, Guests() as second:
        net.learn()
        try:
            intruder = second.add('a', net.daemon.path('a.sock'))
        except AssertionError:
            intruder = None  # it was shown the door at once
        assert net.daemon.alive()
        for src, dst in (('a', 'b'), ('b', 'a')):
            frames = [net.frame(src, dst, n) for n in range(300)]
            got = net.exchange(src, dst, frames)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')
        if intruder:
            assert intruder.none()
        second.kill9()
        wait_until('still up', lambda: net.daemon.port('a')['link'] == 'up')
        net.learn()


@pytest.mark.parametrize('kind', ['server', 'library'])
def test_post_copy_that_does_not_end(kind):
    """Memory behind a peer's userfaultfd would block a worker: the port says why it is down, nobody
    else notices, and it serves the next guest."""
    with Net({'a': 'server', 'b': 'server'}) as net:
        net.learn()
        d = net.daemon
        d.ctl('port', 'add', 'x', 'type=vhost-user', f'socket={d.path("x.sock")}',
              f'datapath={"direct" if kind == "server" else kind}')
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(d.path('x.sock'))
            # POSTCOPY_ADVISE and _LISTEN, version 1, no payload
            peer.sendall(struct.pack('=IIIIII', 28, 1, 0, 29, 1, 0))
            wait_until('the reason', lambda: 'post-copy' in d.port('x')['reason'])
            assert d.port('x')['link'] == 'down'
            frames = [net.frame('a', 'b', n) for n in range(100)]
            got = net.exchange('a', 'b', frames)
            net.check_frames([f for _, f in got], frames, 'a to b')
        wait_until('forgotten', lambda: 'waiting for QEMU' in d.port('x')['reason'])
        d.ctl('port', 'del', 'x')
