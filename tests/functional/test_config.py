# SPDX-License-Identifier: BSD-3-Clause
"""test_config.py: a wrong configuration gets one sentence that says what, where and what to do; a
right one does what it says, at the start, by SIGHUP and by `config apply`."""

import json
import os
import re
import signal
import socket
import stat
import subprocess

import pytest

from daemon import (Daemon, assert_no_report, build_dir, free_hugepages, sanitizer_env,
                    wait_until)
from net import Net
from tap import exists

HEAD = 'switch:\n  control: /tmp/vst-none/ctl.sock\n  hugepages: false\n  memory: 64M\n'
LONG = '/tmp/' + 'x' * 107


def with_port(text):
    """A config with this port on line 6."""
    return HEAD + 'ports:\n  - {' + text + '}\n'


def with_vhost(text):
    """A config with a vhost-user port on line 6, and text behind what it needs."""
    return with_port('name: v, type: vhost-user, socket: /tmp/a, ' + text)


def with_vf(text):
    """A config with a vf port on line 6."""
    return with_port('name: u, type: vf, ' + text)


# text, what the sentence must match; line numbers count from the first line of HEAD
WRONG = {
    'mtu too small for IPv6': (with_port('name: t, type: tap, mtu: 1000, address: ["fd77::1/64"]'),
                               r':6: port t: mtu: 1000 is too small'),
    'unknown owner': (with_vhost('owner: nosuchuser'),
                      r':6: port v: owner: there is no user nosuchuser'),
    'two ports with one name': (
        HEAD + 'ports:\n  - {name: vm1, type: vhost-user, socket: /tmp/a}\n'
        '  - {name: vm1, type: vhost-user, socket: /tmp/b}\n',
        r':7: ports: vm1: name: another port has this name'),
    'two ports with one socket': (
        HEAD + 'ports:\n  - {name: vm1, type: vhost-user, socket: /tmp/a}\n'
        '  - {name: vm2, type: vhost-user, socket: /tmp/a}\n', r':7: ports: vm2: socket: .*vm1'),
    'two ports with one interface': (
        HEAD + 'ports:\n  - {name: t1, type: tap, ifname: x}\n'
        '  - {name: t2, type: tap, ifname: x}\n',
        r':7: ports: t2: ifname: .*t1'),
    'the control socket as a port': (
        with_port('name: vm1, type: vhost-user, socket: /tmp/vst-none/ctl.sock'),
        r':6: ports: vm1: socket: .*control socket'),
    'unknown key of a port': (
        HEAD + 'ports:\n  - name: vm1\n    type: vhost-user\n    socket: /tmp/a\n'
        '    sokcet: /tmp/b\n',
        r':9: ports: vm1: sokcet: .*socket'),
    'unknown key of the switch': ('switch:\n  worker: [1]\n', r':2: switch: worker: .*workers'),
    'unknown key of the fdb': ('switch:\n  fdb: {most: 5}\n', r':2: switch: fdb: most: .*max'),
    'unknown key of the file': ('swicth:\n  name: a\n', r':1: swicth: .*switch'),
    'unknown CPU': (HEAD + '  workers: [99]\n', r'workers: CPU 99 .*choose from [0-9,-]+'),
    'CPU twice': (HEAD + '  workers: [0, 0]\n', r':5: switch: workers: CPU 0 is there twice'),
    'not a CPU': (HEAD + '  workers: [zero]\n', r':5: switch: workers: "zero"'),
    'lcores that are no worker': (
        HEAD + '  workers: [0]\nports:\n'
        '  - {name: v, type: vhost-user, socket: /tmp/a, lcores: [1]}\n',
        r':7: ports: v: lcores: CPU 1 .*workers'),
    'path of 112 bytes': (
        HEAD + f'ports:\n  - name: vm1\n    type: vhost-user\n    socket: {LONG}\n',
        r':8: ports: vm1: socket: path is 112 bytes, a UNIX socket takes 107'),
    'relative path': (with_port('name: v, type: vhost-user, socket: run/a'),
                      r':6: ports: v: socket: "run/a"'),
    'no socket': (with_port('name: v, type: vhost-user'), r':6: ports: v: socket is missing'),
    'no name': (with_port('type: vhost-user, socket: /tmp/a'),
                r':6: ports: entry 1: name is missing'),
    'no type': (with_port('name: v'), r':6: ports: v: type is missing'),
    'unknown type': (with_port('name: v, type: vhostuser'),
                     r':6: ports: v: type: "vhostuser" .*vhost-user'),
    'key of another kind': (with_vhost('ifname: x'),
                            r':6: ports: v: ifname: only a port of type tap has one'),
    'socket of a tap': (with_port('name: t, type: tap, socket: /tmp/a'),
                        r':6: ports: t: socket: only a port of type vhost-user has one'),
    'bad mode': (with_vhost('mode: both'),
                 r':6: ports: v: mode: "both" .*server, client'),
    'viommu on our own rings': (with_vhost('viommu: true'),
                                r':6: ports: v: viommu: needs datapath: library'),
    'bad datapath': (with_vhost('datapath: fast'),
                     r':6: ports: v: datapath: "fast" .*direct, library'),
    'bad permissions': (
        with_vhost('permissions: "0999"'),
        r':6: ports: v: permissions: "0999"'),
    'mtu too large': (with_vhost('mtu: 90000'),
                      r':6: ports: v: mtu: 90000 is not in 68\.\.65535'),
    'mtu no number': (with_vhost('mtu: big'),
                      r':6: ports: v: mtu: "big" is not a number'),
    'mtu of the switch too large': ('switch:\n  mtu: 65536\n',
                                    r':2: switch: mtu: 65536 is not in 68\.\.65535'),
    'mtu of the switch too small': ('switch:\n  mtu: 67\n',
                                    r':2: switch: mtu: 67 is not in 68\.\.65535'),
    'mtu of the switch too small for IPv6': (
        'switch: {mtu: 1000}\nports: [{name: t, type: tap, address: ["fd77::1/64"]}]\n',
        r':2: port t: mtu: 1000 is too small'),
    'offloads no mapping': (with_vhost('offloads: false'),
                            r':6: ports: v: offloads: keys with values are expected'),
    'unknown offload': (with_vhost('offloads: {lro: true}'),
                        r':6: ports: v: offloads: lro: .*checksum, tso, uso'),
    'offload no flag': (with_vhost('offloads: {tso: 1}'),
                        r':6: ports: v: offloads: tso: "1" is neither true nor false'),
    'tso without checksum': (with_vhost('offloads: {checksum: false, tso: true}'),
                             r':6: ports: v: offloads: tso: needs checksum'),
    'uso without checksum': (with_vhost('offloads: {uso: true, checksum: false}'),
                             r':6: ports: v: offloads: uso: needs checksum'),
    'queues': (with_vhost('queues: 0'),
               r':6: ports: v: queues: 0 is not in 1\.\.'),
    'interface name of 16 bytes': (with_port('name: t, type: tap, ifname: abcdefghijklmnop'),
                                   r':6: ports: t: ifname: .*15'),
    'no VF': (with_port('name: u, type: vf'), r':6: ports: u: which VF .*pf and vf, or pci'),
    'pf without vf': (with_vf('pf: eth2'), r':6: ports: u: vf is missing'),
    'vf without pf': (with_vf('vf: 0'), r':6: ports: u: pf is missing'),
    'pf and pci': (with_vf('pf: eth2, vf: 0, pci: 01:10.0'),
                   r':6: ports: u: pci: there is pf as well'),
    'num_vfs with pci': (with_vf('pci: 01:10.0, num_vfs: 4'), r':6: ports: u: num_vfs: .*pci'),
    'vf beyond num_vfs': (with_vf('pf: eth2, vf: 4, num_vfs: 4'),
                          r':6: ports: u: vf: .*4 is not in 0\.\.3'),
    'bad PCI address': (with_vf('pci: "01:10"'),
                        r':6: ports: u: pci: "01:10" is not a PCI address'),
    'bad PF': (with_vf('pf: sixteen-bytes-xx, vf: 0'),
               r':6: ports: u: pf: "sixteen-bytes-xx" is neither'),
    'bad port VLAN': (with_vf('pci: 01:10.0, vlan: 4095'),
                      r':6: ports: u: vlan: 4095 is not in 0\.\.4094'),
    'bad trust': (with_vf('pci: 01:10.0, trust: full'),
                  r':6: ports: u: trust: "full" is neither on nor off'),
    'bad spoofcheck': (with_vf('pci: 01:10.0, spoofcheck: 2'), r':6: ports: u: spoofcheck: "2"'),
    'bad link_state': (with_vf('pci: 01:10.0, link_state: up'),
                       r':6: ports: u: link_state: "up" .*auto, enable, disable'),
    'min_rate above max_rate': (with_vf('pci: 01:10.0, min_rate: 2, max_rate: 1'),
                                r':6: ports: u: min_rate: 2 is more than max_rate'),
    'bad filter': (with_vf('pci: 01:10.0, filter: all'),
                   r':6: ports: u: filter: "all" .*auto, promiscuous, mac-list, own'),
    'bad VLAN': (with_vf('pci: 01:10.0, vlans: [10, 0]'), r':6: ports: u: vlans: "0"'),
    'VLAN twice': (with_vf('pci: 01:10.0, vlans: [10, 10]'),
                   r':6: ports: u: vlans: VLAN 10 is there twice'),
    'key of vf with an ethdev': (
        with_port('name: u, type: ethdev, devargs: net_null0, trust: on'),
        r':6: ports: u: trust: only a port of type vf has one'),
    'no devargs': (with_port('name: u, type: ethdev'), r':6: ports: u: devargs is missing'),
    'empty devargs': (with_port('name: u, type: ethdev, devargs: ""'),
                      r':6: ports: u: devargs: is empty'),
    'devargs with a space': (
        with_port('name: u, type: ethdev, devargs: "net_null0, copy=1"'),
        r':6: ports: u: devargs: .*space'),
    'two ports with one VF': (
        with_vf('pci: 01:1a.0') + '  - {name: w, type: vf, pci: "0000:01:1A.0"}\n',
        r':7: ports: w: pci: port u '),
    'two ports with one device': (
        with_port('name: u, type: ethdev, devargs: net_null0') +
        '  - {name: w, type: ethdev, devargs: "net_null0,copy=1"}\n',
        r':7: ports: w: devargs: port u '),
    'two ports with one MAC': (
        with_vf('pci: 01:1a.0, mac: "52:54:00:77:00:01"') +
        '  - {name: w, type: vf, pci: 01:1a.2, mac: "52:54:00:77:00:01"}\n',
        r':7: ports: w: mac: port u '),
    'bad MAC': (with_port('name: t, type: tap, mac: "52:54:00"'),
                r':6: ports: t: mac: "52:54:00"'),
    'group MAC': (with_port('name: t, type: tap, mac: "01:00:5e:00:00:01"'),
                  r':6: ports: t: mac: .*group'),
    'address without prefix': (with_port('name: t, type: tap, address: [10.0.0.1]'),
                               r':6: ports: t: address: "10\.0\.0\.1"'),
    'address no list': (with_port('name: t, type: tap, address: 10.0.0.1/24'),
                        r':6: ports: t: address: .*list'),
    'memory too small': ('switch:\n  memory: 1M\n', r':2: switch: memory: 1M is not in 64M'),
    'memory no size': ('switch:\n  memory: much\n', r':2: switch: memory: "much" is not a size'),
    'idle': ('switch:\n  idle: never\n', r':2: switch: idle: "never" .*sleep'),
    'idle_max_us': ('switch:\n  idle_max_us: 0\n',
                    r':2: switch: idle_max_us: 0 is not in 1\.\.100000'),
    'log': ('switch:\n  log: loud\n', r':2: switch: log: "loud" .*debug'),
    'hugepages': ('switch:\n  hugepages: maybe\n', r':2: switch: hugepages: "maybe"'),
    'fdb max': ('switch:\n  fdb: {max: 5}\n', r':2: switch: fdb: max: 5 is not in'),
    'no YAML': ('switch: [\n', r':2: not valid YAML'),
    'a list': ('- a\n- b\n', r':1: expected keys'),
    'nothing': ('', r'nothing in it'),
    'binary': ('switch:\n  name: "a\\0b"\n', r':2: '),
}


