# SPDX-License-Identifier: BSD-3-Clause
"""libvirtd.py: a libvirt of the tests' own, its domains, and the two programs beside it.

    with Libvirtd(workdir, options='-s CONTROL -d DIR') as libvirt:
        libvirt.virsh('list')
        vm = Domain(libvirt, image, 'vm1', xml, ip='10.77.0.1/24')
        vm.start()

libvirtd runs without systemd, in namespaces of mounts, processes and the host's name: its state
lies in workdir, and when the first process of these namespaces ends, nothing of it all is left.
Domains are of QEMU without KVM.
"""

import contextlib
import grp
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import xml.etree.ElementTree as ET

from daemon import (assert_no_report, build_dir, die_with_parent, REPO, sanitizer_env, wait_until)
from guest import KERNEL_LINE, Guest, GuestError

# as Debian has them; the package that makes the user also starts a service, and so is not needed
QEMU_USER, QEMU_UID = 'libvirt-qemu', 64055
QEMU_GROUP = 'kvm'

LIBVIRTD_CONF = '''
host_uuid = "{uuid}"
auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:file:{dir}/libvirtd.log"
log_filters = "4:util 4:event 4:cgroup 4:node_device 4:cpu"
'''
QEMU_CONF = '''
stdio_handler = "file"
security_driver = "none"
namespaces = [ ]
cgroup_controllers = [ ]
'''
# The first process: everything below /run and /var that libvirt may write to is private. KVM is
# hidden, since libvirt does not stop looking at one that QEMU's user may not open.
INIT = '''
set -e
hostname libvirt-test
for dir in /run /var/lib /var/log /var/cache; do mount -t tmpfs tmpfs $dir; done
mkdir -p /run/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt
mount --bind "$1/run" /run/libvirt
mount --bind "$1/etc" /etc/libvirt
mount --bind "$1/passwd" /etc/passwd
mount --bind "$1/group" /etc/group
[ ! -e /dev/kvm ] || mount --bind "$1/no-kvm" /dev/kvm
touch "$1/ready"
while :; do sleep 1; done
'''


