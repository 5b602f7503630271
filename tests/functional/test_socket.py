# SPDX-License-Identifier: BSD-3-Clause
"""test_socket.py: the UNIX sockets of vhost-user ports: their directories, whose they are, and how
soon the switch and its guests meet on them."""

import contextlib
import grp
import os
import shutil
import signal
import socket
import stat
import threading
import time

import pytest

from daemon import Daemon, wait_until

LABEL = 'system_u:object_r:svirt_image_t:s0'


def mode_of(path):
    """The permissions of a file."""
    return stat.S_IMODE(os.stat(path).st_mode)


def client(name='c', path='c.sock', **more):
    """The config of a port that connects."""
    return {'name': name, 'type': 'vhost-user', 'socket': path, 'mode': 'client', **more}


def server(name='s', path='s.sock', **more):
    """The config of a port that listens."""
    return {'name': name, 'type': 'vhost-user', 'socket': path, **more}


@contextlib.contextmanager
def listening(path):
    """A socket that listens, as QEMU with server=on does."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        s.settimeout(10)
        yield s


def details(daemon, name='c'):
    """The details of a port."""
    return daemon.port(name)['details']


def wait_connected(daemon, name='c', connected=True):
    """Waits until the port says so; returns its details."""
    wait_until(f'{name} is connected: {connected}',
               lambda: details(daemon, name)['connected'] == connected)
    return details(daemon, name)


def connected_by(daemon, path):
    """What led to the connection to a socket that begins to listen now, and how long it took."""
    start = time.monotonic()
    with listening(path) as s:
        peer, _ = s.accept()
        took = time.monotonic() - start
        with peer:
            cause = wait_connected(daemon)['connected_by']
            print(f'connected after {took * 1000:.2f} ms, by {cause}')
    os.unlink(path)
    wait_connected(daemon, connected=False)
    return cause


# --- directories and rights

def test_directory_is_made():
    """What is missing above the socket of mode: server is made, for all to search, also after it
    was removed, whatever the umask; what was there stays as it was."""
    with Daemon({'ports': [server(path='run/a/s.sock')]}, start=False) as d:
        os.mkdir(d.path('run'), 0o700)
        before = os.umask(0o077)
        try:
            d.start()
        finally:
            os.umask(before)
        assert mode_of(d.path('run')) == 0o700
        assert mode_of(d.path('run/a')) == 0o755
        d.kill9()
        shutil.rmtree(d.path('run'))
        d.start()
        assert mode_of(d.path('run/a')) == 0o755 and mode_of(d.path('run')) == 0o755
        assert mode_of(d.path('run/a/s.sock')) == 0o660


def test_rights_after_a_restart():
    """Owner, group and permissions are set anew by each daemon."""
    with Daemon({'ports': [server(owner='nobody', group='daemon', permissions='0606')]}) as d:
        for end in (d.kill9, d.stop, None):
            info = os.stat(d.path('s.sock'))
            assert (stat.S_IMODE(info.st_mode), info.st_uid) == (0o606, 65534)
            assert grp.getgrgid(info.st_gid).gr_name == 'daemon'
            if end:
                end()
                os.chmod(d.dir, 0o755)
                d.start()


def test_directory_for_qemu():
    """With mode: client QEMU makes the socket: a missing directory is made where it is said whose
    it is, and only there."""
    ports = [client('q', 'run/q/q.sock', group='daemon', owner='nobody'),
             client('n', 'not/n.sock')]
    with Daemon({'ports': ports}) as d:
        info = os.stat(d.path('run/q'))
        assert (stat.S_IMODE(info.st_mode), info.st_uid) == (0o770, 65534)
        assert grp.getgrgid(info.st_gid).gr_name == 'daemon'
        assert mode_of(d.path('run')) == 0o755
        assert not os.path.exists(d.path('not'))
        said = d.ctl_fail('port', 'add', 'x', 'type=vhost-user', 'mode=client', 'group=nosuchgroup',
                          f'socket={d.path("x.sock")}')
        assert 'there is no group nosuchgroup' in said


def test_two_paths_to_one_socket():
    """Sockets in one directory that two paths lead to are one: the second port is down at the
    start, refused later, and both are named. One that is spelled otherwise stays as it is."""
    with Daemon({'ports': [server('a', 'run/x.sock'), client('b', 'link/x.sock')]},
                start=False) as d:
        os.mkdir(d.path('run'))
        os.symlink('run', d.path('link'))
        d.start()
        assert d.port('a')['reason'].startswith('waiting for QEMU')
        assert d.port('b')['reason'] == (
            f'port b: socket: {d.path("link/x.sock")} leads to the socket of port a, '
            f'{d.path("run/x.sock")}: give each port one of its own')
        said = d.ctl_fail('port', 'add', 'c', 'type=vhost-user',
                          f'socket={d.path("run/../run/x.sock")}')
        assert 'run/../run/x.sock leads to the socket of port a, ' in said
        said = d.ctl_fail('port', 'add', 'c', 'type=vhost-user',
                          f'socket={d.path("run/.//x.sock")}')
        assert 'port c: socket: port a has the same' in said
        os.unlink(d.path('link'))
        os.mkdir(d.path('link'))
        d.signal(signal.SIGHUP)
        wait_until('b is tried again', lambda: 'waiting' in d.port('b')['reason'])
        # one that is replaced by itself, by another path
        d.write({'ports': [server('a', 'run/../run/x.sock'), client('b', 'link/./x.sock')]})
        d.signal(signal.SIGHUP)
        d.wait_log('(?s)(reload: [^ ]* is in force, 2 ports.*){2}')
        assert details(d, 'b')['socket'] == d.path('link/x.sock')
        assert d.port('a')['reason'].startswith('waiting for QEMU')


NOBODY = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups']


def test_no_right_to_make_a_directory():
    """A daemon that is not root is told what it lacks."""
    with Daemon({'ports': [server(path='root/run/s.sock')]}, start=False, wrap=NOBODY) as d:
        os.mkdir(d.path('root'), 0o755)
        os.chown(d.dir, 65534, -1)
        d.start()
        assert (f'no right to make directory {d.path("root/run")} in {d.path("root")}: '
                'Permission denied') in d.port('s')['reason']


def test_no_right_to_give_a_directory_away():
    """What can't be made as asked is not left behind half made: the next attempt would take it for
    a directory that somebody has made so."""
    port = client('q', 'run/q.sock', owner='daemon')
    with Daemon({'ports': [port]}, start=False, wrap=NOBODY) as d:
        os.chown(d.dir, 65534, -1)
        for _ in range(2):
            d.start()
            assert (f"can't make directory {d.path('run')}: Operation not permitted"
                    in d.port('q')['reason'])
            assert not os.path.exists(d.path('run'))
            d.stop()


@pytest.mark.skipif(os.path.exists('/sys/fs/selinux/enforce'), reason='SELinux is on')
def test_label_without_selinux():
    """A label that can't be given is an error, and no socket is made."""
    with Daemon({'ports': [server(), server('l', 'l.sock', selinux=LABEL)]}) as d:
        assert 'selinux: there is no SELinux' in d.port('l')['reason']
        assert not os.path.exists(d.path('l.sock'))
        assert 'waiting for QEMU' in d.port('s')['reason']