def run_vswitchd(*args, timeout=60, wrap=()):
    """Runs vswitchd to its end."""
    done = subprocess.run([*wrap, os.path.join(build_dir(), 'vswitchd'), *args], text=True,
                          capture_output=True, timeout=timeout, env=sanitizer_env(), check=False)
    assert_no_report(done.stderr, 'vswitchd')
    return done


@pytest.mark.parametrize('what', WRONG)
def test_wrong(what, tmp_path):
    """--check and a real start both refuse with the same sentence, on one line."""
    text, pattern = WRONG[what]
    file = tmp_path / 'wrong.yaml'
    file.write_text(text, encoding='utf-8')
    for args in (['-c', str(file), '--check'], ['-c', str(file)]):
        done = run_vswitchd(*args)
        assert done.returncode == 1, f'{args}: exit {done.returncode}: {done.stderr}'
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, f'not one sentence: {done.stderr}'
        assert re.search(pattern, lines[0]), f'{lines[0]!r} does not match {pattern!r}'


def test_unknown_cpu_names_all(tmp_path):
    """The CPUs to choose from are those of this process."""
    file = tmp_path / 'c.yaml'
    file.write_text(HEAD + '  workers: [99]\n', encoding='utf-8')
    done = run_vswitchd('--check', '-c', str(file), wrap=['taskset', '-c', '0'])
    assert re.search(r'CPU 99 .*choose from 0$', done.stderr.strip()), done.stderr


