# SPDX-License-Identifier: BSD-3-Clause
"""test_start.py: a right configuration meets the machine at the start: what is in the way is said
in one sentence and stays as it is; a port that can't be is down, and the others run."""

import os
import re
import socket
import stat
import subprocess

import pytest

from daemon import Daemon, free_hugepages, run_vswitchd
from tap import exists

GOOD = {'name': 'good', 'type': 'vhost-user', 'socket': 'good.sock'}
TAP = {'name': 'tp', 'type': 'tap', 'ifname': 'tp0'}


def assert_marked_down(daemon, name, pattern):
    """The port is listed as down with that reason, and the log says it; good runs."""
    ports = {p['name']: p for p in daemon.ctl('port', 'list')['ports']}
    assert ports[name]['link'] == 'down'
    assert re.search(pattern, ports[name]['reason']), ports[name]
    assert re.search(pattern, daemon.log())
    assert stat.S_ISSOCK(os.stat(daemon.path('good.sock')).st_mode)
    shown = daemon.ctl_text('port', 'list')
    assert name in shown and 'good' in shown


def test_stale_socket():
    """A socket that a killed daemon left behind is replaced."""
    with Daemon({'ports': [GOOD]}) as d:
        d.kill9()
        assert os.path.exists(d.path('good.sock')) and os.path.exists(d.socket)
        d.start()
        assert d.port('good')['name'] == 'good'
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(d.path('good.sock'))


def test_live_socket():
    """A socket that somebody listens on stays his; the port is down and says so."""
    bad = {'name': 'bad', 'type': 'vhost-user', 'socket': 'bad.sock'}
    with Daemon({'ports': [bad, GOOD]}, start=False) as d:
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(d.path('bad.sock'))
            s.listen()
            d.start()
            assert_marked_down(d, 'bad', r'listens on .*bad\.sock')
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(d.path('bad.sock'))
            assert d.stop() == 0
            assert os.path.exists(d.path('bad.sock')), 'it is not ours to remove'


def test_not_a_socket():
    """A file in the socket's place is not removed; the port is down and says so."""
    bad = {'name': 'bad', 'type': 'vhost-user', 'socket': 'bad.sock'}
    with Daemon({'ports': [GOOD, bad]}, start=False) as d:
        with open(d.path('bad.sock'), 'w', encoding='ascii') as f:
            f.write('precious')
        d.start()
        assert_marked_down(d, 'bad', r'bad\.sock.*not a socket')
        assert d.stop() == 0
        with open(d.path('bad.sock'), encoding='ascii') as f:
            assert f.read() == 'precious'


def test_no_directory():
    """A socket in a directory that is not there and can't be made."""
    bad = {'name': 'bad', 'type': 'vhost-user', 'socket': '/proc/nowhere/bad.sock'}
    with Daemon({'ports': [GOOD, bad]}) as d:
        assert_marked_down(d, 'bad', r"can't make directory /proc/nowhere")


def test_control_socket_in_use():
    """A second daemon on the same control socket is refused and harms nothing."""
    with Daemon({'ports': [GOOD]}) as d:
        done = run_vswitchd('-c', d.config_file)
        assert done.returncode == 1
        assert d.socket in done.stderr
        assert d.port('good')['name'] == 'good'


def test_socket_access():
    """Owner, group and permissions of a socket are as asked; unknown accounts are named."""
    ports = [dict(GOOD, group='kvm', permissions='0620', owner='nobody')]
    try:
        subprocess.run(['getent', 'group', 'kvm'], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        ports[0]['group'] = 'daemon'
    with Daemon({'ports': ports + [dict(GOOD, name='plain', socket='plain.sock')]}) as d:
        info = os.stat(d.path('good.sock'))
        assert stat.S_IMODE(info.st_mode) == 0o620
        assert stat.S_IMODE(os.stat(d.path('plain.sock')).st_mode) == 0o660
        assert stat.S_IMODE(os.stat(d.socket).st_mode) == 0o660
        names = subprocess.run(['stat', '-c', '%U %G', d.path('good.sock')], text=True,
                               capture_output=True, check=True).stdout.split()
        assert names == ['nobody', ports[0]['group']]
        said = d.ctl_fail('port', 'add', 'x', 'type=vhost-user', f'socket={d.path("x.sock")}',
                          'owner=nosuchuser')
        assert 'nosuchuser' in said and 'x' in said
        assert not os.path.exists(d.path('x.sock'))


def test_hugepages_missing():
    """More memory than hugepages: how many are needed, how many there are, and the command."""
    need = (free_hugepages() >> 20) + 1024
    with Daemon({'switch': {'hugepages': True, 'memory': f'{need}M'}}, start=False) as d:
        done = run_vswitchd('-c', d.config_file)
        assert done.returncode == 1
        said = re.search(r'memory: (\d+) MiB of hugepages are needed.*, (\d+) MiB are free: run '
                         r'`echo (\d+) > (\S+/nr_hugepages)`.*hugepages: false', done.stderr)
        assert said, done.stderr
        assert int(said[1]) == need
        assert os.path.exists(said[4])
        assert len(done.stderr.strip().splitlines()) == 1


def test_hugepages():
    """With hugepages, where there are some."""
    if free_hugepages() < 128 << 20:
        pytest.skip('fewer than 64 free hugepages of 2M')
    before = free_hugepages()
    with Daemon({'switch': {'hugepages': True, 'memory': '64M'}, 'ports': [GOOD]}) as d:
        assert d.ctl('status')['hugepages'] is True
        assert free_hugepages() < before
        assert d.stop() == 0
    assert free_hugepages() == before


def test_no_right_to_tun():
    """Without CAP_NET_ADMIN the TAP port is down and says why, others run."""
    wrap = ['setpriv', '--bounding-set', '-net_admin', '--inh-caps', '-net_admin', '--']
    with Daemon({'ports': [GOOD, TAP]}, wrap=wrap) as d:
        assert_marked_down(d, 'tp', r'(?i)(CAP_NET_ADMIN|/dev/net/tun)')
        assert not exists('tp0')


def test_no_tun_device():
    """Without /dev/net/tun the same."""
    wrap = ['unshare', '-m', 'sh', '-c', 'mount -t tmpfs none /dev/net && exec "$@"', 'sh']
    with Daemon({'ports': [GOOD, TAP]}, wrap=wrap) as d:
        assert_marked_down(d, 'tp', r'/dev/net/tun')


def test_interface_taken():
    """An interface of that name that is no TAP of ours stays as it is."""
    subprocess.run(['ip', 'link', 'add', 'tp0', 'type', 'veth', 'peer', 'name', 'tp1'], check=True)
    try:
        with Daemon({'ports': [GOOD, TAP]}) as d:
            assert_marked_down(d, 'tp', r'tp0')
        assert exists('tp0')
    finally:
        subprocess.run(['ip', 'link', 'del', 'tp0'], check=True)