class Libvirtd:
    """One libvirtd with its hook."""

    def __init__(self, workdir, options):
        """options: those of vswitch-libvirt, for the hook and for follow()."""
        self.dir = os.path.join(workdir, 'libvirt')
        self.options = options.split()
        self.uri = f'qemu+unix:///system?socket={self.dir}/run/libvirt-sock'
        self.init = self.process = self.follower = None
        os.makedirs(self.dir)
        os.chmod(self.dir, 0o755)
        for name in ('run', 'etc/hooks/qemu.d'):
            os.makedirs(os.path.join(self.dir, name))
        with open('/proc/sys/kernel/random/uuid', encoding='ascii') as file:
            uuid = file.read().strip()
        self.write('etc/libvirtd.conf', LIBVIRTD_CONF.format(dir=self.dir, uuid=uuid))
        self.write('etc/qemu.conf', QEMU_CONF)
        gid = grp.getgrnam(QEMU_GROUP).gr_gid
        self.accounts('passwd', f'{QEMU_USER}:x:{QEMU_UID}:{gid}::/:/usr/sbin/nologin\n')
        self.accounts('group', f'{QEMU_USER}:x:{QEMU_UID}:\n')
        self.write('no-kvm', '', 0)
        self.write('settings', f'VSWITCH_LIBVIRT_OPTIONS="{options}"\n')
        self.write('etc/hooks/qemu.d/vswitch', f'#!/bin/sh\necho "$*" >>{self.dir}/hook.calls\n'
                   f'export VSWITCH_LIBVIRT={build_dir()}/vswitch-libvirt '
                   f'VSWITCH_LIBVIRT_SETTINGS={self.dir}/settings\n'
                   f'exec {REPO}/qemu/hook "$@"\n', 0o755)

    def write(self, name, text, mode=0o644):
        """A file of the test's in the directory."""
        path = os.path.join(self.dir, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        os.chmod(path, mode)

    def accounts(self, name, line):
        """The machine's users or groups, and that of QEMU."""
        with open(f'/etc/{name}', encoding='utf-8') as file:
            others = [other for other in file if not other.startswith(f'{QEMU_USER}:')]
        self.write(name, ''.join(others) + line)

    def read(self, name):
        """What is in a file, nothing if there is none."""
        try:
            with open(os.path.join(self.dir, name), encoding='utf-8', errors='replace') as file:
                return file.read()
        except FileNotFoundError:
            return ''

    # --- libvirtd

    def enter(self):
        """The words before a command that runs where libvirtd does."""
        with open(f'/proc/{self.init.pid}/task/{self.init.pid}/children',
                  encoding='ascii') as file:
            return ['nsenter', '-t', file.read().split()[0], '-m', '-u', '-p']

    def start(self):
        """Starts libvirtd and waits until it answers."""
        with open(os.path.join(self.dir, 'output'), 'ab') as log:
            if not self.init:
                self.init = subprocess.Popen(
                    ['unshare', '-m', '-u', '-p', '-f', '--kill-child', '--mount-proc',
                     '--propagation', 'private', 'bash', '-c', INIT, 'init', self.dir],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    preexec_fn=die_with_parent)
                wait_until('namespaces for libvirtd',
                           lambda: os.path.exists(os.path.join(self.dir, 'ready')))
            self.process = subprocess.Popen(
                [*self.enter(), 'libvirtd', '-p', f'{self.dir}/pid'], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, preexec_fn=die_with_parent)
        try:
            wait_until('libvirtd answers', lambda: self.virsh_run('version').returncode == 0, 20,
                       0.1)
        except AssertionError as error:
            raise GuestError(f'{error}: {self.read("output")}{self.read("libvirtd.log")}') from None

    def stop(self, number=signal.SIGTERM):
        """Ends libvirtd; its domains go on."""
        with open(os.path.join(self.dir, 'pid'), encoding='ascii') as file:
            pid = file.read().strip()
        subprocess.run([*self.enter(), 'kill', f'-{int(number)}', pid], check=True)
        self.process.wait(30)

    def virsh_run(self, *words, stdin=None, timeout=25):
        """Runs virsh; returns the CompletedProcess, whatever it says."""
        return subprocess.run(['virsh', '-c', self.uri, *words], capture_output=True, text=True,
                              input=stdin, timeout=timeout, check=False)

    def virsh(self, *words):
        """What a virsh that must succeed prints."""
        done = self.virsh_run(*words)
        if done.returncode != 0:
            raise GuestError(f'virsh {" ".join(words)}: {done.stderr}{self.read("libvirtd.log")}')
        return done.stdout

    def qemu_command(self, name):
        """The command line of a domain's QEMU."""
        with open(os.path.join(self.dir, 'run', 'qemu', f'{name}.pid'), encoding='ascii') as file:
            pid = file.read().strip()
        done = subprocess.run([*self.enter(), 'cat', f'/proc/{pid}/cmdline'], check=True,
                              capture_output=True, text=True)
        return done.stdout.replace('\0', ' ')

    # --- vswitch-libvirt

    def follow(self):
        """Starts vswitch-libvirt: as nobody, but in the group that may use the control socket, and
        by libvirt's socket for who may only look."""
        program = os.path.join(self.dir, 'vswitch-libvirt')
        shutil.copy(os.path.join(build_dir(), 'vswitch-libvirt'), program)
        with open(os.path.join(self.dir, 'follow.log'), 'ab') as log:
            self.follower = subprocess.Popen(
                ['setpriv', '--reuid', 'nobody', '--regid', 'root', '--clear-groups',
                 '--bounding-set=-all', program, '-c', f'{self.uri}-ro', *self.options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=sanitizer_env(),
                preexec_fn=die_with_parent)

    def unfollow(self):
        """Ends it; it must end well."""
        self.follower.terminate()
        code = self.follower.wait(20)
        self.follower = None
        assert_no_report(self.read('follow.log'), 'vswitch-libvirt')
        assert code == 0, f'vswitch-libvirt ended with {code}: {self.read("follow.log")}'

    def wait_follow(self, pattern):
        """Waits until its log matches."""
        with contextlib.suppress(AssertionError):
            return wait_until(pattern, lambda: re.search(pattern, self.read('follow.log')), 20)
        raise GuestError(f'vswitch-libvirt does not say {pattern!r}: {self.read("follow.log")}')

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def close(self):
        """Ends everything, in whatever state it is."""
        for process in (self.follower, self.init):
            if process and process.poll() is None:
                process.kill()
                process.wait()
        if self.process:
            self.process.kill()
            self.process.wait()

    def __exit__(self, kind, value, trace):
        if kind is not None:
            for name in ('libvirtd.log', 'follow.log', 'hook.calls'):
                print(f'--- {name}:\n{self.read(name)[-4000:]}')
        self.close()


def set_child(parent, tag, text=None, **attributes):
    """The child of that name, made if there is none, with this text and these attributes."""
    child = parent.find(tag)
    if child is None:
        child = ET.SubElement(parent, tag)
    child.text = text if text is not None else child.text
    for key, value in attributes.items():
        child.set(key, value)
    return child


def example(name, sockets, qemu_sockets):
    """An XML of qemu/, with other directories for the sockets. Nothing else of its NICs differs."""
    with open(os.path.join(REPO, 'qemu', name), encoding='utf-8') as file:
        text = file.read()
    text = text.replace('/run/vswitch-qemu/', f'{qemu_sockets}/')
    return ET.fromstring(text.replace('/run/vswitch/', f'{sockets}/'))


class Domain(Guest):
    """A domain that boots the guest image: of an example, what has to do with the network."""

    def __init__(self, libvirt, image, name, root, ip=None):
        """root: the <domain>, which is changed."""
        # no super().__init__(): libvirt makes QEMU's command line
        self.libvirt = libvirt
        self.name = name
        self.ip = ip.split('/')[0] if ip else None
        self.dir = os.path.join(libvirt.dir, name)
        self.agent_path = os.path.join(self.dir, 'agent')
        self.process = self.agent = None
        self.received = b''
        self.requests = 0
        self.started = 0.0
        self.root = root
        root.set('type', 'qemu')
        set_child(root, 'name', name)
        set_child(root, 'memory', '256', unit='MiB')
        cpu = root.find('cpu')
        cpu.clear()
        cpu.set('mode', 'maximum')
        ET.SubElement(cpu, 'feature', policy='disable', name='la57')
        line = f'{KERNEL_LINE} vswitch.name={name}'
        system = root.find('os')
        set_child(system, 'kernel', os.path.join(self.dir, 'kernel'))
        set_child(system, 'initrd', os.path.join(self.dir, 'initramfs'))
        set_child(system, 'cmdline', line + (f' vswitch.ip={ip}' if ip else ''))
        devices = root.find('devices')
        for tag in ('disk', 'serial', 'console'):
            for node in devices.findall(tag):
                devices.remove(node)
        console = ET.SubElement(devices, 'serial', type='file')
        ET.SubElement(console, 'source', path=os.path.join(self.dir, 'console.log'))
        agent = ET.SubElement(devices, 'serial', type='unix')
        ET.SubElement(agent, 'source', mode='bind', path=self.agent_path)
        ET.SubElement(devices, 'memballoon', model='none')
        os.makedirs(self.dir)
        for file in ('kernel', 'initramfs'):
            shutil.copy(os.path.join(image, file), self.dir)  # libvirt changes the owner
        shutil.chown(self.dir, QEMU_UID, QEMU_GROUP)

    def nics(self):
        """The <interface>s."""
        return self.root.find('devices').findall('interface')

    def xml(self):
        """A file with its XML."""
        self.libvirt.write(f'{self.name}.xml', ET.tostring(self.root, encoding='unicode'))
        return os.path.join(self.libvirt.dir, f'{self.name}.xml')

    def start(self):
        self.received = b''
        self.started = time.monotonic()
        self.libvirt.virsh('create', self.xml())
        self.agent = socket.socket(socket.AF_UNIX)
        self.agent.connect(self.agent_path)

    def start_refused(self):
        """The sentence with which libvirt refuses to start it."""
        done = self.libvirt.virsh_run('create', self.xml())
        assert done.returncode != 0, done.stdout
        return done.stderr

    def alive(self):
        return self.libvirt.virsh_run('domstate', self.name).stdout.strip() == 'running'

    def log(self):
        """What the guest's console said last."""
        return self.libvirt.read(f'{self.name}/console.log')[-2000:] or '(nothing was logged)'

    def stop(self):
        """Ends it as by pulling the plug."""
        if self.agent:
            self.agent.close()
            self.agent = None
        self.libvirt.virsh('destroy', self.name)

    def change_nic(self, what, root):
        """virsh attach-device or detach-device, live, with an <interface>."""
        self.libvirt.write('nic.xml', ET.tostring(root, encoding='unicode'))
        self.libvirt.virsh(what, self.name, os.path.join(self.libvirt.dir, 'nic.xml'), '--live')