def test_check_right(tmp_path):
    """A right file passes; so does the example that comes with the project."""
    file = tmp_path / 'c.yaml'
    file.write_text(with_port('name: v, type: vhost-user, socket: /tmp/a'),
                    encoding='utf-8')
    done = run_vswitchd('--check', '-c', str(file))
    assert done.returncode == 0, done.stderr
    repo = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    done = run_vswitchd('--check', '-c', os.path.join(repo, 'conf', 'example.yaml'))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('text', [
    'type: vf, pf: eth2, vf: 3, num_vfs: 4, mac: "52:54:00:77:00:01", vlan: 0, trust: on, '
    'spoofcheck: off, link_state: enable, min_rate: 0, max_rate: 1000, filter: mac-list, '
    'vlans: [10, 20], queues: 2, mtu: 1500, max_macs: 100',
    'type: vf, pf: "0000:01:00.0", vf: 0',
    'type: vf, pci: 01:10.0',
    'type: ethdev, devargs: "net_af_packet0,iface=veth0", filter: promiscuous, vlans: []',
    # what a VF can reach that takes no address beside its own
    'type: vf, pci: 01:10.0, mac: "52:54:00:77:00:01"}\n'
    '  - {name: t, type: tap, mac: "52:54:00:77:00:01"',
])
def test_check_right_uplink(tmp_path, text):
    """Uplinks are right on a machine that has no such device: whether it has, is for the start."""
    file = tmp_path / 'c.yaml'
    file.write_text(with_port('name: up0, ' + text), encoding='utf-8')
    done = run_vswitchd('--check', '-c', str(file))
    assert done.returncode == 0, done.stderr


