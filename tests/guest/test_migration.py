# SPDX-License-Identifier: BSD-3-Clause
"""A running guest moves from one QEMU to another one, on another port, while it receives.

What the switch writes into the guest's memory QEMU can't see: it moves a page once, and again only
if the switch's log says that it was written since. So the guest takes a file that it does not read:
all of it lies where the switch put it, much of it in pages that were moved before. Only when the
guest is where it is to be, it reads the file.
"""

import hashlib
import os
import socket
import time

import pytest
from daemon import wait_until
from frames import BROADCAST, build
from guestnet import HOST, GuestNet
from marks import choose
from migration import INCOMING, is_moved
from vguest import Guests

PORT = 5002
PIECE = 64 << 10
PIECE_S = 0.02  # between two pieces: some 3 MiB/s, which QEMU can follow
LATE_PIECES = 100  # sent when all memory was moved once
BANDWIDTH = 16 << 20  # bytes a second, less than the guest changes
ROOM = 64 << 20  # bytes that the guest can take without reading
SETTINGS = {
    'split': ({}, ''),
    'packed, 2 queues': ({'queues': 2}, 'packed=on'),
}


@pytest.fixture(name='net', params=choose(SETTINGS, 'packed, 2 queues'))
def fixture_net(request, image):
    """A guest on port old, and the port new that nobody uses so far."""
    port, options = SETTINGS[request.param]
    names = ('old', 'new')
    with GuestNet(image, {name: port for name in names},
                  {name: {'options': options} for name in names},
                  {'new': {'devices': INCOMING}}, boot=False) as net:
        net.guests = {'old': net.make_guest('old'), 'new': net.make_guest('new', 'old')}
        net.boot('old')
        assert net.is_packed('old') == bool(options)
        yield net


def begin_receiving(guest):
    """The guest takes a connection and reads nothing of it before /tmp/go is there."""
    guest.run(f'echo 4096 {ROOM} {ROOM} >/proc/sys/net/ipv4/tcp_rmem\n'
              f'(nc -l -p {PORT} -e sh -c "while [ ! -e /tmp/go ]; do usleep 50000; done; '
              'cat >/tmp/in; echo >/tmp/in.done") </dev/null >/dev/null 2>&1 &\n'
              f'for i in $(seq 100); do netstat -ltn | grep -q :{PORT} && exit 0; usleep 20000; '
              'done; exit 1')


