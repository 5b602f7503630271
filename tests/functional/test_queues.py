# SPDX-License-Identifier: BSD-3-Clause
"""test_queues.py: vhost-user ports of many queue pairs: the order of frames, which workers poll
them, and guests that change how many they use."""

import contextlib
import os
import threading
import time

import pytest

from daemon import wait_until
from frames import parse
from net import Net
from vguest import GuestError, Guests

CPUS = sorted(os.sched_getaffinity(0))[:2]
RINGS = {'split': {}, 'packed': {'packed': True}}
QUEUES = 16  # of the port
PAIRS = 8  # of the guest: virtio-user takes no more; tests/guest has guests with 16
FRAMES = 2000  # of each queue
CHANGES = (1, PAIRS, 3, PAIRS, 1)


def frame_of(net, src, dst, queue, number, size=60):
    """A frame whose number says by which queue it is sent."""
    return net.frame(src, dst, queue << 16 | number, size)


def polled_by(net, name):
    """queue -> CPUs of the workers that poll it."""
    found = {}
    for worker in net.daemon.ctl('worker', 'list')['workers']:
        for queue in worker['queues']:
            if queue['port'] == name:
                found.setdefault(queue['queue'], []).append(worker['cpu'])
    return found


def queues_on(net, name):
    """The queues of the port that are on, both ways: what `port show` says."""
    port = net.daemon.port(name)['details']
    rx, tx = ([int(word.split(':')[0]) for word in port[key].split()]
              for key in ('rx_rings', 'tx_rings'))
    assert rx == tx
    return rx


def receive_all(net, name, n_sent, wait=60.0):
    """What comes, as (queue, frame), until all that was sent has come or is counted as dropped."""
    got = []
    end = time.monotonic() + wait
    while True:
        got += net[name].recv_queues(n_sent - len(got), 0.3)
        drops = net.daemon.counts(name)['drops']
        if len(got) + drops.get('tx-no-room', 0) == n_sent:
            return got
        assert time.monotonic() < end, f'{len(got)} of {n_sent} came, drops: {drops}'


@pytest.mark.parametrize('rings', RINGS)
def test_order_at_full_speed(rings):
    """A guest sends on all its queues as fast as it can: what one queue sends arrives in order, by
    one queue of the other guest; all of its queues are used; no frame is lost uncounted."""
    many = {'queues': QUEUES, 'lcores': CPUS}
    with Net({'a': 'server', 'b': 'server'}, switch={'workers': CPUS},
             conf={n: many for n in 'ab'},
             guest={n: {'queues': PAIRS, **RINGS[rings]} for n in 'ab'}) as net:
        net.learn()
        assert queues_on(net, 'a') == queues_on(net, 'b') == list(range(PAIRS))
        polled = polled_by(net, 'a')
        assert sorted(polled) == list(range(QUEUES))
        assert all(cpus == [CPUS[queue % len(CPUS)]] for queue, cpus in polled.items())

        def send():
            for first in range(0, FRAMES, 20):  # some frames a queue, so that all are busy
                for queue in range(PAIRS):
                    net['a'].send_many([frame_of(net, 'a', 'b', queue, n, 60 + n % 500)
                                        for n in range(first, first + 20)], queue)
        sender = threading.Thread(target=send)
        sender.start()
        got = receive_all(net, 'b', PAIRS * FRAMES)
        sender.join()
        last, by = [-1] * PAIRS, {}
        for queue_in, frame in got:
            queue, number = divmod(parse(frame)[1], 1 << 16)
            assert number > last[queue], f'queue {queue}: {number} after {last[queue]}'
            last[queue] = number
            by.setdefault(queue, set()).add(queue_in)
        assert all(len(queues) == 1 for queues in by.values()), by
        assert sorted(q for queues in by.values() for q in queues) == list(range(PAIRS))


@pytest.mark.parametrize('rings', RINGS)
def test_guest_changes_its_queues(rings):
    """A guest goes from 1 to 8 pairs and back while others talk: `port show` follows, each queue
    that is on works, and nothing of the others' is lost."""
    with Net({n: 'server' for n in 'gcab'}, conf={'g': {'queues': QUEUES}},
             guest={'g': {'queues': PAIRS, **RINGS[rings]}}) as net:
        net.learn()
        stop = threading.Event()
        failures = []

        def others():
            number = 0
            while not stop.is_set():
                frames = [net.frame('a', 'b', n) for n in range(number, number + 32)]
                got = net.exchange('a', 'b', frames)
                number += 32
                if [f for _, f in got] != frames:
                    failures.append(f'{len(got)} of 32 frames from {number - 32} on')
        thread = threading.Thread(target=others)
        thread.start()
        try:
            for n_pairs in CHANGES:
                net.guests.set_queues(net['g'], n_pairs)
                net.wait_pairs('g', n_pairs)
                assert queues_on(net, 'g') == list(range(n_pairs))
                check_each_queue(net, n_pairs)
        finally:
            stop.set()
            thread.join()
        assert not failures, failures
        assert net.daemon.port('g')['link'] == 'up'


def check_each_queue(net, n_pairs):
    """What g sends by each of its queues comes to c, and what c sends comes by one that is on."""
    for queue in range(n_pairs):
        frames = [frame_of(net, 'g', 'c', queue, n) for n in range(40)]
        got = net.exchange('g', 'c', frames, queue=queue)
        net.check_frames([f for _, f in got], frames, f'queue {queue} of {n_pairs}')
    frames = [net.frame('c', 'g', n) for n in range(100)]
    got = net.exchange('c', 'g', frames)
    net.check_frames([f for _, f in got], frames, f'to a guest with {n_pairs} pairs')
    assert all(queue < n_pairs for queue, _ in got)


@pytest.mark.parametrize('n_queues', [1, 3])
def test_guest_with_fewer(n_queues):
    """A port of four queues takes a guest of fewer: what is on is what the guest has."""
    with Net({'a': 'server', 'b': 'server'}, conf={'a': {'queues': 4}},
             guest={'a': {'queues': n_queues}}) as net:
        net.learn()
        assert queues_on(net, 'a') == list(range(n_queues))
        for queue in range(n_queues):
            frames = [net.frame('a', 'b', n, 60 + n) for n in range(500)]
            got = net.exchange('a', 'b', frames, queue=queue)
            net.check_frames([f for _, f in got], frames, f'a queue {queue} to b')
        frames = [net.frame('b', 'a', n, 60 + n) for n in range(500)]
        got = net.exchange('b', 'a', frames)
        net.check_frames([f for _, f in got], frames, 'b to a')


def test_guest_with_more():
    """A guest that wants eight of a port's four queues does not get more than there are, and the
    port serves the next."""
    with Net({'a': 'server', 'b': 'server'}, conf={'a': {'queues': 4}},
             guest={'a': {'queues': 4}}) as net, Guests() as greedy:
        net.learn()
        net.disconnect('a')
        net.daemon.wait_link('a', up=False)
        with contextlib.suppress(GuestError):
            greedy.add('a', net.daemon.path('a.sock'), queues=PAIRS)
            assert net.daemon.port('a')['details']['queue_pairs_on'] <= 4
        greedy.kill9()
        wait_until('the greedy one is gone',
                   lambda: not net.daemon.port('a')['details']['connected'])
        net.connect('a')
        net.wait_pairs('a', 4)
        net.learn()
        for src, dst in (('a', 'b'), ('b', 'a')):
            frames = [net.frame(src, dst, n) for n in range(300)]
            got = net.exchange(src, dst, frames)
            net.check_frames([f for _, f in got], frames, f'{src} to {dst}')
