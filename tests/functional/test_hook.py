# SPDX-License-Identifier: BSD-3-Clause
"""test_hook.py: libvirt's hook (qemu/hook), called as libvirt calls it, with XML of our own."""

import json
import os
import signal
import subprocess
import time

import pytest

from daemon import Daemon, REPO, assert_no_report, build_dir, sanitizer_env

DOMAIN = '''<domain type='kvm' id='1'><name>{name}</name>
<memoryBacking><access mode='{access}'/></memoryBacking>
<devices>{nics}</devices></domain>'''
NIC = '''<interface type='vhostuser'><mac address='52:54:00:AA:00:0{n}'/>
<source type='unix' path='{path}' mode='{mode}'/><model type='virtio'/>{more}
<alias name='net{n}'/></interface>'''


class Rig:
    """A daemon, and calls of the hook for sockets in its directory."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.settings = daemon.path('settings')
        with open(self.settings, 'w', encoding='utf-8') as file:
            file.write(f'VSWITCH_LIBVIRT_OPTIONS="-s {daemon.socket} --dir {daemon.dir}/ '
                       '--group root"\n')

    def nic(self, number=0, mode='client', more='', path=None):
        """An <interface>."""
        return NIC.format(n=number, mode=mode, more=more,
                          path=path or self.daemon.path(f'{number}.sock'))

    def call(self, operation, *nics, name='vm1', access='shared', xml=None, program=None,
             settings=None):
        """One call; returns exit code and what it says, which is nothing on standard output."""
        env = {**sanitizer_env(), 'VSWITCH_LIBVIRT_SETTINGS': settings or self.settings,
               'VSWITCH_LIBVIRT': program or os.path.join(build_dir(), 'vswitch-libvirt')}
        if xml is None:
            xml = DOMAIN.format(name=name, access=access, nics=''.join(nics))
        done = subprocess.run([os.path.join(REPO, 'qemu', 'hook'), name, operation, 'begin', '-'],
                              input=xml, env=env, capture_output=True, text=True, timeout=30,
                              check=False)
        assert_no_report(done.stderr, 'vswitch-libvirt')
        assert done.stdout == ''
        return done.returncode, done.stderr

    def ports(self):
        """All ports by name."""
        return {port['name']: port for port in self.daemon.ctl('port', 'list')['ports']}


@pytest.fixture(scope='module', name='daemon')
def fixture_daemon():
    """A daemon."""
    with Daemon() as daemon:
        yield daemon


@pytest.fixture(name='rig')
def fixture_rig(daemon):
    """The daemon, without ports."""
    rig = Rig(daemon)
    for port in rig.ports():
        daemon.ctl('port', 'del', port)
    return rig


def test_comes_and_goes(rig):
    """The ports of a domain, each time the same whatever was there before."""
    nics = [rig.nic(0, more="<driver queues='3'/><mtu size='1400'/>"), rig.nic(1, 'server')]
    for operation in ('prepare', 'start', 'reconnect', 'prepare'):
        assert rig.call(operation, *nics) == (0, '')
        ports = rig.ports()
        assert list(ports) == ['vm1.net0', 'vm1.net1']
        first, second = ports.values()
        assert (first['mode'], first['queues'], first['mtu']) == ('server', 3, 1400)
        assert (second['mode'], second['queues'], second['mtu']) == ('client', 1, 1500)
        assert (first['vm'], first['vm_nic'], first['vm_auto']) == ('vm1', 'net0', True)
        assert first['vm_mac'] == '52:54:00:aa:00:00' and first['vm_memory'] == 'shared'
    assert os.path.exists(rig.daemon.path('0.sock'))
    # changed between two starts, of which the first ended without the hook
    assert rig.call('prepare', rig.nic(0, 'server'), access='private') == (0, '')
    first = rig.ports()['vm1.net0']
    assert (first['mode'], first['queues']) == ('client', 1)
    assert first['vm_memory'] == 'private' and 'not shared' in first['warning']
    for _ in range(2):
        assert rig.call('release', *nics) == (0, '')
        assert not rig.ports()


@pytest.mark.parametrize('xml, memory', [
    ("<memoryBacking><access mode='shared'/></memoryBacking>", 'shared'),
    ("<memoryBacking><source type='memfd'/></memoryBacking>", 'shared'),
    ("<memoryBacking><source type='memfd'/><access mode='private'/></memoryBacking>", 'private'),
    ("<memoryBacking><source type='file'/></memoryBacking>", 'private'),
    ('<memoryBacking><hugepages/></memoryBacking>', 'private'),
    ('', 'private'),
    ("<cpu><numa><cell memAccess='shared'/><cell memAccess='shared'/></numa></cpu>", 'shared'),
    ("<cpu><numa><cell memAccess='shared'/><cell/></numa></cpu>", 'private'),
    ("<cpu><numa><cell memAccess='private'/></numa></cpu>"
     "<memoryBacking><access mode='shared'/></memoryBacking>", 'private'),
    ("<cpu><numa><cell/></numa></cpu><memoryBacking><access mode='shared'/></memoryBacking>",
     'shared'),
])
def test_memory(rig, xml, memory):
    """Whether the switch can read the domain's memory."""
    xml = f'<domain><name>vm1</name>{xml}<devices>{rig.nic()}</devices></domain>'
    assert rig.call('prepare', xml=xml) == (0, '')
    assert rig.ports()['vm1.net0']['vm_memory'] == memory