# --- when the switch connects

def test_connects_when_qemu_listens():
    """The attempt follows the socket's return, not a timer; again and again."""
    with Daemon({'ports': [client()]}) as d:
        assert details(d)['reconnects'] == 'inotify'
        time.sleep(1.2)  # the second after the start, in which it tries more often, is over
        for _ in range(3):
            # bind() was seen: then it may be a moment until listen()
            assert connected_by(d, d.path('c.sock')) in ('inotify', 'retry')


def test_socket_is_there_before_the_switch():
    """A daemon that comes back connects at once."""
    with Daemon({'ports': [client()]}, start=False) as d:
        with listening(d.path('c.sock')) as s:
            for _ in range(2):
                d.start()
                peer, _ = s.accept()
                with peer:
                    assert wait_connected(d)['connected_by'] == 'at once'
                d.kill9()
            d.start()


def test_directory_comes_and_goes():
    """The directory is made after the port, removed, and made again, deeper ones as well."""
    with Daemon({'ports': [client(path='a/b/c.sock')]}) as d:
        for _ in range(3):
            os.makedirs(d.path('a/b'))
            assert connected_by(d, d.path('a/b/c.sock')) in ('inotify', 'retry')
            shutil.rmtree(d.path('a'))
        os.makedirs(d.path('other/b'))
        os.rename(d.path('other'), d.path('a'))
        assert connected_by(d, d.path('a/b/c.sock')) in ('inotify', 'retry')


def test_symbolic_links():
    """The directory is a link, or the socket is."""
    with Daemon({'ports': [client(path='link/c.sock')]}) as d:
        os.mkdir(d.path('real'))
        os.symlink(d.path('real'), d.path('link'))
        assert connected_by(d, d.path('real/c.sock')) in ('inotify', 'retry')
        os.mkdir(d.path('far'))
        os.symlink('../far/x.sock', d.path('real/c.sock'))
        wait_until('it has looked', lambda: not details(d)['connected'])
        assert connected_by(d, d.path('far/x.sock')) in ('inotify', 'retry', 'timer')


