# SPDX-License-Identifier: BSD-3-Clause
"""test_messages.py: messages of a front-end that is no QEMU, or one that does things in another
order: logs of dirty pages that come, go, and can't be used."""

import contextlib
import mmap
import os
import random
import socket
import struct
import time

import pytest

from daemon import wait_until
from frontend import (AVAIL, BUFFER, GET_FEATURES, LOG_ALL, NEED_REPLY, PROTOCOL_RARP, RESET_OWNER,
                      GET_VRING_BASE, SEND_RARP, SET_FEATURES, SET_LOG_BASE, SET_MEM_TABLE,
                      SET_VRING_CALL, SET_VRING_ERR, SET_VRING_KICK, SET_VRING_NUM, SIZE, USED,
                      WRITE, MEMORY, Frontend)
from fuse import FLUSH, FuseFile
from marks import choose
from net import Net
from test_leaks import fds

PAGE = 4096
POSTCOPY_ADVISE = 28
LOG_SIZE = PAGE  # bytes: for 128 MiB of guest memory


class Log:
    """The file of a log, and what is in it."""

    def __init__(self):
        self.file = os.memfd_create('dirty-log')
        os.ftruncate(self.file, 2 * LOG_SIZE)
        self.bits = mmap.mmap(self.file, 2 * LOG_SIZE)

    def has(self, addr):
        """Whether the page of a guest address is marked."""
        return bool(self.bits[addr // PAGE // 8] >> addr // PAGE % 8 & 1)

    def clear(self):
        """No page is."""
        self.bits[:] = bytes(len(self.bits))

    def is_clear(self):
        """Whether none is."""
        return not any(self.bits[:])

    def close(self):
        """Unmaps and closes it."""
        self.bits.close()
        os.close(self.file)


def memfds(pid):
    """Those of the open files of a process that came from a front-end."""
    return [name for name in fds(pid) if 'memfd:' in name]


def is_open(pid, path):
    """Whether a process has that file open."""
    for fd in os.listdir(f'/proc/{pid}/fd'):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink(f'/proc/{pid}/fd/{fd}') == path:
                return True
    return False


def offer_log(fe, log, offset=0, n_files=1):
    """SET_LOG_BASE; whether the switch took it. It answers in its own way if so: with nothing."""
    return fe.set(SET_LOG_BASE, struct.pack('=QQ', LOG_SIZE, offset), [log.file] * n_files)


@contextlib.contextmanager
def bed(kind='server', packed=False):
    """A network, a front-end on a port x of that kind, and a log."""
    with Net({'a': 'server'}) as net:
        net.daemon.add({'name': 'x', 'type': 'vhost-user', 'socket': 'x.sock',
                        'datapath': 'library' if kind == 'library' else 'direct'})
        net.macs['x'] = '02:00:00:00:0f:01'
        net.kinds['x'] = kind
        log = Log()
        try:
            with Frontend(net.daemon.path('x.sock'), packed) as fe:
                yield net, fe, log
        finally:
            log.close()


def check_traffic(net, fe, n=40):
    """Frames go both ways."""
    net['a'].take()
    frames = [net.frame('x', 'a', i) for i in range(n)]
    fe.send_many(frames)
    got = net['a'].recv(n)
    assert got == frames, (net.counts('x'), net.counts('a'), net.daemon.port('x'))
    frames = [net.frame('a', 'x', i) for i in range(n)]
    net['a'].send_many(frames)
    assert fe.recv(n) == frames


@pytest.mark.parametrize('packed', [False, True], ids=['split', 'packed'])
@pytest.mark.parametrize('kind', ['server', 'library'])
def test_log_is_gone_with_reset_owner(kind, packed):
    """RESET_OWNER takes the log away: nobody writes where it was. Another one may follow."""
    with bed(kind, packed) as (net, fe, log):
        fe.negotiate()
        assert offer_log(fe, log)
        assert fe.set(RESET_OWNER)
        assert not fe.set_u64(SET_FEATURES, fe.features | LOG_ALL)
        assert fe.set_u64(SET_FEATURES, fe.features)
        fe.share_memory()
        fe.fill()
        for ring in fe.rings:
            fe.start_ring(ring)
        net.daemon.wait_link('x')
        check_traffic(net, fe)
        assert log.is_clear()
        assert offer_log(fe, log)
        assert fe.set_u64(SET_FEATURES, fe.features | LOG_ALL)
        check_traffic(net, fe)
        assert log.has(fe.rings[0].data)


def test_log_is_gone_and_said_to_be_there():
    """The same order of messages as a front-end that does not ask for answers sends it."""
    with bed() as (net, fe, log):
        fe.negotiate()
        assert offer_log(fe, log)
        fe.message(RESET_OWNER)
        fe.message(SET_FEATURES, struct.pack('=Q', fe.features | LOG_ALL))
        assert fe.answer(GET_FEATURES) is None  # the connection was closed
        net.daemon.wait_link('x', up=False)
        assert net.daemon.alive()


@pytest.mark.parametrize('packed', [False, True], ids=['split', 'packed'])
def test_log_is_replaced(packed):
    """A log that comes while another one is written takes over, at once and wholly."""
    with bed(packed=packed) as (net, fe, log), contextlib.closing(Log()) as other:
        fe.start()
        net.daemon.wait_link('x')
        assert offer_log(fe, log)
        check_traffic(net, fe)
        assert log.is_clear()  # LOG_ALL is not set
        assert fe.set_u64(SET_FEATURES, fe.features | LOG_ALL)
        check_traffic(net, fe)
        data = fe.rings[0].data
        assert [n for n in range(0, SIZE, 2) if log.has(data + n * BUFFER)] == [
            *range(0, 16, 2), *range(40, SIZE, 2)]  # 40 frames, behind 40 others
        assert log.has(fe.rings[1].desc if packed else fe.rings[1].device)
        assert not log.has(fe.rings[1].data)  # was only read
        assert offer_log(fe, other)
        log.clear()
        check_traffic(net, fe)
        assert log.is_clear()
        assert [n for n in range(0, SIZE, 2) if other.has(data + n * BUFFER)] == [
            *range(16, 56, 2)]
        assert fe.set_u64(SET_FEATURES, fe.features)
        other.clear()
        check_traffic(net, fe)
        assert log.is_clear() and other.is_clear()


@pytest.mark.parametrize('n_files', [1, 8])
@pytest.mark.parametrize('offset', [PAGE, 2 ** 64 - 1])
def test_log_with_an_offset(offset, n_files):
    """It is refused, no file that came with it stays open, and the log before it goes on."""
    with bed() as (net, fe, log):
        fe.start()
        net.daemon.wait_link('x')
        before = memfds(net.daemon.pid)
        for _ in range(20):
            assert not offer_log(fe, log, offset, n_files)
        assert memfds(net.daemon.pid) == before
        assert offer_log(fe, log)
        assert fe.set_u64(SET_FEATURES, fe.features | LOG_ALL)
        assert not offer_log(fe, log, offset, n_files)
        fe.enable(fe.rings[0], True)
        check_traffic(net, fe)
        assert log.has(fe.rings[0].data)
        assert memfds(net.daemon.pid) == before


def test_place_that_was_asked():
    """A packed ring that is stopped and started again where the switch said it was is not looked
    at: what may be the rest of a chain stays as it is, and what came back before it, too."""
    with bed(packed=True) as (net, fe, _):
        fe.start()
        net.daemon.wait_link('x')
        ring = fe.rings[0]
        frames = [net.frame('a', 'x', i) for i in range(10)]
        net['a'].send_many(frames)
        end = ring.desc + 16 * 9 + 14
        wait_until('10 frames', lambda: fe.memory[end + 1] & USED >> 8)
        assert fe.stop_ring(ring) == 10 | 1 << 15
        place = ring.desc + 16 * 3 + 14  # flags: as if nobody had come to this one
        fe.memory[place:place + 2] = struct.pack('=H', WRITE | AVAIL)
        before = fe.memory[ring.desc:ring.desc + 16 * SIZE]
        ring.n_used = 10  # what start_ring() says
        fe.start_ring(ring)
        net.daemon.wait_link('x')
        assert fe.memory[ring.desc:ring.desc + 16 * SIZE] == before
        fe.fill()
        check_traffic(net, fe)


@pytest.mark.parametrize('packed', [False, True], ids=['split', 'packed'])
def test_pair_off_and_on(packed):
    """A queue pair that is switched off and on while frames come and go: what the guest sends waits
    in its ring, what is sent to it comes whole and in order, or is counted."""
    with bed(packed=packed) as (net, fe, _):
        fe.start()
        net.daemon.wait_link('x')
        check_traffic(net, fe)
        for ring in fe.rings:
            fe.enable(ring, False)
        net['a'].send_many([net.frame('a', 'x') for _ in range(5)])
        net.wait_drops('x', 'tx-down', 5)
        waits = net.frame('x', 'a')
        fe.send(waits)
        assert net['a'].none()
        sent, to_x, got, got_x = [waits], [], [], []
        for n in range(400):
            sent.append(net.frame('x', 'a', n, 60 + n))
            to_x.append(net.frame('a', 'x', n, 60 + n))
            fe.send(sent[-1])
            net['a'].send(to_x[-1])
            if n % 7 in (2, 5):
                for ring in fe.rings[::1 if n % 2 else -1]:
                    fe.enable(ring, n % 7 == 5)
            got_x += fe.take()
            if n % 28 == 27:  # it is on: the ring has no room for many more
                got += net['a'].recv(len(sent) - len(got))
        for ring in fe.rings:
            fe.enable(ring, True)
        got += net['a'].recv(len(sent) - len(got))
        assert got == sent
        end = net.frame('a', 'x')
        net['a'].send(end)
        wait_until('the last frame', lambda: got_x.extend(fe.take()) or end in got_x)
        assert got_x[-1] == end
        at = [to_x.index(f) for f in got_x[:-1]]
        assert at == sorted(set(at))
        assert at and len(at) + net.counts('x')['drops']['tx-down'] - 5 == len(to_x)


def rarp(mac):
    """The announcement of a station: RFC 903, "who am I", to all."""
    frame = b'\xff' * 6 + mac + struct.pack('>HHHBBH', 0x8035, 1, 0x0800, 6, 4, 3)
    return (frame + mac + bytes(4) + mac + bytes(4)).ljust(60, b'\0')


def test_announcement():
    """SEND_RARP: all others are told by a frame, and the switch knows the station at once. The
    guest itself hears nothing of it."""
    with bed() as (net, fe, _):
        net.add_port('b', 'server')
        fe.start()
        net.daemon.wait_link('x')
        assert fe.protocol & PROTOCOL_RARP
        mac = bytes.fromhex(net.macs['x'].replace(':', ''))
        for n in range(3):
            assert (0, net.macs['x']) not in net.fdb()
            assert fe.set(SEND_RARP, mac + bytes(2))
            assert net['a'].recv(1) == net['b'].recv(1) == [rarp(mac)]
            assert net.fdb()[0, net.macs['x']] == 'x'
            frame = net.frame('a', 'x', n)
            net['a'].send(frame)
            assert fe.recv(1) == [frame]
            assert net['b'].none()
            check_traffic(net, fe)
            net['b'].take()
            net.daemon.ctl('fdb', 'flush')


def test_announcement_of_the_library():
    """It has bytes in it that nobody wrote there for all to read."""
    with bed('library') as (_, fe, _):
        fe.negotiate()
        assert not fe.protocol & PROTOCOL_RARP


def test_announcement_of_nobody():
    """A group, or nobody, is no station: dropped and counted as if the guest had sent it. A message
    that is too short is refused."""
    with bed() as (net, fe, _):
        fe.start()
        net.daemon.wait_link('x')
        for n, mac in enumerate([b'\xff' * 6, bytes(6), b'\x01\x80\xc2\0\0\0']):
            assert fe.set(SEND_RARP, mac + bytes(2))
            net.wait_drops('x', 'rx-bad-source', n + 1)
        assert not fe.set(SEND_RARP, bytes(6))
        check_traffic(net, fe)
        assert net['a'].none()


def check_cut(net, fe, log, what, size):
    """The guest starts; while frames come and go the file is cut to that size."""
    fe.start()
    net.daemon.wait_link('x')
    os.ftruncate(log.file, 2 * LOG_SIZE)
    assert offer_log(fe, log)
    assert fe.set_u64(SET_FEATURES, fe.features | LOG_ALL)
    check_traffic(net, fe)
    net['b'].recv(10 ** 6, 0.1)  # flooded
    net.learn()
    net['a'].send_many([net.frame('a', 'x', n) for n in range(150)])
    fe.send_many([net.frame('x', 'a', n) for n in range(20)])
    # what is cut must not be touched here either
    os.ftruncate(fe.file if what == 'memory' else log.file, size)

    def is_noticed():
        net['a'].send(net.frame('a', 'x'))
        if what == 'log':
            fe.take()  # so that there is room
        return 'cut a file short' in net.daemon.port('x')['reason']
    wait_until('the reason', is_noticed)
    assert not net.daemon.port('x')['details']['attached']
    net['a'].take()
    frames = [net.frame('a', 'b', n) for n in range(200)]
    got = net.exchange('a', 'b', frames)
    net.check_frames([f for _, f in got], frames, 'beside it')
    before = net.counts('x')['drops']['tx-down']
    net['a'].send(net.frame('a', 'x'))
    net.wait_drops('x', 'tx-down', before + 1)
    fe.sock.close()
    net.daemon.wait_link('x', up=False)
    wait_until('forgotten', lambda: 'waiting for' in net.daemon.port('x')['reason'])


CUTS = {f'{what}, {kind}, {"packed" if packed else "split"}': (what, kind, packed)
        for what in ('memory', 'log') for kind in ('server', 'library') for packed in (False, True)}


@pytest.mark.parametrize('case', choose(CUTS, 'memory, server, split', 'memory, library, packed',
                                        'log, server, packed'))
def test_file_is_cut(case):
    """A peer that cuts its guest's memory, or its log, short while frames come and go loses its
    port, until it connects anew. Nobody else notices."""
    what, kind, packed = CUTS[case]
    with bed(kind, packed) as (net, fe, log):
        net.add_port('b', 'server')
        check_cut(net, fe, log, what, 0)
        with Frontend(net.daemon.path('x.sock'), packed) as second:
            check_cut(net, second, log, what, PAGE if what == 'memory' else 0)
        with Frontend(net.daemon.path('x.sock'), packed) as third:
            third.start()
            net.daemon.wait_link('x')
            check_traffic(net, third)


@pytest.mark.parametrize('kind', ['server', 'library'])
def test_file_that_is_too_short(kind):
    """Memory or a log that is longer than its file is refused, what was stays, and no file stays
    open."""
    with bed(kind) as (net, fe, log):
        fe.start()
        net.daemon.wait_link('x')
        os.ftruncate(log.file, LOG_SIZE - 1)
        before = memfds(net.daemon.pid)
        for _ in range(10):
            assert not offer_log(fe, log)
            for size, offset in ((MEMORY + 1, 0), (MEMORY, PAGE), (MEMORY, 2 ** 64 - MEMORY)):
                assert not fe.set(SET_MEM_TABLE, struct.pack('=IIQQQQ', 1, 0, 0, size, 0, offset),
                                  [fe.file])
        assert memfds(net.daemon.pid) == before
        fe.enable(fe.rings[0], True)
        check_traffic(net, fe)
        assert 'longer than' in net.daemon.log()


@pytest.mark.parametrize('kind', ['server', 'library'])
def test_memory_that_fails(kind):
    """A table of memory that can't be mapped is refused while frames come and go: the one before
    stays in use, and when its file is cut all the same that hurts nobody else."""
    with bed(kind) as (net, fe, _):
        net.add_port('b', 'server')
        fe.start()
        net.daemon.wait_link('x')
        check_traffic(net, fe)
        large = os.memfd_create('large')
        os.ftruncate(large, 1 << 62)
        region = struct.pack('=QQQQ', 0, MEMORY, 0, 0)
        bad = [(struct.pack('=II', 1, 0) + region, []),
               (struct.pack('=II', 1, 0) + region, [fe.file] * 2),
               (struct.pack('=II', 9, 0) + 8 * region, [fe.file] * 8),
               (struct.pack('=IIQQQQ', 1, 0, 0, 0, 0, 0), [fe.file]),
               (struct.pack('=IIQQQQ', 1, 0, 0, 1 << 62, 0, 0), [large]),
               (struct.pack('=II', 1, 0) + region, [fe.kicks[0]])]
        before = memfds(net.daemon.pid)
        for table, files in 5 * bad:
            net['a'].send_many([net.frame('a', 'x', n) for n in range(40)])
            assert not fe.set(SET_MEM_TABLE, table, files)
            fe.recv(40)
            check_traffic(net, fe)
        assert memfds(net.daemon.pid) == before
        os.close(large)
        net['b'].recv(10 ** 6, 0.1)  # flooded
        net.learn()
        os.ftruncate(fe.file, 0)
        net['a'].send_many([net.frame('a', 'x', n) for n in range(100)])
        assert not fe.set(SET_MEM_TABLE, bad[0][0])
        wait_until('the reason', lambda: 'cut a file short' in net.daemon.port('x')['reason'])
        frames = [net.frame('a', 'b', n) for n in range(100)]
        net.check_frames([f for _, f in net.exchange('a', 'b', frames)], frames, 'beside it')


@pytest.mark.parametrize('kind', ['server', 'library'])
def test_file_of_the_peer_itself(kind):
    """Memory or a log in a file that the front-end serves itself is refused before anybody waits
    for a page of it; what was stays."""
    with bed(kind) as (net, fe, log):
        fe.start()
        net.daemon.wait_link('x')
        place = net.daemon.path('fuse')
        with open(place, 'w', encoding='ascii'):
            pass
        try:
            file = FuseFile(place, MEMORY)
        except OSError as e:
            pytest.skip(str(e))
        with file:
            for _ in range(3):
                assert not fe.set(SET_MEM_TABLE, struct.pack('=IIQQQQ', 1, 0, 0, MEMORY, 0, 0),
                                  [file.file])
                assert not fe.set(SET_LOG_BASE, struct.pack('=QQ', LOG_SIZE, 0), [file.file])
            assert set(file.asked) <= {FLUSH}, 'it was asked what it is'
            assert not is_open(net.daemon.pid, place)
            fe.enable(fe.rings[0], True)
            check_traffic(net, fe)
        net.daemon.wait_log('WARN +port x: guest memory lies on FUSE, which can keep the switch')
        net.daemon.wait_log('WARN +port x: the log of dirty pages lies on FUSE, which can keep')
        assert offer_log(fe, log)
        check_traffic(net, fe)


def test_file_of_unknown_kind():
    """So is memory of which nobody can say who brings its pages."""
    with bed() as (net, fe, _):
        fe.start()
        net.daemon.wait_link('x')
        with open('/proc/self/oom_score_adj', 'rb') as file:
            assert not fe.set(SET_MEM_TABLE, struct.pack('=IIQQQQ', 1, 0, 0, MEMORY, 0, 0),
                              [file.fileno()])
        net.daemon.wait_log('guest memory lies on a file system that vswitchd does not know')
        check_traffic(net, fe)


# what was not offered, and the library does all the same: numbers of messages, and what they say
NOT_OFFERED = {
    'SET_LOG_FD': (7, b'', 1), 'SEND_RARP': (19, bytes(8), 0), 'SET_BACKEND_REQ_FD': (21, b'', 1),
    'IOTLB_MSG': (22, struct.pack('=QQQBB6x', 0, PAGE, 0, 3, 2), 0),
    'GET_CONFIG': (24, struct.pack('=III', 0, 12, 0) + bytes(12), 0),
    'CREATE_CRYPTO_SESSION': (26, bytes(600), 0),
    'GET_INFLIGHT_FD': (31, struct.pack('=QQHH', 0, 0, 0xffff, 0xffff), 0),
    'SET_INFLIGHT_FD': (32, struct.pack('=QQHH', PAGE, 0, 200, 65000), 1),
    'ADD_MEM_REG': (37, struct.pack('=5Q', 0, 1 << 40, PAGE, 1 << 40, 0), 1),
    'REM_MEM_REG': (38, struct.pack('=5Q', 0, 1 << 40, PAGE, 1 << 40, 0), 1),
    'nothing': (100, b'', 1),
}


@pytest.mark.parametrize('what', NOT_OFFERED)
def test_what_was_not_offered(what):
    """It is refused, whatever the library knows; no file stays open; what was goes on."""
    request, payload, n_files = NOT_OFFERED[what]
    kind = 'library' if what == 'SEND_RARP' else 'server'
    with bed(kind) as (net, fe, _):
        fe.start()
        net.daemon.wait_link('x')
        before = memfds(net.daemon.pid)
        for _ in range(3):
            assert not fe.set(request, payload, [fe.file] * n_files)
        assert memfds(net.daemon.pid) == before
        net.daemon.wait_log(f'WARN +port x: QEMU sends message {request}, which belongs to nothing')
        check_traffic(net, fe)


def userfaults(pid):
    """How many userfaultfds a process has."""
    return sum('userfaultfd' in name for name in fds(pid))


@pytest.mark.parametrize('kind', ['server', 'library'])
def test_postcopy_is_advised_again(kind):
    """For each advice the library opens a descriptor, and forgets the one before: there is one."""
    with bed(kind) as (net, fe, _):
        fe.start()
        net.daemon.wait_link('x')
        fe.message(POSTCOPY_ADVISE)
        assert fe.answer(POSTCOPY_ADVISE) is not None
        assert userfaults(net.daemon.pid) == 1
        for _ in range(3):
            assert not fe.set(POSTCOPY_ADVISE)
        assert userfaults(net.daemon.pid) == 1
        net.daemon.wait_log('WARN +port x: QEMU begins a post-copy migration twice')
        for ring in fe.rings:
            fe.enable(ring, True)
        check_traffic(net, fe)


@pytest.mark.parametrize('what', ['ring 2', 'ring 255', 'ring 5', 'too long'])
def test_rings_that_the_port_has_not(what):
    """For each ring the library takes packet memory: who speaks of more than there are, or of one
    longer than any guest has, is disconnected, and may come again."""
    request, payload = {
        'ring 2': (SET_VRING_NUM, struct.pack('=II', 2, SIZE)),
        'ring 255': (SET_VRING_CALL, struct.pack('=Q', 255 | 1 << 8)),
        'ring 5': (GET_VRING_BASE, struct.pack('=II', 5, 0)),
        'too long': (SET_VRING_NUM, struct.pack('=II', 0, 8192)),
    }[what]
    with bed() as (net, fe, _):
        fe.start()
        net.daemon.wait_link('x')
        fe.message(request, payload, flags=NEED_REPLY)
        net.daemon.wait_link('x', up=False)
        net.daemon.wait_log(r'WARN +port x: .*: disconnected')
        with Frontend(net.daemon.path('x.sock')) as again:
            again.start()
            net.daemon.wait_link('x')
            check_traffic(net, again)


@pytest.mark.parametrize('request_', [SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR])
@pytest.mark.parametrize('kind', ['server', 'library'])
def test_wakeup_that_is_no_eventfd(kind, request_):
    """A pipe, a socket or a file can make a worker wait: they are refused, and what was goes on."""
    with bed(kind) as (net, fe, _):
        fe.start()
        net.daemon.wait_link('x')
        ends = os.pipe()
        before = fds(net.daemon.pid)
        for fd in (ends[1], fe.file, fe.sock.fileno()):
            assert not fe.set_u64(request_, 0, [fd])
        for fd in ends:
            os.close(fd)
        assert fds(net.daemon.pid) == before
        net.daemon.wait_log('WARN +port x: QEMU passes something else than an eventfd')
        check_traffic(net, fe)


@pytest.mark.parametrize('kind', ['server', 'library'])
def test_wakeup_that_blocks(kind):
    """A front-end lets the eventfd block by which it is woken, and fills it: the worker that waits
    for it goes on, other guests lose nothing but a moment, and its port is off for good."""
    with bed(kind) as (net, fe, _):
        net.add_port('b', 'server')
        fe.start()
        net.daemon.wait_link('x')
        check_traffic(net, fe)
        call = fe.kicks[2]
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(call)
        os.eventfd_write(call, 2 ** 64 - 2)
        os.set_blocking(call, True)
        net['a'].send(net.frame('a', 'x'))
        net.daemon.wait_link('x', up=False, timeout=5)
        assert 'made a worker wait' in net.daemon.port('x')['reason']
        net['b'].take()
        frames = [net.frame('a', 'b', n) for n in range(100)]
        net.check_frames([f for _, f in net.exchange('a', 'b', frames)], frames, 'beside it')
        # the same one again has nothing of it
        fe.close()
        wait_until('it is gone', lambda: not net.daemon.port('x')['details']['connected'])
        with Frontend(net.daemon.path('x.sock')) as again:
            again.start()
            time.sleep(0.5)
            assert net.daemon.port('x')['link'] == 'down'
            net.daemon.ctl('port', 'del', 'x')
        assert net.daemon.ctl('worker', 'list')['workers']


def test_log_in_huge_pages():
    """A log that is a part of a huge page is refused: the library could not unmap it."""
    with bed() as (net, fe, log):
        fe.start()
        net.daemon.wait_link('x')
        before = memfds(net.daemon.pid)
        huge = os.memfd_create('huge-log', os.MFD_HUGETLB)
        os.ftruncate(huge, 1 << 30)  # a multiple of any page
        assert not fe.set(SET_LOG_BASE, struct.pack('=QQ', LOG_SIZE, 0), [huge])
        os.close(huge)
        assert 'huge pages' in net.daemon.log()
        assert memfds(net.daemon.pid) == before
        assert offer_log(fe, log)
        check_traffic(net, fe)


def leave(net, fe, way):
    """The guest's memory is cut while frames come, and it goes in that way."""
    os.ftruncate(fe.file, 0)
    if way == 'noticed':
        net['a'].send_many([net.frame('a', 'x', n) for n in range(200)])
        time.sleep(random.random() * 0.12)  # the control thread looks every 0.1 s
    elif way == 'reset':
        fe.message(RESET_OWNER)
    elif way == 'memory':
        fe.message(SET_MEM_TABLE, struct.pack('=IIQQQQ', 1, 0, 0, MEMORY, 0, 0), (), NEED_REPLY)
    fe.sock.shutdown(socket.SHUT_RDWR)


@pytest.mark.long
@pytest.mark.parametrize('kind', ['server', 'library'])
def test_leaves_under_load(kind):
    """Guests whose memory is cut while they go, and while their ports are deleted, hurt nobody."""
    with Net({'a': 'server', 'b': 'server'}) as net:
        d = net.daemon
        net.macs['x'] = '02:00:00:00:0f:01'
        net.kinds['x'] = kind
        ways = ['noticed', 'reset', 'memory', 'at once']
        for n in range(200):
            if n % 3 == 0:
                d.add({'name': 'x', 'type': 'vhost-user', 'socket': 'x.sock',
                       'datapath': 'library' if kind == 'library' else 'direct'})
            with Frontend(d.path('x.sock')) as fe:
                fe.start()
                d.wait_link('x')
                net['a'].send_many([net.frame('a', 'x', i) for i in range(200)])
                leave(net, fe, ways[n % len(ways)])
                if n % 3 == 2:
                    d.ctl('port', 'del', 'x')
                else:
                    wait_until('forgotten', lambda: 'waiting for' in d.port('x')['reason'])
        net['b'].recv(10 ** 6, 0.5)  # flooded
        net.learn()
        frames = [net.frame('a', 'b', n) for n in range(100)]
        net.check_frames([f for _, f in net.exchange('a', 'b', frames)], frames, 'beside it')
