# SPDX-License-Identifier: BSD-3-Clause
"""test_doctor.py: vswitchctl doctor, on machines that are files of a test."""

import json
import os
import shutil
import subprocess
import tempfile

import pytest

from daemon import Daemon, assert_no_report, build_dir, ctl_env

CPU = 'sys/devices/system/cpu'
NODE = 'sys/devices/system/node'
CONFIG = {'switch': {'workers': [1], 'memory': '128M'}}
PORT = {'name': 'vm1', 'type': 'vhost-user'}
UPLINK = {'name': 'up0', 'type': 'vf', 'pf': 'eth2', 'vf': 0}


class Machine:
    """What the kernel shows, as files; nothing is wrong with it."""

    def __init__(self, root):
        self.root = str(root)
        os.chmod(self.root, 0o755)
        self.config_file = self.path('vswitch.yaml')
        for name in ('online', 'isolated', 'nohz_full'):
            self.write(f'{CPU}/{name}', '0-3' if name == 'online' else '1')
        for cpu in range(4):
            self.write(f'{CPU}/cpu{cpu}/node0/x', '')
        self.write(f'{NODE}/node0/hugepages/hugepages-2048kB/free_hugepages', '64')
        self.write(f'{NODE}/node0/hugepages/hugepages-2048kB/nr_hugepages', '70')
        self.write('sys/class/iommu/dmar0/x', '')
        self.write('sys/bus/pci/drivers/vfio-pci/bind', '')
        self.write('dev/vfio/vfio', '')
        self.sockets = self.path('run')
        os.mkdir(self.sockets)
        self.config(CONFIG)

    def path(self, name):
        """A file of the machine."""
        return os.path.join(self.root, name)

    def write(self, name, text):
        """Makes a file."""
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), 'w', encoding='ascii') as file:
            file.write(text + '\n')

    def remove(self, name):
        """Removes a file or directory."""
        path = self.path(name)
        (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)

    def config(self, config, *ports):
        """Writes the config."""
        with open(self.config_file, 'w', encoding='ascii') as file:
            json.dump({**config, 'ports': list(ports)}, file)

    def run(self, *words, socket='/nowhere', code=None, user=None):
        """vswitchctl doctor; returns the findings by check, as (level, text, todo)."""
        done = subprocess.run(
            [os.path.join(build_dir(), 'vswitchctl'), '-s', socket, '--json', 'doctor',
             '--root', self.root, '--config', self.config_file, '--user', 'nobody',
             '--connect', 'test:///default', *words],
            capture_output=True, text=True, timeout=60, env=ctl_env(), check=False,
            user=user, group=user, extra_groups=None if user is None else [])
        assert_no_report(done.stderr, 'vswitch-doctor')
        result = json.loads(done.stdout)
        findings = {}
        for found in result['findings']:
            findings.setdefault(found['check'], []).append(
                (found['level'], found['text'], found['todo']))
        levels = [found['level'] for found in result['findings']]
        assert result['errors'] == levels.count('error')
        assert result['warnings'] == levels.count('warning')
        assert done.returncode == (1 if result['errors'] else 0)
        assert code is None or done.returncode == code
        for level, text, todo in sum(findings.values(), []):
            assert text and (level == 'ok') == (not todo), (text, todo)
        return findings

    def one(self, check, *words, **options):
        """The only finding of a check."""
        found = self.run(*words, **options)[check]
        assert len(found) == 1, found
        return found[0]


@pytest.fixture(name='machine')
def fixture_machine():
    """A directory that everybody may look into."""
    root = tempfile.mkdtemp(prefix='vst-doctor-', dir='/tmp')
    yield Machine(root)
    shutil.rmtree(root)


def test_all_is_well(machine):
    """Nothing to do but to start the switch."""
    machine.config(CONFIG, {**PORT, 'socket': f'{machine.sockets}/a.sock'})
    findings = machine.run(code=0)
    wrong = [found for found in sum(findings.values(), []) if found[0] != 'ok']
    assert [text for _, text, _ in wrong] == [
        "can't connect to /nowhere: No such file or directory (is vswitchd running?)"]
    assert set(findings) == {'vswitchd', 'config', 'hugepages', 'iommu', 'vfio', 'cpu', 'numa',
                             'socket', 'domain'}