def test_no_file(tmp_path):
    """A file that is not there, or is a directory, is named with the reason."""
    for path, why in ((str(tmp_path / 'none.yaml'), 'No such file'), (str(tmp_path), '')):
        done = run_vswitchd('--check', '-c', path)
        assert done.returncode == 1
        assert path in done.stderr and why in done.stderr


def test_command_line():
    """Help and version end with 0, what is not understood with 2."""
    assert 'usage' in run_vswitchd('--help').stdout
    assert re.search(r'vswitchd \d+\.\d+\.\d+.*DPDK', run_vswitchd('--version').stdout)
    for args in (['--nosuch'], ['start'], ['-c']):
        done = run_vswitchd(*args)
        assert done.returncode == 2, args
        assert done.stderr
    ctl = os.path.join(build_dir(), 'vswitchctl')
    for args in ([], ['nosuch'], ['port'], ['port', 'show'], ['--nosuch', 'status'],
                 ['port', 'set', 'vm1'], ['port', 'set', 'vm1', 'mtu'],
                 ['port', 'set', 'vm1', 'offloads=1', 'offloads.tso=true'],
                 ['port', 'set', 'vm1', 'offloads.tso=true', 'offloads.tso=false']):
        done = subprocess.run([ctl, *args], capture_output=True, text=True, env=sanitizer_env(),
                              check=False)
        assert done.returncode == 2, f'{args}: {done.returncode}'
        assert done.stderr