def test_others_are_left_alone(rig):
    """Ports made by hand stay, and so do those of another domain, or of the same name elsewhere."""
    rig.daemon.add({'name': 'mine', 'type': 'vhost-user', 'socket': '0.sock', 'queues': 2})
    assert rig.call('prepare', rig.nic(0), rig.nic(1)) == (0, '')
    assert rig.ports()['mine']['vm'] == 'vm1' and not rig.ports()['mine']['vm_auto']
    # its other half, on the way to this machine
    assert rig.call('prepare', rig.nic(1, path=rig.daemon.path('b.sock'))) == (0, '')
    assert sorted(rig.ports()) == ['mine', 'vm1.net1', 'vm1.net1-2']
    assert rig.call('release', rig.nic(1), name='vm2') == (0, '')
    assert sorted(rig.ports()) == ['mine', 'vm1.net1', 'vm1.net1-2']
    assert rig.call('release', rig.nic(0), rig.nic(1)) == (0, '')
    assert sorted(rig.ports()) == ['mine', 'vm1.net1-2']
    assert 'vm' not in rig.ports()['mine']


def test_refuses(rig):
    """A start that QEMU would not come back from; but never what runs already."""
    rig.daemon.add({'name': 'mine', 'type': 'vhost-user', 'socket': '0.sock'})
    code, said = rig.call('prepare', rig.nic(0, 'server'))
    assert code == 1 and "port mine has `mode: server`, and the interface mode='server'" in said
    code, said = rig.call('reconnect', rig.nic(0, 'server'))
    assert code == 0 and 'both would listen' in said
    code, said = rig.call('prepare', rig.nic(0, more="<driver queues='2'/>"))
    assert code == 1 and 'port mine has `queues: 1`' in said
    code, said = rig.call('prepare', rig.nic(1, more="<driver queues='99'/>"))
    assert code == 1 and 'queues: 99 is not in 1..16' in said
    for xml in ('', '<domain', '<a/>', '<domain><name></name></domain>',
                f'<domain><name>{"x" * 300}</name></domain>',
                '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
                '<domain><name>&e;</name></domain>',
                '<!DOCTYPE a [<!ENTITY e "vm1">]><domain><name>&e;</name></domain>'):
        assert rig.call('prepare', xml=xml)[0] == 1
        assert rig.call('reconnect', xml=xml)[0] == 0
    code, said = rig.call('prepare', rig.nic(path=rig.daemon.dir + '/' + 'x' * 108))
    assert code == 1 and 'too long' in said
    # nothing that a terminal takes for an order
    code, said = rig.call('prepare', rig.nic(0, 'server'), name='v\x9b31mm1\u0085')
    assert code == 1 and said.startswith('vswitch: domain v  31mm1  : '), said