def test_moved_into_place():
    """A socket that is renamed to what the port waits for."""
    with Daemon({'ports': [client()]}) as d:
        with listening(d.path('new')) as s:
            time.sleep(1.2)
            os.rename(d.path('new'), d.path('c.sock'))
            peer, _ = s.accept()
            with peer:
                assert wait_connected(d)['connected_by'] == 'inotify'


def test_stale_socket_that_comes_to_life():
    """Nothing tells when somebody listens on a socket that was there: it is tried again soon."""
    with Daemon({'ports': [client()]}) as d:
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(d.path('c.sock'))
            time.sleep(0.2)
            assert 'waiting for QEMU to listen' in d.port('c')['reason']
            s.listen()
            s.settimeout(10)
            peer, _ = s.accept()
            with peer:
                assert wait_connected(d)['connected_by'] in ('retry', 'timer')


def test_peer_that_hangs_up():
    """A peer that ends each connection at once does not keep the switch busy, nor out for good."""
    with Daemon({'ports': [client()]}) as d:
        with listening(d.path('c.sock')) as s:
            end = time.monotonic() + 2.5
            n = 0
            while time.monotonic() < end:
                s.accept()[0].close()
                n += 1
            print(f'{n} connections in 2.5 s')
            assert 2 <= n < 400
            peer, _ = s.accept()
            with peer:
                wait_connected(d)


def test_events_without_end():
    """Who touches a dead socket all the time has the switch try no more often than it does anyway
    when it expects something."""
    with Daemon({'switch': {'log': 'debug'}, 'ports': [client()]}) as d:
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(d.path('c.sock'))
            time.sleep(1.2)
            before = d.log().count('failed to connect')
            end, n = time.monotonic() + 1, 0
            while time.monotonic() < end:
                os.chmod(d.path('c.sock'), 0o700 | n % 2)
                os.utime(d.path('c.sock'))
                os.chmod(d.path('c.sock'), 0o700)
                with open(d.path('other'), 'w', encoding='ascii'):
                    pass
                os.unlink(d.path('other'))
                n += 1
            tries = d.log().count('failed to connect') - before
            print(f'{tries} attempts, touched {n} times')
            assert n > 1000 and tries < 300


@contextlib.contextmanager
def busy_with(path):
    """A front-end that always has a message for the switch, whose library's thread never sleeps."""
    ends = threading.Event()

    def ask():
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(path)
            while not ends.is_set():
                s.sendall(b'\x01\0\0\0\x01\0\0\0\0\0\0\0')  # GET_FEATURES
                assert s.recv(100)
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        thread.join()


def test_peer_that_hangs_up_while_we_connect():
    """The connection ends before librte_vhost has noted it in full: it must not be taken out of the
    library's list before it was put in."""
    with Daemon({'ports': [client(), server()]}, preload=['tests/lib/slowvhost.so']) as d:
        with busy_with(d.path('s.sock')):
            for _ in range(5):
                with listening(d.path('c.sock')) as s:
                    s.accept()[0].close()
                    time.sleep(0.2)
                os.unlink(d.path('c.sock'))
            wait_connected(d, connected=False)
            with listening(d.path('c.sock')) as s:
                peer, _ = s.accept()
                with peer:
                    wait_connected(d)


def test_one_watch_for_a_directory():
    """Ports that share a directory share its watch; with the last of them it goes."""
    def watches(d):
        text = ''
        for fd in os.listdir(f'/proc/{d.pid}/fdinfo'):
            with contextlib.suppress(FileNotFoundError):
                with open(f'/proc/{d.pid}/fdinfo/{fd}', encoding='ascii') as f:
                    text += f.read()
        return text.count('inotify wd:')
    with Daemon({'ports': [client(f'c{n}', f'c{n}.sock') for n in range(20)]}) as d:
        assert watches(d) == 1
        d.add(client('x', 'sub/x.sock'))
        assert watches(d) == 1
        os.mkdir(d.path('sub'))
        wait_until('the deeper one', lambda: watches(d) == 2)
        d.ctl('port', 'del', 'x')
        assert watches(d) == 1
        for n in range(20):
            d.ctl('port', 'del', f'c{n}')
        assert watches(d) == 0


