# SPDX-License-Identifier: BSD-3-Clause
"""test_follow.py: vswitch-libvirt on domains of libvirt's test driver, which run without QEMU."""

import os
import subprocess
import time

import pytest

from daemon import (Daemon, assert_no_report, build_dir, die_with_parent, preload_env,
                    sanitizer_env, wait_until)

DOMAIN = """<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
<name>{name}</name><memory>8192</memory><vcpu>2</vcpu><os><type>hvm</type></os>
<memoryBacking><access mode='shared'/></memoryBacking><devices>
<interface type='vhostuser'><mac address='52:54:00:00:00:0{number}'/>
<source type='unix' path='{path}' mode='client'/><model type='virtio'/>
<driver queues='{queues}'/></interface></devices>
<test:runstate>1</test:runstate></domain>
"""


class Rig:
    """A daemon, and vswitch-libvirt."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.domains = daemon.path('libvirt.xml')
        self.said = daemon.path('follow.log')
        self.proc = None

    def start(self, *domains, mute=None):
        """Starts it on these domains: (name, number, path, queues). While there is a file mute,
        libvirt does not say what they are."""
        program, env = os.path.join(build_dir(), 'vswitch-libvirt'), sanitizer_env()
        env.pop('JOURNAL_STREAM', None)  # lines as people read them
        if mute:
            env = preload_env({**env, 'FAKEVIRT_MUTE': mute}, program, ['tests/lib/fakevirt.so'])
        with open(self.domains, 'w', encoding='utf-8') as file:
            file.write('<node>')
            for name, number, path, queues in domains:
                file.write(DOMAIN.format(name=name, number=number, queues=queues,
                                         path=self.daemon.path(path)))
            file.write('</node>')
        with open(self.said, 'wb') as log:
            self.proc = subprocess.Popen(
                [program, '-s', self.daemon.socket, '-d', self.daemon.dir, '-g', 'root',
                 '-c', f'test://{self.domains}'],
                stdout=log, stderr=log, env=env, preexec_fn=die_with_parent)

    def stop(self):
        """Ends it."""
        self.proc.terminate()
        assert self.proc.wait(30) == 0
        assert_no_report(self.log(), 'vswitch-libvirt')

    def log(self):
        """What it said."""
        with open(self.said, encoding='utf-8') as file:
            return file.read()

    def wait_log(self, text):
        """Waits until it says so."""
        wait_until(f'it says {text!r}', lambda: text in self.log(), 20)

    def ports(self):
        """All ports by name."""
        return {port['name']: port for port in self.daemon.ctl('port', 'list')['ports']}

    def add(self, name, vm, **more):
        """A port that was added for a machine."""
        self.daemon.add({'name': name, 'type': 'vhost-user', 'socket': f'{name}.sock',
                         'vm.name': vm, 'vm.nic': 'net0', 'vm.auto': 'true', **more})


@pytest.fixture(name='rig')
def fixture_rig():
    """A daemon."""
    with Daemon() as daemon:
        rig = Rig(daemon)
        yield rig
        if rig.proc and rig.proc.poll() is None:
            print(f'--- log of vswitch-libvirt:\n{rig.log()}')
            rig.proc.kill()
            rig.proc.wait()


def test_ports_are_kept(rig):
    """What was added for others goes; not that of a machine whose XML can't be read."""
    rig.add('a', 'gone')
    rig.add('b', 'strange')
    rig.add('c', 'vm1')
    rig.start(('vm1', 1, 'vm1.sock', 2), ('strange', 2, 'x' * 108, 1))
    wait_until('ports are right', lambda: sorted(rig.ports()) == ['b', 'vm1.net0'], 20)
    assert rig.ports()['vm1.net0']['vm'] == 'vm1' and rig.ports()['vm1.net0']['queues'] == 2
    rig.wait_log('ERR   domain strange: ')
    time.sleep(2.5)
    assert sorted(rig.ports()) == ['b', 'vm1.net0']
    assert rig.log().count('ERR') == 1, rig.log()
    rig.stop()


def test_libvirt_says_nothing(rig):
    """A domain that libvirt lists and does not describe, as while it restarts, has not ended."""
    mute = rig.daemon.path('mute')
    rig.start(('vm1', 1, 'vm1.sock', 1), mute=mute)
    wait_until('vm1 is noted', lambda: rig.ports().get('vm1.net0', {}).get('vm') == 'vm1', 20)
    with open(mute, 'wb'):
        rig.daemon.ctl('port', 'set', 'vm1.net0', 'vm.mac=')  # so that all is looked at
        time.sleep(2.5)
    assert list(rig.ports()) == ['vm1.net0']
    os.unlink(mute)
    wait_until('vm1 is noted', lambda: rig.ports()['vm1.net0']['vm_mac'], 20)
    assert 'has left it' not in rig.log()
    rig.stop()


def test_failures_are_said_once(rig):
    """What can't be had is tried each second, until it can."""
    rig.daemon.add({'name': 'mine', 'type': 'vhost-user', 'socket': 'mine.sock', 'queues': 1,
                    'mtu': 1400})
    rig.start(('vm1', 1, 'vm1.sock', 99), ('vm2', 2, 'vm2.sock', 1))
    rig.wait_log('ERR   domain vm1: port vm1.net0: queues: 99 is not in 1..16')
    time.sleep(2.5)
    assert rig.log().count('ERR') == 1, rig.log()
    assert rig.log().count('domain vm2: its ports are set up') == 1
    rig.daemon.ctl('port', 'add', 'vm1', 'type=vhost-user', 'queues=16',
                   f'socket={rig.daemon.path("vm1.sock")}')
    wait_until('vm1 is noted', lambda: rig.ports()['vm1'].get('vm') == 'vm1', 20)
    rig.stop()


def test_one_socket_of_two_domains(rig):
    """The first one keeps it, and there is no quarrel about it."""
    rig.start(('vm1', 1, 'vm.sock', 1), ('vm2', 2, 'vm.sock', 1))
    wait_until('there is a port', rig.ports, 20)
    time.sleep(2.5)
    assert len(rig.ports()) == 1
    assert rig.log().count('its ports are set up') == 1, rig.log()
    assert rig.daemon.log().count('port.set') == 0
    rig.stop()