def test_config(machine):
    """No file, and one that can't be read."""
    machine.write('vswitch.yaml', 'switch: {')
    level, text, _ = machine.one('config', code=1)
    assert level == 'error' and 'line 2' in text
    machine.remove('vswitch.yaml')
    assert machine.one('config', code=0)[0] == 'warning'


def test_hugepages(machine):
    """Too few, none, not wanted; on each node that has a worker."""
    pages = f'{NODE}/node0/hugepages'
    machine.write(f'{pages}/hugepages-2048kB/free_hugepages', '60')
    level, text, todo = machine.one('hugepages', code=1)
    assert (level, text) == ('error', 'node 0: 128 MiB are needed, 120 MiB are free')
    assert todo == f'echo 74 > /{pages}/hugepages-2048kB/nr_hugepages'
    machine.write(f'{pages}/hugepages-1048576kB/free_hugepages', '1')
    assert machine.one('hugepages')[0] == 'ok'
    machine.remove(pages)
    assert 'this kernel has none' in machine.one('hugepages', code=1)[1]
    machine.write('sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages', '64')
    assert machine.one('hugepages')[0] == 'ok'
    machine.config({'switch': {'hugepages': False}})
    assert machine.one('hugepages', code=0)[:2] == ('warning', 'the switch uses ordinary pages')


def test_devices(machine):
    """IOMMU and VFIO, which only some ports need."""
    for name, check in (('sys/class/iommu/dmar0', 'iommu'), ('dev/vfio/vfio', 'vfio')):
        machine.config(CONFIG, UPLINK)
        assert machine.one(check)[0] == 'ok'
        machine.remove(name)
        level, text, todo = machine.one(check, code=1)
        assert level == 'error' and 'port up0 drives eth2' in text and todo
        machine.config(CONFIG, {'name': 'u', 'type': 'ethdev', 'devargs': 'net_af_packet0,x=y'})
        assert machine.one(check)[0] == 'ok'
        machine.config(CONFIG, {'name': 'u', 'type': 'ethdev', 'devargs': '0000:01:00.0,x=y'})
        assert machine.one(check)[0] == 'error'
        machine.write(name + ('/x' if check == 'iommu' else ''), '')
    machine.remove('sys/class/iommu/dmar0')
    machine.write('sys/class/net/eth2/device/vendor', '0x15b3')  # Mellanox: by the kernel's driver
    machine.config(CONFIG, UPLINK)
    assert machine.one('iommu')[0] == 'ok'
    machine.config(CONFIG, {'name': 'u', 'type': 'ethdev', 'devargs': '0000:01:00.0,x=y'})
    machine.write('sys/module/vfio/parameters/enable_unsafe_noiommu_mode', 'Y')
    assert machine.one('iommu')[0] == 'warning'
    machine.remove('sys/bus/pci/drivers/vfio-pci')
    assert machine.one('vfio')[2] == 'modprobe vfio-pci'


def test_cpus(machine):
    """Isolation, the timer, the governor, and CPUs that are not there."""
    assert machine.one('cpu')[1] == 'CPU 1 is isolated'
    machine.write(f'{CPU}/nohz_full', '')
    assert 'its timer interrupts the worker' in machine.one('cpu')[1]
    machine.write(f'{CPU}/isolated', '')
    assert machine.one('cpu')[2] == 'boot with isolcpus=1 nohz_full=1 rcu_nocbs=1'
    machine.config({'switch': {'workers': [1], 'idle': 'poll'}})
    assert 'never sleeps' in machine.one('cpu')[1]
    machine.config({'switch': {'workers': [7]}})
    assert machine.one('cpu', code=1)[:2] == (
        'error', 'CPU 7 of `workers` is not there or not online')
    machine.config({})
    assert 'CPU 3 ' in machine.one('cpu')[1]  # the last one
    machine.write(f'{CPU}/isolated', '1-2')
    assert [text[:5] for _, text, _ in machine.run()['cpu']] == ['CPU 1', 'CPU 2']
    machine.config(CONFIG)
    machine.write(f'{CPU}/nohz_full', '1')
    machine.write(f'{CPU}/cpu1/cpufreq/scaling_governor', 'powersave')
    assert ('warning', 'CPU 1 has the governor powersave') in [
        found[:2] for found in machine.run()['cpu']]