def test_without_inotify():
    """Where inotify can't be had, the port says so and finds its guest by the second."""
    limit = '/proc/sys/fs/inotify/max_user_instances'
    with open(limit, encoding='ascii') as f:
        before = f.read()
    with Daemon({'ports': [client()]}, start=False) as d:
        with open(limit, 'w', encoding='ascii') as f:
            f.write('0')
        try:
            d.start()
        finally:
            with open(limit, 'w', encoding='ascii') as f:
                f.write(before)
        assert details(d)['reconnects'] == 'once a second: inotify: Too many open files'
        d.wait_log(r'WARN +port c: socket: inotify can.t watch .*fs\.inotify\.max_user_instances')
        time.sleep(1.2)
        assert connected_by(d, d.path('c.sock')) == 'timer'


def test_socket_that_is_not_ours():
    """A switch that is not root says whose right is missing, and connects once it is given."""
    with Daemon({'ports': [client()]}, start=False, wrap=NOBODY) as d:
        os.chown(d.dir, 65534, -1)
        with listening(d.path('c.sock')) as s:
            os.chmod(d.path('c.sock'), 0o600)
            d.start()
            assert "can't connect to" in d.port('c')['reason']
            assert 'Permission denied' in d.port('c')['reason']
            time.sleep(1.2)
            os.chmod(d.path('c.sock'), 0o666)
            peer, _ = s.accept()
            with peer:
                assert wait_connected(d)['connected_by'] == 'inotify'


# --- when guests connect

GET_FEATURES = b'\x01\0\0\0\x01\0\0\0\0\0\0\0'


def stop_within(s):
    """The head of a message, without the 8 bytes that it says come."""
    s.sendall(b'\x02\0\0\0\x01\0\0\0\x08\0\0\0')


def read_nothing(s):
    """Questions until nobody takes any more."""
    s.settimeout(0.5)
    with contextlib.suppress(TimeoutError, ConnectionError):
        while True:
            s.sendall(GET_FEATURES * 100)


def read_no_acknowledgement(s):
    """The same, with SET_OWNER and a wish for an answer each time."""
    s.sendall(b'\x10\0\0\0\x01\0\0\0\x08\0\0\0' + b'\x08\0\0\0\0\0\0\0')  # REPLY_ACK
    s.settimeout(0.5)
    with contextlib.suppress(TimeoutError, ConnectionError):
        while True:
            s.sendall(b'\x03\0\0\0\x09\0\0\0\0\0\0\0' * 100)


@pytest.mark.parametrize('misbehave', [stop_within, read_nothing, read_no_acknowledgement])
def test_peer_that_stops(misbehave):
    """A peer that stops in the middle of a message, or does not read answers, loses its connection
    when it has had time enough: others wait so long at most, and its port can be deleted."""
    with Daemon({'ports': [server('x', 'x.sock'), server()]}) as d:
        with socket.socket(socket.AF_UNIX) as bad, socket.socket(socket.AF_UNIX) as good:
            bad.connect(d.path('x.sock'))
            wait_connected(d, 'x')
            misbehave(bad)
            good.settimeout(10)
            good.connect(d.path('s.sock'))
            good.sendall(GET_FEATURES)
            assert len(good.recv(100)) == 20
            wait_connected(d, 'x', False)
            d.ctl('port', 'del', 'x')


def test_link_to_another_port():
    """Who may write to the directory of a port that connects can have it connect to another port's
    socket, with the switch's rights: that one's guest is served all the same."""
    with Daemon({'ports': [client(), server()]}) as d:
        os.symlink(d.path('s.sock'), d.path('c.sock'))
        d.wait_log('WARN +port s: refused a connection of vswitchd itself')
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(d.path('s.sock'))
            wait_connected(d, 's')
            assert details(d, 's')['peer_pid'] == os.getpid()
            time.sleep(1.5)
            assert details(d, 's')['peer_pid'] == os.getpid()


def test_guest_is_seen_at_once():
    """A guest that connects to a port that was just made has its first answer long before the
    library's own second is over; of ten at least nine, since the machine may be busy."""
    took = []
    with Daemon({}) as d:
        for n in range(10):
            time.sleep(0.05)  # the library sleeps
            d.add(server(f's{n}', f's{n}.sock'))
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(10)
                start = time.monotonic()
                s.connect(d.path(f's{n}.sock'))
                s.sendall(b'\x01\0\0\0\x01\0\0\0\0\0\0\0')  # GET_FEATURES
                assert len(s.recv(100)) == 20
                took.append(time.monotonic() - start)
    print('answers after', ' '.join(f'{t * 1000:.1f}' for t in took), 'ms')
    assert sorted(took)[8] < 0.5, took