def test_socket_of_another(rig):
    """Who names another domain's socket in its XML does not get the port, nor take it away."""
    assert rig.call('prepare', rig.nic(0)) == (0, '')
    before = rig.ports()
    code, said = rig.call('prepare', rig.nic(0), rig.nic(1), name='vm2')
    assert code == 1 and 'is the socket of port vm1.net0, which is of domain vm1' in said
    assert rig.call('reconnect', rig.nic(0), name='vm2')[0] == 0
    assert rig.call('release', rig.nic(0), rig.nic(1), name='vm2') == (0, '')
    assert rig.ports() == before
    # vm1 ended, and nobody saw it
    rig.daemon.ctl('port', 'set', 'vm1.net0', 'vm.name=')
    assert rig.call('prepare', rig.nic(0), name='vm2') == (0, '')
    assert rig.ports()['vm1.net0']['vm'] == 'vm2' and rig.ports()['vm1.net0']['vm_auto']
    assert rig.call('release', rig.nic(0), name='vm2') == (0, '')
    assert not rig.ports()
    # added before its card is plugged in
    rig.daemon.add({'name': 'plug', 'type': 'vhost-user', 'socket': '1.sock', 'vm.name': 'vm1',
                    'vm.auto': 'true'})
    assert rig.call('prepare', rig.nic(1), name='vm2')[0] == 1
    assert rig.call('release', rig.nic(1), name='vm2') == (0, '')
    assert rig.call('prepare', rig.nic(1)) == (0, '')
    assert rig.ports()['plug']['vm_nic'] == 'net1'
    rig.daemon.ctl('port', 'del', 'plug')
    # QEMU would connect twice
    path = rig.daemon.path('0.sock')
    code, said = rig.call('prepare', rig.nic(0), rig.nic(1, path=path))
    assert code == 1 and f'two of its interfaces have the socket {path}' in said
    assert rig.call('release', rig.nic(0), rig.nic(1, path=path)) == (0, '')
    assert not rig.ports()
    # by another path
    assert rig.call('prepare', rig.nic(0)) == (0, '')
    before = rig.ports()
    for path in (f'{rig.daemon.dir}/./0.sock', f'{rig.daemon.dir}//0.sock'):
        code, said = rig.call('prepare', rig.nic(0, path=path), name='vm2')
        assert code == 1 and 'is the socket of port vm1.net0, which is of domain vm1' in said
        assert rig.call('release', rig.nic(0, path=path), name='vm2') == (0, '')
    assert rig.ports() == before
    assert rig.call('release', rig.nic(0, path=f'{rig.daemon.dir}//0.sock')) == (0, '')
    assert not rig.ports()
    # the switch's own
    for mode in ('server', 'client'):
        assert rig.call('prepare', rig.nic(mode=mode, path=rig.daemon.socket))[0] == 1


def test_hook_itself_fails(rig):
    """Settings or a program that don't work: no domain is killed, nor kept from starting unless it
    might need a port."""
    broken = rig.daemon.path('broken')
    for text in ('VSWITCH_LIBVIRT_OPTIONS="--no-such-option"', 'VSWITCH_LIBVIRT_OPTIONS="',
                 'exit 3', 'VSWITCH_LIBVIRT=/etc/passwd; echo out'):
        with open(broken, 'w', encoding='ascii') as file:
            file.write(text + '\n')
        for operation in ('reconnect', 'attach', 'start', 'release', 'migrate'):
            assert rig.call(operation, rig.nic(0), settings=broken)[0] == 0
        assert rig.call('prepare', settings=broken)[0] == 0
        if 'passwd' in text:  # is not executable, and so not installed
            continue
        code, said = rig.call('prepare', rig.nic(0), settings=broken)
        assert code == 1 and 'domain vm1: the hook itself failed' in said and broken in said
    assert rig.call('reconnect', rig.nic(0), program='/bin/false') == (0, '')


