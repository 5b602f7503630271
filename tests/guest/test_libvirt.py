# SPDX-License-Identifier: BSD-3-Clause
"""libvirt with its hook and vswitch-libvirt: the domains of qemu/ boot, and their ports come, are
named, and go with them."""

import contextlib
import glob
import json
import os
import shutil
import tempfile
import xml.etree.ElementTree as ET

import pytest

from daemon import Daemon, wait_until
from guest import Host
from libvirtd import Domain, Libvirtd, QEMU_GROUP, QEMU_UID, example, set_child

HOST = Host('10.77.0.254')
QEMU = {'qemu': 'http://libvirt.org/schemas/domain/qemu/1.0'}
ET.register_namespace('qemu', QEMU['qemu'])
MAC, STRANGER = '52:54:00:77:00:01', '02:bb:00:00:00:01'


class Rig:
    """The switch, libvirt, and vm1, of qemu/domain.xml."""

    def __init__(self, workdir, image):
        self.image = image
        self.dir = workdir
        self.sockets, self.qemu_sockets = f'{self.dir}/sockets', f'{self.dir}/qemu'
        os.chmod(self.dir, 0o755)  # QEMU is not root
        for path in (self.sockets, self.qemu_sockets):
            os.makedirs(path)
        shutil.chown(self.qemu_sockets, QEMU_UID, QEMU_GROUP)  # as docs/qemu.md says
        inband = {'name': 'inband', 'type': 'tap', 'ifname': 'vs-inband',
                  'address': [f'{HOST.ip}/24'], 'mac': '52:54:00:77:00:fe'}
        self.daemon = Daemon({'ports': [inband]})
        os.chmod(self.daemon.dir, 0o755)
        self.libvirt = Libvirtd(self.dir, f'-s {self.daemon.socket} -d {self.sockets} '
                                f'-d {self.qemu_sockets}/')

    def example(self, name):
        """An XML of qemu/ with sockets in our directories."""
        return example(name, self.sockets, self.qemu_sockets)

    def domain(self, name, ip=None, nics=None):
        """A domain as qemu/domain.xml has it, but for the name of its socket, and with other NICs
        if any are given."""
        root = self.example('domain.xml')
        if nics is not None:
            devices = root.find('devices')
            devices.remove(devices.find('interface'))
            devices.extend(nics)
            root.remove(root.find('qemu:override', QEMU))
        for number, nic in enumerate(root.iter('interface')):
            source = nic.find('source')
            source.set('path', f'{os.path.dirname(source.get("path"))}/{name}-{number}.sock')
        return Domain(self.libvirt, self.image, name, root, ip)

    def ports(self):
        """The ports by name, without that of the host."""
        ports = {port['name']: port for port in self.daemon.ctl('port', 'list')['ports']}
        del ports['inband']
        return ports

    def wait_ports(self, *names):
        """Waits until there are these ports and no others."""
        wait_until(f'ports {names}', lambda: sorted(self.ports()) == sorted(names), 20)


def processes(directory):
    """Who has something in this directory on its command line."""
    found = []
    for path in glob.glob('/proc/[0-9]*/cmdline'):
        with contextlib.suppress(OSError), open(path, 'rb') as file:
            if directory.encode() in file.read():
                found.append(path)
    return found


@pytest.fixture(scope='module', name='rig')
def fixture_rig(image):
    """The switch and libvirt."""
    workdir = tempfile.mkdtemp(prefix='vst-libvirt-', dir='/tmp')
    rig = Rig(workdir, image)
    try:
        with rig.libvirt:
            rig.libvirt.follow()
            yield rig
            rig.libvirt.unfollow()
        assert rig.daemon.stop() == 0
    finally:
        rig.libvirt.close()
        print(f'--- log of vswitchd:\n{rig.daemon.log()[-4000:]}')
        rig.daemon.cleanup()
        shutil.rmtree(workdir)
    wait_until('nothing is left', lambda: not processes(workdir))


@pytest.fixture(scope='module', name='vm1')
def fixture_vm1(rig):
    """A running vm1; QEMU connects to the switch."""
    vm1 = rig.domain('vm1', '10.77.0.1/24')
    vm1.root.find('.//qemu:property', QEMU).set('value', '1400')
    vm1.start()
    vm1.wait_ready()
    rig.daemon.wait_link('vm1.net0')
    yield vm1
    if vm1.alive():
        vm1.stop()


def doctor(rig, name):
    """What vswitchctl doctor finds wrong with a domain, as (level, text)."""
    done = rig.daemon.ctl_run('--json', 'doctor', '--domain', name, '--connect', rig.libvirt.uri)
    found = json.loads(done.stdout)
    assert done.returncode == (1 if found['errors'] else 0)
    return [(f['level'], f['text']) for f in found['findings']
            if f['check'] == 'domain' and f['level'] != 'ok']