def test_numa(machine):
    """An uplink on a node without a worker."""
    assert machine.one('numa') == ('ok', 'there is one node', '')
    machine.write(f'{NODE}/node1/x', '')
    machine.config(CONFIG, UPLINK)
    machine.write('sys/class/net/eth2/device/numa_node', '0')
    assert machine.one('numa')[0] == 'ok'
    machine.write('sys/class/net/eth2/device/numa_node', '1')
    level, text, _ = machine.one('numa', code=0)
    assert (level, text) == ('warning', 'port up0: eth2 is on node 1, where no worker is')
    for pci in ('01:10.0', '0000:01:10.0'):
        machine.write('sys/bus/pci/devices/0000:01:10.0/numa_node', '1')
        machine.config(CONFIG, {'name': 'up0', 'type': 'vf', 'pci': pci})
        assert 'is on node 1' in machine.one('numa')[1]


def test_socket_rights(machine):
    """Whether QEMU's user may open what the switch makes, and make what the switch opens."""
    client = {**PORT, 'mode': 'client', 'socket': f'{machine.sockets}/b.sock'}
    machine.config(CONFIG, client)
    level, text, todo = machine.one('socket', code=1)
    assert level == 'error' and "nobody can't make" in text
    assert todo == f'install -d -o nobody -g kvm {machine.sockets}'
    shutil.chown(machine.sockets, 'nobody')
    assert machine.one('socket')[0] == 'ok'
    # a directory of the switch must not become QEMU's
    shutil.chown(machine.sockets, 'root')
    machine.config(CONFIG, client, {**PORT, 'name': 'vm2', 'socket': f'{machine.sockets}/c.sock'})
    assert machine.one('socket')[2] == (
        f"take one of QEMU's own for it: install -d -o nobody -g kvm {machine.sockets}/qemu")
    machine.config(CONFIG, client)
    shutil.chown(machine.sockets, 'nobody')
    os.chmod(machine.root, 0o700)
    assert f"{machine.root} can't be searched by QEMU" in machine.one('socket')[1]
    os.chmod(machine.root, 0o755)
    machine.config(CONFIG, {**PORT, 'socket': '/nowhere/at/all.sock'})
    assert machine.one('socket')[2] == 'install -d -m 755 /nowhere'
    assert machine.run('--user', 'no-such-user')['socket'][-1][1] == (
        'there is no user no-such-user: whether QEMU may open the sockets was not looked at')


def test_running(machine):
    """A daemon that runs says itself what it is."""
    with Daemon({'ports': [{**PORT, 'socket': 'vm1.sock'}]}) as daemon:
        os.chmod(daemon.dir, 0o755)
        findings = machine.run(socket=daemon.socket)
        assert findings['vswitchd'] == [('ok', 'it runs, with 1 ports', '')]
        assert findings['memory sharing'][0][0] == 'ok'
        level, text, todo = findings['socket'][0]
        assert level == 'error' and "nobody can't write to" in text and 'group: kvm' in todo
        daemon.ctl('port', 'set', 'vm1', 'permissions=0666', 'vm.name=web', 'vm.memory=private')
        findings = machine.run(socket=daemon.socket)
        assert findings['socket'][0][0] == 'ok'
        level, text, _ = findings['memory sharing'][0]
        assert level == 'error' and 'port vm1: the memory of the machine is not shared' in text


def test_as_nobody(machine):
    """Who may not ask the daemon is told so, and nothing that only it knows."""
    pages = f'{NODE}/node0/hugepages'
    machine.write(f'{pages}/hugepages-2048kB/free_hugepages', '0')
    machine.config(CONFIG, {**PORT, 'socket': f'{machine.sockets}/hidden/a.sock'})
    os.mkdir(f'{machine.sockets}/hidden', 0o700)
    with Daemon() as daemon:
        os.chmod(daemon.dir, 0o755)
        findings = machine.run('--user', 'root', socket=daemon.socket, code=0, user=65534)
        assert findings['vswitchd'][0][2].startswith('run it as root')
        assert findings['hugepages'][0][1] == 'vswitchd may run, and then has its own'
        assert machine.one('hugepages')[0] == 'error'