def test_nobody_listens(tmp_path):
    """vswitchctl without a daemon says where it looked."""
    ctl = os.path.join(build_dir(), 'vswitchctl')
    path = str(tmp_path / 'no.sock')
    done = subprocess.run([ctl, '-s', path, 'status'], capture_output=True, text=True,
                          env=sanitizer_env(), check=False)
    assert done.returncode == 1
    assert path in done.stderr and len(done.stderr.strip().splitlines()) == 1


# --- what only the machine knows

GOOD = {'name': 'good', 'type': 'vhost-user', 'socket': 'good.sock'}


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


TAP = {'name': 'tp', 'type': 'tap', 'ifname': 'tp0'}


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


# --- changes while it runs

def names_of(daemon):
    """The ports there are."""
    return sorted(p['name'] for p in daemon.ctl('port', 'list')['ports'])


def test_config_show_is_config(tmp_path):
    """What `config show` prints is a configuration that says the same."""
    ports = [GOOD, dict(TAP, mac='52:54:00:77:00:fe', address=['10.77.0.254/24', 'fd77::fe/64']),
             {'name': 'c', 'type': 'vhost-user', 'socket': 'c.sock', 'mode': 'client', 'mtu': 9000,
              'datapath': 'library', 'queues': 2, 'max_macs': 7, 'permissions': '0600',
              'offloads': {'uso': False}},
             {'name': 'up', 'type': 'vf', 'pf': 'nosuch0', 'vf': 1, 'num_vfs': 4, 'vlan': 0,
              'mac': '52:54:00:77:01:00', 'trust': 'on', 'spoofcheck': 'off', 'vlans': [10, 20],
              'filter': 'mac-list', 'link_state': 'enable', 'min_rate': 0, 'max_rate': 1000}]
    with Daemon({'switch': {'mtu': 1400}, 'ports': ports}) as d:
        text = d.ctl_text('config', 'show')
        assert re.findall(r'^ *mtu: .*$', text, re.M) == ['  mtu: 1400', '    mtu: 9000']
        file = tmp_path / 'shown.yaml'
        file.write_text(text, encoding='utf-8')
        assert run_vswitchd('--check', '-c', str(file)).returncode == 0
        d.ctl('config', 'check', str(file))
        before = d.ctl('port', 'list')
        d.ctl('config', 'apply', str(file))
        assert d.ctl('port', 'list') == before
        assert d.ctl_text('config', 'show') == text
        for word in ('10.77.0.254/24', 'fd77::fe/64', 'client', 'library', '9000', 'nosuch0',
                     'offloads: {checksum: true, tso: true, uso: false}',
                     'trust: on', 'spoofcheck: off', 'vlans: [10, 20]', 'max_rate: 1000'):
            assert word in text


