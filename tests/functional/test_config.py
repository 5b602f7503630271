# SPDX-License-Identifier: BSD-3-Clause
"""test_config.py: a wrong configuration gets one sentence that says what, where and what to do; a
right one is taken, and shown as what it says. What the machine has to say to it is in
test_start.py, what changes at run time in test_reload.py."""

import os
import re
import subprocess

import pytest

from daemon import REPO, Daemon, build_dir, run_vswitchd, sanitizer_env

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
    'mtu too large for a TAP': (
        with_port('name: t, type: tap, ifname: tp0, mtu: 65522'),
        r'port t: mtu: 65522 is more than a TAP can have, 65521'),
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
    with open(os.path.join(REPO, 'conf', 'example.yaml'), encoding='utf-8') as example:
        # a machine without QEMU may have no such group
        file.write_text(example.read().replace('group: kvm', 'group: daemon'), encoding='utf-8')
    done = run_vswitchd('--check', '-c', str(file))
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


def test_config_show_is_config(tmp_path):
    """What `config show` prints is a configuration that says the same."""
    ports = [{'name': 'plain', 'type': 'vhost-user', 'socket': 'plain.sock'},
             {'name': 'tp', 'type': 'tap', 'ifname': 'tp0', 'mac': '52:54:00:77:00:fe',
              'address': ['10.77.0.254/24', 'fd77::fe/64']},
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
