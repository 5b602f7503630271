# SPDX-License-Identifier: BSD-3-Clause
"""test_viommu.py: ports with `viommu: true`, whose guest answers when, and what, the test wants."""

import contextlib
import socket
import struct
import threading

import pytest

from daemon import wait_until
from frontend import MEMORY, PROTOCOL_REPLY_ACK, Frontend
from net import Net

ACCESS_PLATFORM, PROTOCOL_BACKEND_REQ = 1 << 33, 1 << 5
SET_BACKEND_REQ_FD, IOTLB_MSG = 21, 22
MISS, UPDATE, INVALIDATE = 1, 2, 3
READ_WRITE = 3
ENTRY = struct.Struct('=QQQBB6x')  # IOVA, bytes, user address, permissions, type
PAGE = 4096
PATIENCE_S = 5  # 0.1 s, and what a busy machine adds: each frame for itself had 16 s
RINGS = 0x100000  # all of them lie below; the buffers above


class Translated(Frontend):
    """A guest whose addresses are translated, each to itself, a page at a time and when asked."""

    def __init__(self, path):
        super().__init__(path)
        self.features |= ACCESS_PLATFORM
        self.wanted = PROTOCOL_REPLY_ACK | PROTOCOL_BACKEND_REQ
        self.misses, self.end = socket.socketpair()
        # a few messages fill it
        self.end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        self.misses.settimeout(0.05)
        self.asked = []  # pages
        self.answers = threading.Event()
        self.is_over = False
        self.lock = threading.Lock()  # one message at a time
        self.turn = threading.Lock()  # held while one is answered
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def set(self, request, payload=b'', fds=()):
        with self.lock:
            return super().set(request, payload, fds)

    def negotiate(self, more=0):
        super().negotiate(more)
        assert self.protocol == self.wanted
        assert self.set(SET_BACKEND_REQ_FD, b'', [self.end.fileno()])
        self.end.close()
        self.thread.start()

    def tell(self, kind, iova, size):
        """Says a translation, or takes it away."""
        return self.set(IOTLB_MSG, ENTRY.pack(iova, size, iova, READ_WRITE, kind))

    def serve(self):
        """Answers what is asked while it may."""
        while not self.is_over:
            self.answers.wait(0.05)
            with self.turn, contextlib.suppress(TimeoutError):
                if not self.answers.is_set():
                    continue
                message = self.misses.recv(12 + ENTRY.size, socket.MSG_WAITALL)
                if len(message) < 12 + ENTRY.size:
                    return
                iova, _, _, _, kind = ENTRY.unpack(message[12:])
                assert kind == MISS
                self.asked.append(iova // PAGE * PAGE)
                if iova < MEMORY:
                    assert self.tell(UPDATE, iova // PAGE * PAGE, PAGE)

    def pause(self):
        """Answers nothing more until answers is set again."""
        self.answers.clear()
        with self.turn:
            pass

    def close(self):
        self.is_over = True
        self.thread.join()
        self.misses.close()
        super().close()


@pytest.fixture(name='bed')
def fixture_bed():
    """Two other guests, and this one."""
    with Net({'a': 'server', 'b': 'server'}) as net:
        net.daemon.add({'name': 'x', 'type': 'vhost-user', 'socket': 'x.sock',
                        'datapath': 'library', 'viommu': 'true'})
        net.macs['x'], net.kinds['x'] = '02:00:00:00:0f:01', 'library'
        with Translated(net.daemon.path('x.sock')) as fe:
            yield net, fe


def send_in_time(net, fe, frame):
    """The frame comes. On a busy machine the test may be late with an answer, so that it is given
    up: it is sent again. Returns how often."""
    for n_late in range(5):
        net['a'].send(frame)
        got = fe.recv(1, 1)
        if got:
            assert got == [frame]
            return n_late
    raise AssertionError(f'{frame[:40].hex()} does not come: {net.daemon.counts("x")}')


def check_both_ways(net, fe, n=100):
    """All frames come, in order, though no translation is there before it is asked for."""
    net['a'].take()
    wait_until('all that was flooded', lambda: not fe.recv(1, 0.3))
    sent = [net.frame('x', 'a', i, 60 + 7 * i) for i in range(n)]
    fe.send_many(sent)
    assert net['a'].recv(n) == sent
    before, sent = net.counts('x'), [net.frame('a', 'x', i, 60 + 7 * i) for i in range(n)]
    n_late = sum(send_in_time(net, fe, frame) for frame in sent)
    before['drops']['tx-no-room'] += n_late
    wait_until('all are counted', lambda: (
        net.counts('x')['tx_frames'] == before['tx_frames'] + n and
        net.counts('x')['tx_bytes'] == before['tx_bytes'] + sum(map(len, sent))))
    assert net.counts('x')['drops'] == before['drops']


def check_others(net):
    """The others lose nothing."""
    for src, dst in (('a', 'b'), ('b', 'a')):
        frames = [net.frame(src, dst, i) for i in range(300)]
        got = net.exchange(src, dst, frames)
        net.check_frames([f for _, f in got], frames, 'beside it')


def check_in_vain(net, fe, n):
    """While nothing is translated n frames find no way, wait no longer than the first of them,
    and count once."""
    before = net.counts('x')
    net['a'].send_many([net.frame('a', 'x', i) for i in range(n)])
    check_others(net)
    reason = 'tx-no-room'
    wait_until('all are given up',
               lambda: net.counts('x')['drops'][reason] >= before['drops'][reason] + n, PATIENCE_S)
    before['drops'][reason] += n
    after = net.counts('x')
    assert all(after[key] == before[key] for key in ('drops', 'tx_frames', 'tx_bytes'))
    assert not fe.take()


def test_translations(bed):
    """Frames wait for translations, those that are answered late, too; while nobody answers, and
    nobody even reads the questions, others lose nothing. A ring whose translation is taken away
    goes on when it is there again."""
    net, fe = bed
    fe.start()
    assert net.daemon.port('x')['link'] == 'down'
    fe.answers.set()
    net.daemon.wait_link('x')
    assert 'ACCESS_PLATFORM' in net.daemon.port('x')['details']['features']
    net.learn()
    check_both_ways(net, fe)
    assert max(fe.asked) >= RINGS > min(fe.asked)

    fe.pause()
    assert fe.tell(INVALIDATE, RINGS, MEMORY - RINGS)
    sent = [net.frame('x', 'a', i) for i in range(20)]
    fe.send_many(sent)
    check_in_vain(net, fe, 200)
    fe.answers.set()
    assert net['a'].recv(20) == sent
    check_both_ways(net, fe)

    fe.asked.clear()
    assert fe.tell(INVALIDATE, 0, 2 ** 64 - 1)
    check_both_ways(net, fe)
    assert min(fe.asked) < RINGS
    assert net.daemon.port('x')['link'] == 'up'
    check_others(net)


def test_questions_that_nobody_reads(bed):
    """A peer that does not read what it is asked makes no worker wait, at no length."""
    net, fe = bed
    fe.start()
    fe.answers.set()
    net.daemon.wait_link('x')
    net.learn()
    check_both_ways(net, fe)
    net['b'].recv(10 ** 6, 0.1)  # flooded
    fe.pause()
    sent = [net.frame('x', 'a', i) for i in range(10)]
    for frame in sent:
        assert fe.tell(INVALIDATE, RINGS, MEMORY - RINGS)
        fe.send(frame)
        net['a'].send_many([net.frame('a', 'x', i) for i in range(10)])
        check_others(net)
    assert net.daemon.log().count('dpdk: ') < 1000
    fe.answers.set()
    assert net['a'].recv(10) == sent