def test_apply():
    """config apply makes the ports those of the file; a wrong one changes nothing."""
    with Net({'a': 'server', 'b': 'server'}) as net:
        d = net.daemon
        net.learn()
        more = json.loads(json.dumps(d.config))
        more['ports'].append(dict(GOOD, socket=d.path('good.sock')))
        file = d.path('next.yaml')
        with open(file, 'w', encoding='utf-8') as f:
            json.dump(more, f)
        d.ctl('config', 'apply', file)
        assert names_of(d) == ['a', 'b', 'good']
        net.learn()  # guests of ports that stay are not disturbed
        more['ports'].append(dict(GOOD))
        with open(file, 'w', encoding='utf-8') as f:
            json.dump(more, f, indent=1)
        for command in ('check', 'apply'):
            said = d.ctl_fail('config', command, file)
            assert re.search(r':\d+: ports: good: ', said), said
        assert names_of(d) == ['a', 'b', 'good']
        more['ports'] = [p for p in more['ports'] if p['name'] == 'a']
        with open(file, 'w', encoding='utf-8') as f:
            json.dump(more, f)
        d.ctl('config', 'check', file)
        assert names_of(d) == ['a', 'b', 'good'], 'check changed something'
        d.ctl('config', 'apply', file)
        assert names_of(d) == ['a']
        assert not os.path.exists(d.path('good.sock'))


def test_apply_changes_a_port():
    """A port whose keys changed is made anew, others are left alone."""
    with Net({'a': 'server', 'b': 'server', 'c': 'server'}) as net:
        d = net.daemon
        net.learn()
        counted = net.counts('a')['rx_frames']
        config = json.loads(json.dumps(d.config))
        config['ports'][2]['max_macs'] = 5
        d.write(config)
        d.signal(signal.SIGHUP)
        d.wait_log(r'reload: .* is in force')
        assert d.log().count('port c: added') == 2
        net.disconnect('c')
        net.connect('c')
        d.wait_link('a', 'b', 'c')
        net.learn()
        assert net.counts('a')['rx_frames'] == counted + 1


def lives(net):
    """What a port has anew when it is made anew: name -> its id, and the connections of a guest."""
    found = {}
    for name in net.kinds:
        shown = net.daemon.port(name)
        found[name] = (shown['id'], shown['details'].get('connections'))
    return found


def test_reload_offloads():
    """Offloads change without a new port: the guest stays, and what is refused changes nothing."""
    with Net({'a': 'server', 'b': 'client', 'c': 'library'},
             conf={'b': {'offloads': {'tso': False, 'uso': False}}}) as net:
        d = net.daemon
        net.learn()
        before = lives(net)
        assert d.port('a')['offloads'] == ['checksum', 'tso', 'uso']
        assert d.port('b')['offloads'] == ['checksum']
        assert d.port('b')['details']['offloads_allowed'] == 'checksum'
        config = json.loads(json.dumps(d.config))
        config['ports'][0]['offloads'] = {'checksum': False}
        config['ports'][1]['offloads'] = {'uso': False}
        config['ports'][2]['offloads'] = {'tso': False}
        d.write(config)
        d.signal(signal.SIGHUP)
        d.wait_log(r'port c: offloads are checksum uso4 uso6 now')
        assert 'port a: offloads are none now' in d.log()
        assert 'port b: offloads are checksum tso4 tso6 ecn now' in d.log()
        shown = {n: d.port(n) for n in 'abc'}
        assert [shown[n]['offloads'] for n in 'abc'] == [[], ['checksum', 'tso'],
                                                         ['checksum', 'uso']]
        assert shown['a']['details']['offloads_allowed'] == 'none'
        assert lives(net) == before
        net.learn()
        # another port can't be had: all is as it was
        config['ports'][0]['offloads'] = {}
        config['ports'].append(dict(GOOD, socket='/dev/null/nowhere/x.sock'))
        d.write(config)
        d.signal(signal.SIGHUP)
        d.wait_log(r'nowhere.*\n(.*\n)*.*nothing was changed|nothing was changed.*nowhere')
        assert d.port('a')['offloads'] == []
        assert d.port('a')['details']['offloads_allowed'] == 'none'
        assert lives(net) == before
        net.learn()