def test_doctor(rig):
    """A domain that is not running, with all that can be wrong; it was only defined."""
    nics = [rig.example('interface.xml') for _ in range(2)]
    vm6 = rig.domain('vm6', nics=nics)
    nics[0].find('driver').set('queues', '4')
    nics[1].find('source').set('mode', 'client')
    vm6.root.find('memoryBacking').find('access').set('mode', 'private')
    ET.SubElement(vm6.root.find('memoryBacking'), 'hugepages')
    set_child(vm6.root, 'memory', '1', unit='TiB')
    cpu = rig.daemon.ctl('worker', 'list')['workers'][0]['cpu']
    set_child(vm6.root, 'vcpu', '2', cpuset=f'{cpu}-{cpu + 1}')
    rig.libvirt.virsh('define', vm6.xml())
    rig.daemon.ctl('port', 'add', 'vm6', 'type=vhost-user',
                   f'socket={rig.qemu_sockets}/vm6-1.sock')
    try:
        found = doctor(rig, 'vm6')
    finally:
        rig.libvirt.virsh('undefine', 'vm6')
        rig.daemon.ctl('port', 'del', 'vm6')
    path = f'{rig.qemu_sockets}/vm6-0.sock'
    for level, text in (
            ('error', 'vm6: its memory is not shared: no frame can pass'),
            ('error', 'vm6: its 1048576 MiB are to be of hugepages'),
            ('warning', f"vm6: it may run on CPU {cpu}, which is a worker's"),
            ('warning', 'vm6: net0: it has 4 queues, and the machine 2 vCPUs: some stay unused'),
            ('error', f'vm6: net0: no port has the socket {path}: QEMU would wait for it'),
            ('warning', 'vm6: net1: after a restart of the switch it stays cut off'),
            ('error', 'vm6: net1: port vm6 has `queues: 1`, and the interface queues='),
            ('error', 'vm6: net1: vm6 has its MAC 52:54:00:77:00:02 as well')):
        assert [f for f in found if f[0] == level and f[1].startswith(text)], (text, found)
    assert len(found) == 8
    assert doctor(rig, 'vm7')[0][0] == 'error'


def test_domain(rig, vm1):
    """qemu/domain.xml: two queues, long rings, an MTU: all of it arrives in the guest."""
    port = rig.daemon.port('vm1.net0')
    assert (port['vm'], port['vm_nic'], port['vm_mac']) == ('vm1', 'net0', MAC)
    assert port['vm_memory'] == 'shared' and port['vm_auto'] is True and port['warning'] == ''
    assert port['queues'] == 2 and port['mtu'] == 1400 and port['details']['mode'] == 'server'
    assert port['details']['tx_rings'] == '0:1024 1:1024'
    assert vm1.run('cat /sys/class/net/eth0/mtu').strip() == '1400'
    assert vm1.ping(HOST.ip) == 3
    assert rig.daemon.port('vm1.net0')['macs_seen'] == [MAC]
    words = rig.libvirt.virsh('domiflist', 'vm1').split('\n')[2].split()
    assert words == ['-', 'vhostuser', f'{rig.sockets}/vm1-0.sock', 'virtio', MAC]
    command = rig.libvirt.qemu_command('vm1')
    assert 'reconnect=1' in command or 'reconnect-ms=1000' in command
    assert ' vm1:net0' in rig.daemon.ctl_text('port', 'list')


def test_plug(rig, vm1):
    """qemu/interface.xml: QEMU listens; plugged into the running guest and out again. Its port was
    added before, is named by vswitch-libvirt, and removed by it afterwards."""
    nic = rig.example('interface.xml')
    path = nic.find('source').get('path')
    rig.daemon.ctl('port', 'add', 'vm1b', 'type=vhost-user', 'mode=client', 'queues=2',
                   f'socket={path}', 'vm.name=vm1', 'vm.auto=true')
    vm1.change_nic('attach-device', nic)
    vm1.run('for i in $(seq 100); do ip link set eth1 up && exit 0; usleep 50000; done; exit 1')
    rig.daemon.wait_link('vm1b')
    wait_until('vm1b is named', lambda: rig.daemon.port('vm1b')['vm_nic'] == 'net1', 20)
    assert rig.daemon.port('vm1b')['vm_mac'] == nic.find('mac').get('address')
    assert path in rig.libvirt.virsh('domiflist', 'vm1')
    assert doctor(rig, 'vm1') == []
    vm1.change_nic('detach-device', nic)
    rig.wait_ports('vm1.net0')
    assert vm1.ping(HOST.ip) == 3


def test_strange_mac(rig, vm1):
    """The guest sends from another MAC than libvirt gave it."""
    vm1.run(f'ip link set eth0 down && ip link set eth0 address {STRANGER} && '
            'ip link set eth0 up && ip addr replace 10.77.0.1/24 dev eth0')
    assert vm1.ping(HOST.ip) == 3
    warning = f'the guest sends from {STRANGER}, its own MAC is {MAC}'
    assert rig.daemon.port('vm1.net0')['warning'] == warning
    rig.libvirt.wait_follow(f'WARN  domain vm1, port vm1.net0: {warning}')
    vm1.run(f'ip link set eth0 down && ip link set eth0 address {MAC} && '
            'ip link set eth0 up && ip addr replace 10.77.0.1/24 dev eth0')
    rig.daemon.ctl('fdb', 'flush', 'vm1.net0')
    assert vm1.ping(HOST.ip) == 3
    assert rig.daemon.port('vm1.net0')['warning'] == ''