def test_without_libvirt(machine):
    """Domains are not looked at, with a word; one that was asked for is an error."""
    away = ('--connect', 'qemu+unix:///system?socket=/nowhere')
    level, text, _ = machine.one('domain', *away, code=0)
    assert level == 'ok' and "libvirt can't be reached" in text and 'not looked at' in text
    level, text, _ = machine.one('domain', *away, '--domain', 'vm1', code=1)
    assert level == 'error' and text.startswith("vm1: libvirt can't be reached")
    assert machine.one('domain', '--domain', 'vm9', code=1)[0] == 'error'
    level, text, _ = machine.one('domain', '--domain', 'test', code=0)
    assert level == 'warning' and "test: it has no <interface type='vhostuser'>" in text


DOMAIN = """<node>
<domain type='test' xmlns:test='http://libvirt.org/schemas/domain/test/1.0'>
<name>{name}</name><memory>8192</memory><vcpu>2</vcpu>
<memoryBacking><access mode='shared'/></memoryBacking><os><type>hvm</type></os><devices>
<interface type='vhostuser'><mac address='52:54:00:00:00:01'/>
<source type='unix' path='{path}' mode='server'/><model type='virtio'/></interface></devices>
<test:runstate>{state}</test:runstate></domain></node>
"""


def test_domain_port(machine):
    """Whether libvirt's hook adds the port that a domain needs, and what else is to be done."""
    def look(path, name='web', running=False):
        machine.write('libvirt.xml', DOMAIN.format(name=name, path=path, state=1 if running else 5))
        found = machine.run('--connect', f'test://{machine.root}/libvirt.xml',
                            socket=daemon.socket)['domain']
        assert len(found) == 1, found
        return found[0]

    with Daemon() as daemon:
        path = '/run/vswitch/web.sock'
        level, text, todo = look(path)
        assert level == 'error' and 'QEMU would wait for it' in text
        assert todo.startswith(f'vswitchctl port add web type=vhost-user socket={path} mode=client')
        # who wrote this is not who copies it into a shell
        for name, evil in (('web', '/run/vswitch/$(reboot).sock'), ('a;reboot', path)):
            assert look(evil, name)[2].startswith('vswitchctl port add NAME type=vhost-user '
                                                  'socket=SOCKET')
        machine.write('etc/libvirt/hooks/qemu.d/vswitch', '')
        assert look(path)[0] == 'ok' and "libvirt's hook adds it" in look(path)[1]
        assert look(path, running=True)[0] == 'error'
        assert look('/elsewhere/web.sock')[0] == 'error'
        machine.write('etc/default/vswitch-libvirt', '# --dir\nVSWITCH_LIBVIRT_OPTIONS=""')
        assert look(path)[0] == 'ok'
        machine.write('etc/default/vswitch-libvirt', 'VSWITCH_LIBVIRT_OPTIONS="-d /elsewhere"')
        assert look(path)[0] == 'error' and look('/elsewhere/web.sock')[0] == 'ok'
        daemon.add({**PORT, 'socket': 'a.sock', 'mode': 'client',
                    'vm.name': 'other', 'vm.nic': 'net0'})
        level, text, _ = look(daemon.path('a.sock'))
        assert level == 'error' and 'is the socket of port vm1, which is of domain other' in text


def test_command_line(machine):
    """For people; and what is no way to call it."""
    def run(*words):
        return subprocess.run([os.path.join(build_dir(), 'vswitchctl'), *words],
                              env=ctl_env(), capture_output=True, text=True, timeout=60,
                              check=False)
    done = run('doctor', '--root', machine.root, '--config', machine.config_file, '-s', '/nowhere',
               '--connect', 'test:///default')
    assert done.returncode == 0, done.stderr
    assert 'ok       cpu            CPU 1 is isolated' in done.stdout
    assert '-> start vswitchd when all else is right' in done.stdout
    assert done.stdout.endswith('0 errors, 1 warnings\n')
    assert run('doctor', 'vm1').returncode == 2
    assert run('doctor', '--nothing').returncode == 2
    assert run('status', '--domain', 'vm1').returncode == 2
    assert 'usage: vswitchctl' in run('doctor', '--help').stdout