def test_reload_switch_mtu():
    """The MTU of the switch is that of the ports that have none of their own, and changes with
    them running."""
    with Net({'a': 'server', 'b': 'server', 't': 'tap'}, switch={'mtu': 1400},
             conf={'b': {'mtu': 1500}}) as net:
        d = net.daemon
        net.learn()
        before = lives(net)
        assert d.ctl('status')['mtu'] == 1400
        assert [d.port(n)['mtu'] for n in 'abt'] == [1400, 1500, 1400]
        config = json.loads(json.dumps(d.config))
        config['switch']['mtu'] = 1300
        d.write(config)
        d.signal(signal.SIGHUP)
        d.wait_log(r'port t: mtu is 1300 now')
        assert d.ctl('status')['mtu'] == 1300
        assert [d.port(n)['mtu'] for n in 'abt'] == [1300, 1500, 1300]
        assert lives(net) == before
        longest = net.frame('b', 'a', size=1314)
        net['b'].send_many([net.frame('b', 'a', size=1315), longest])
        assert net['a'].recv(1) == [longest]
        # one port that can't: none has it
        config['switch']['mtu'] = 65535
        d.write(config)
        d.signal(signal.SIGHUP)
        d.wait_log(r'nothing was changed: .*port t: mtu: .*65535')
        assert [d.port(n)['mtu'] for n in 'abt'] == [1300, 1500, 1300]
        assert d.ctl('status')['mtu'] == 1300
        assert lives(net) == before
        net.learn()


def test_reload():
    """SIGHUP loads the file again; a wrong file is logged and leaves what runs."""
    with Daemon({'ports': [GOOD]}) as d:
        config = json.loads(json.dumps(d.config))
        config['ports'].append({'name': 'new', 'type': 'vhost-user', 'socket': d.path('new.sock')})
        d.write(config)
        d.signal(signal.SIGHUP)
        wait_until('the new port', lambda: names_of(d) == ['good', 'new'])
        d.write('switch:\n  workers: [1\n')
        d.signal(signal.SIGHUP)
        d.wait_log(r'vswitch\.yaml:\d+: not valid YAML')
        assert names_of(d) == ['good', 'new']
        os.unlink(d.config_file)
        d.signal(signal.SIGHUP)
        d.wait_log(r'vswitch\.yaml.*No such file')
        assert names_of(d) == ['good', 'new']
        d.write(config)


def test_reload_what_needs_a_restart():
    """What can't change at run time is refused as a whole, with the key."""
    with Daemon({'ports': [GOOD]}) as d:
        config = json.loads(json.dumps(d.config))
        config['switch']['fdb'] = {'max': 1000}
        config['ports'].append({'name': 'new', 'type': 'vhost-user', 'socket': d.path('new.sock')})
        d.write(config)
        d.signal(signal.SIGHUP)
        d.wait_log(r'restart')
        assert names_of(d) == ['good']
        assert not os.path.exists(d.path('new.sock'))


def test_reload_idle():
    """idle_max_us changes at run time."""
    with Daemon({'switch': {'idle_max_us': 100}}) as d:
        assert d.ctl('worker', 'list')['workers'][0]['idle_max_us'] == 100
        config = json.loads(json.dumps(d.config))
        config['switch']['idle_max_us'] = 200
        d.write(config)
        d.signal(signal.SIGHUP)
        wait_until('the new time',
                   lambda: d.ctl('worker', 'list')['workers'][0]['idle_max_us'] == 200)