def test_numbers(rig):
    """An interface is called as libvirt will call it, which counts those of other types, too."""
    nic = rig.nic(0).replace("<alias name='net0'/>", '')
    others = ("<interface type='network'/><interface type='hostdev'/>"
              "<interface type='bridge'><alias name='ua-mine'/></interface>")
    xml = (f"<domain><name>vm1</name><devices>{others}{nic}</devices><override>"
           "<device alias='net1'><frontend><property name='host_mtu' value='1400'/></frontend>"
           '</device></override></domain>')
    assert rig.call('prepare', xml=xml) == (0, '')
    assert list(rig.ports()) == ['vm1.net1']
    assert (rig.ports()['vm1.net1']['vm_nic'], rig.ports()['vm1.net1']['mtu']) == ('net1', 1400)


def test_names(rig):
    """Names that a port can't have."""
    for name, port in (('-a b/ä', 'ab.net0'), ('ä', 'net0'), ('x' * 60, 'x' * 26 + '.net0')):
        assert rig.call('prepare', rig.nic(), name=name) == (0, '')
        assert list(rig.ports()) == [port]
        assert rig.ports()[port]['vm'] == name
        assert rig.call('release', rig.nic(), name=name) == (0, '')
    # one of many that differ in what is cut off
    with open(rig.daemon.config_file, encoding='utf-8') as file:
        config = json.load(file)
    tails = ['.net0'] + [f'.net0-{i}' for i in range(2, 100)]
    config['ports'] = [{'name': 'x' * (31 - len(tail)) + tail, 'type': 'vhost-user',
                        'socket': rig.daemon.path(f'm{tail}')} for tail in tails]
    many = rig.daemon.path('many')
    with open(many, 'w', encoding='utf-8') as file:
        json.dump(config, file)
    rig.daemon.ctl('config', 'apply', many)
    assert rig.call('prepare', rig.nic(), name='x' * 60) == (0, '')
    assert 'x' * 22 + '.net0-100' in rig.ports()
    rig.daemon.ctl('config', 'apply', rig.daemon.config_file)
    assert list(rig.ports()) == ['x' * 22 + '.net0-100'], 'the hook\'s stays'
    assert rig.call('release', rig.nic(), name='x' * 60) == (0, '')
    assert rig.call('prepare', rig.nic(), name='--help') == (0, '')
    assert list(rig.ports()) == ['help.net0']


def test_without_the_switch(rig):
    """Only the start of a domain that needs it is refused, at once."""
    rig.daemon.kill9()
    start = time.monotonic()
    code, said = rig.call('prepare', rig.nic())
    assert code == 1 and 'is vswitchd running?' in said and len(said.splitlines()) == 1
    assert rig.call('release', rig.nic())[0] == 0
    assert rig.call('reconnect', rig.nic())[0] == 0
    assert rig.call('prepare') == (0, '')
    assert rig.call('prepare', rig.nic(path='/elsewhere/0.sock')) == (0, '')
    assert time.monotonic() < start + 20
    # one that hangs is waited for once, however many ports a domain needs
    rig.daemon.start()
    rig.daemon.signal(signal.SIGSTOP)
    start = time.monotonic()
    code, said = rig.call('prepare', *[rig.nic(n) for n in range(4)])
    took = time.monotonic() - start
    rig.daemon.kill9()
    assert code == 1 and 'no answer for 10 seconds' in said
    assert 9 < took < 19
    # the package is gone, this file of it is not
    assert rig.call('prepare', rig.nic(), program='/nowhere/vswitch-libvirt') == (0, '')
    rig.daemon.start()