def test_switch_is_killed(rig, vm1):
    """The next switch knows nothing of the port that the hook has added: vswitch-libvirt does."""
    rig.daemon.kill9()
    rig.daemon.start()
    rig.wait_ports('vm1.net0')
    rig.daemon.wait_link('vm1.net0')
    wait_until('an answer', lambda: vm1.ping(HOST.ip, 1, timeout=1) == 1, 20)
    port = rig.daemon.port('vm1.net0')
    assert port['vm_auto'] is True and port['mtu'] == 1400 and port['queues'] == 2


def test_reload(rig, vm1):
    """Nor is the port in the switch's file, whose reload leaves it alone."""
    attaches = rig.daemon.port('vm1.net0')['details']['attaches']
    rig.daemon.ctl('config', 'apply', rig.daemon.config_file)
    assert vm1.alive() and vm1.ping(HOST.ip) == 3
    assert rig.daemon.port('vm1.net0')['details']['attaches'] == attaches


def test_libvirtd_restarts(rig, vm1):
    """The hook is called for what runs, and finds everything as it should be."""
    said = rig.libvirt.read('follow.log').count('connected to libvirt')
    attaches = rig.daemon.port('vm1.net0')['details']['attaches']
    rig.libvirt.stop()
    rig.libvirt.start()
    wait_until('the hook is called',
               lambda: 'vm1 reconnect begin' in rig.libvirt.read('hook.calls'), 20)
    wait_until('vswitch-libvirt is connected', lambda: rig.libvirt.read('follow.log').count(
        'connected to libvirt') > said, 20)
    assert vm1.alive() and vm1.ping(HOST.ip) == 3
    assert rig.daemon.port('vm1.net0')['details']['attaches'] == attaches


def test_qemu_listens(rig):
    """A domain whose QEMU makes the socket: qemu/interface.xml as its only NIC, and another port,
    made by hand, that is left alone but for the name. Its memory is not shared."""
    nic = rig.example('interface.xml')
    own = ET.fromstring(ET.tostring(nic))
    own.find('mac').set('address', '52:54:00:77:00:03')
    vm2 = rig.domain('vm2', nics=[nic, own])
    rig.daemon.ctl('port', 'add', 'mine', 'type=vhost-user', 'mode=client', 'queues=4',
                   f'socket={rig.qemu_sockets}/vm2-1.sock')
    vm2.root.remove(vm2.root.find('memoryBacking'))
    vm2.start()
    port = rig.daemon.port('vm2.net0')
    assert port['details']['mode'] == 'client' and port['vm_memory'] == 'private'
    assert 'the memory of the machine is not shared' in port['warning']
    rig.libvirt.wait_follow('WARN  domain vm2, port vm2.net0: the memory of the machine is not')
    assert ('error', 'vm2: its memory is not shared: no frame can pass') in doctor(rig, 'vm2')
    port = rig.daemon.port('mine')
    assert (port['vm'], port['vm_nic'], port['vm_auto']) == ('vm2', 'net1', False)
    assert port['queues'] == 4
    vm2.stop()
    wait_until('vm2 has left', lambda: 'vm2.net0' not in rig.ports() and
               'vm' not in rig.ports()['mine'], 20)
    rig.daemon.ctl('port', 'del', 'mine')


def test_start_is_refused(rig):
    """Rather than that QEMU waits for ever: where the port's role or queues don't fit."""
    vm3 = rig.domain('vm3')
    path = f'socket={rig.sockets}/vm3-0.sock'
    rig.daemon.ctl('port', 'add', 'vm3', 'type=vhost-user', 'mode=client', path)
    said = vm3.start_refused()
    assert "port vm3 has `mode: client`, and the interface mode='client': both would" in said
    rig.daemon.ctl('port', 'set', 'vm3', 'mode=server')
    said = vm3.start_refused()
    assert "port vm3 has `queues: 1`, and the interface queues='2'" in said
    rig.daemon.ctl('port', 'del', 'vm3')


def test_vm_ends(rig, vm1):
    """The port goes with the machine, and comes again with it."""
    vm1.stop()
    rig.wait_ports()
    vm1.start()
    assert list(rig.ports()) == ['vm1.net0']
    vm1.stop()
    rig.wait_ports()


def test_without_switch(rig):
    """No domain of ours starts, with a sentence that says why; others do."""
    rig.daemon.kill9()
    try:
        said = rig.domain('vm4').start_refused()
        assert "can't connect to" in said and 'is vswitchd running?' in said
        vm5 = rig.domain('vm5', nics=[])
        vm5.start()
        vm5.stop()
        rig.libvirt.wait_follow('WARN  .*ctl.sock.*: waiting for it')
    finally:
        rig.daemon.start()
    rig.libvirt.wait_follow('INFO  vswitchd is there again')
    rig.wait_ports()