def migrate(net, send):
    """Moves the guest; calls send() again and again meanwhile."""
    old, new = net['old'], net['new']
    uri = f'unix:{net.daemon.path("migration")}'
    new.start()
    new.qmp('migrate-incoming', uri=uri)
    # not done before it may be: 16 MiB change again and again, a second's work for QEMU
    old.run('head -c 16M /dev/urandom >/tmp/a\ncp /tmp/a /tmp/b\n'
            'while [ ! -e /tmp/go ]; do dd if=/tmp/a of=/tmp/b bs=64k conv=notrunc; done '
            '</dev/null >/dev/null 2>&1 &')
    old.qmp('migrate-set-parameters', **{'max-bandwidth': BANDWIDTH, 'downtime-limit': 1})
    old.qmp('migrate', uri=uri)
    wait_until('all memory was moved once', lambda: send() or
               old.qmp('query-migrate').get('ram', {}).get('dirty-sync-count', 0) >= 2, 60)
    assert 'LOG_ALL' in net.daemon.port('old')['details']['features']
    old.qmp('migrate-set-parameters', **{'max-bandwidth': BANDWIDTH // 16})  # it is not over now
    for _ in range(LATE_PIECES):
        send()
    told = old.qmp('query-migrate')
    assert told['status'] == 'active', f'it was over too soon: {told}'
    old.qmp('migrate-set-parameters', **{'max-bandwidth': 0, 'downtime-limit': 2000})
    wait_until('the guest is moved', lambda: send() or is_moved(old), 60)
    wait_until('the guest runs', lambda: new.qmp('query-status')['running'])


def test_memory_is_moved_whole(net):
    """A file that comes while the guest moves is whole; the guest goes on where it is."""
    old, new = net['old'], net['new']
    assert old.ping(HOST) == 3
    begin_receiving(old)
    checksum = hashlib.sha256()
    with socket.create_connection((old.ip, PORT), 30) as stream:
        def send():
            piece = os.urandom(PIECE)
            stream.sendall(piece)
            checksum.update(piece)
            time.sleep(PIECE_S)
        migrate(net, send)
        net.daemon.wait_link('new')
        for _ in range(20):
            send()
    new.run('echo >/tmp/go; for i in $(seq 300); do [ -e /tmp/in.done ] && exit 0; usleep 100000; '
            'done; exit 1', 40)
    assert new.run('sha256sum /tmp/in').split()[0] == checksum.hexdigest()

    old.stop()
    net.daemon.wait_link('old', up=False)
    entries = {entry['mac']: entry['port'] for entry in net.daemon.ctl('fdb', 'list')['entries']}
    assert entries['52:54:00:77:00:01'] == 'new'
    assert 'LOG_ALL' not in net.daemon.port('new')['details']['features']
    assert new.ping(HOST) == 3
    assert net.host.ping(new.ip) == 3


def begin_postcopy(old, new, uri):
    """Moves the guest so that it runs at its new place before its memory is there."""
    for guest in (new, old):
        guest.qmp('migrate-set-capabilities',
                  capabilities=[{'capability': 'postcopy-ram', 'state': True}])
    new.qmp('migrate-incoming', uri=uri)
    old.qmp('migrate-set-parameters', **{'max-bandwidth': BANDWIDTH, 'downtime-limit': 1,
                                         'max-postcopy-bandwidth': BANDWIDTH})
    old.qmp('migrate', uri=uri)
    wait_until('the migration goes on', lambda: old.qmp('query-migrate').get('status') == 'active')
    old.qmp('migrate-start-postcopy')
    wait_until('the guest runs', lambda: new.qmp('query-status')['running'], 60)


@pytest.mark.parametrize('path', choose(['direct', 'library'], 'direct'))
def test_postcopy(image, path):
    """A guest that runs before its memory is there has no network until it is; others on the same
    worker lose nothing meanwhile, and a port that is opened in between gets its guest."""
    names = ('old', 'new')
    with GuestNet(image, {name: {'datapath': path} for name in names},
                  guests={'new': {'devices': ('-incoming', 'defer')}}, boot=False) as net, \
            Guests() as others:
        net.guests = {'old': net.make_guest('old'), 'new': net.make_guest('new', 'old')}
        net.boot('old')
        old, new, d = net['old'], net['new'], net.daemon
        old.run('head -c 64M /dev/urandom >/tmp/a; sha256sum /tmp/a >/tmp/sum')
        new.start()
        begin_postcopy(old, new, f'unix:{d.path("migration")}')
        wait_until('the reason', lambda: 'post-copy' in d.port('new')['reason'])
        for name in 'ab':
            d.add({'name': name, 'type': 'vhost-user', 'socket': f'{name}.sock'})
        a, b = (others.add(name, d.path(f'{name}.sock')) for name in 'ab')
        d.wait_link('a', 'b')
        frame = build(BROADCAST, '02:00:00:00:00:0a', 1, 60)
        sent, seen = 0, []

        def all_came():
            seen.extend(f for _, f in b.take() if f == frame)  # the moved guest is heard, too
            return len(seen) == sent
        while 'post-copy' in d.port('new')['reason']:
            a.send_many([frame] * 20)
            sent += 20
            wait_until('what was sent', all_came)
        assert sent >= 100, 'the migration was over too soon'
        d.wait_link('new')
        wait_until('all memory is there', lambda: is_moved(old), 60)
        new.run('sha256sum -c /tmp/sum', 60)
        assert new.ping(HOST) == 3
        assert net.host.ping(new.ip) == 3
