# SPDX-License-Identifier: BSD-3-Clause
"""guest.py: small virtual machines in QEMU, for tests/guest and qemu/demo.

    image = build_image('build/guest')
    vm1 = Guest('vm1', workdir, image, [Nic('/run/vswitch/vm1.sock')], ip='10.77.0.1/24')
    vm1.start()
    vm1.wait_ready()
    print(vm1.run('uname -r'))
    vm1.stop()

A guest is built by qemu/guest-image and commanded through the agent in it (qemu/guest/agent), over
its second serial port. What a person types into is the first one: the UNIX socket Guest.console.
"""

import base64
import dataclasses
import functools
import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
QEMU = 'qemu-system-x86_64'
# no_timer_check: without KVM a guest on a busy machine may miss the interrupts by which Linux looks
# whether its timer works, and panics
KERNEL_LINE = 'console=ttyS0 quiet reboot=t mitigations=off nokaslr no_timer_check'
KVM_TRY_S = 5
BOOT_S = 60


class GuestError(AssertionError):
    """A guest, or QEMU, did not do what was asked; str() is a sentence."""


@dataclasses.dataclass
class Nic:
    """A virtio-net device whose other end is a vhost-user port at socket.

    server: QEMU listens on the socket (port with `mode: client`), else it connects to it and, when
    the connection breaks, tries again. options: further properties of virtio-net-pci.
    """
    socket: str
    mac: str = ''
    server: bool = False
    queues: int = 1
    options: str = ''

    def chardev(self, qemu=QEMU):
        """QEMU's words for the connection."""
        if self.server:
            return f'socket,path={self.socket},server=on,wait=off'
        retry = 'reconnect-ms=100' if qemu_version(qemu) >= (9, 2) else 'reconnect=1'
        return f'socket,path={self.socket},{retry}'

    def device(self):
        """QEMU's words for the device, without its id and netdev."""
        words = ['virtio-net-pci']
        if self.mac:
            words.append(f'mac={self.mac}')
        if self.queues > 1:
            words.append(f'mq=on,vectors={2 * self.queues + 2}')
        if self.options:
            words.append(self.options)
        return ','.join(words)

    def args(self, number, qemu=QEMU):
        """QEMU's arguments for the NIC with this number."""
        return ['-chardev', f'{self.chardev(qemu)},id=char{number}',
                '-netdev', f'vhost-user,id=net{number},chardev=char{number},queues={self.queues}',
                '-device', f'{self.device()},id=nic{number},netdev=net{number}']


@dataclasses.dataclass
class TapNic:
    """A virtio-net device whose other end is the TAP ifname, which is there: QEMU's own, without a
    switch of ours. vhost: the kernel's vhost-net moves the frames, else QEMU."""
    ifname: str
    mac: str
    options: str = ''
    vhost: bool = False

    def args(self, number):
        """QEMU's arguments for the NIC with this number."""
        device = f'virtio-net-pci,mac={self.mac},id=nic{number},netdev=net{number}'
        return ['-netdev', f'tap,id=net{number},ifname={self.ifname},script=no,downscript=no,'
                           f'vhost={"on" if self.vhost else "off"}',
                '-device', f'{device},{self.options}'.rstrip(',')]


@functools.lru_cache(maxsize=None)
def qemu_version(qemu=QEMU):
    """The version of a QEMU: (10, 0), or (0, 0) if there is none."""
    try:
        text = subprocess.run([qemu, '--version'], capture_output=True, text=True,
                              check=True).stdout
    except OSError:
        return (0, 0)
    major, minor = re.search(r'version (\d+)\.(\d+)', text).groups()
    return (int(major), int(minor))


def build_image(directory):
    """Builds the guest's kernel and initramfs there, if that is not done yet; returns directory."""
    done = subprocess.run([os.path.join(REPO, 'qemu', 'guest-image'), directory], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise GuestError(f'the guest image could not be built: {done.stdout}')
    return os.path.abspath(directory)


@functools.lru_cache(maxsize=None)
def accelerator(image):
    """'kvm' if a guest boots with it within some seconds, else 'tcg'.

    That /dev/kvm can be opened says too little: inside a virtual machine it may be there and a
    guest still hang, right after the firmware.
    """
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        return 'tcg'
    with tempfile.TemporaryDirectory(prefix='vswitch-kvm-') as workdir:
        guest = Guest('kvm', workdir, image, accel='kvm')
        try:
            guest.start()
            guest.wait_ready(KVM_TRY_S)
            return 'kvm'
        except GuestError:
            return 'tcg'
        finally:
            guest.kill9()


def require_qemu(accel, qemu, nics):
    """Refuses a QEMU that crashes with such NICs; see tests/lib/install."""
    version = qemu_version(qemu)
    if accel == 'tcg' and version < (8, 0) and any('vectors=0' not in nic.options for nic in nics):
        raise GuestError(f'QEMU {"%d.%d" % version} crashes without KVM as soon as a guest uses a '
                         'vhost-user NIC, but with vectors=0: run tests/lib/install qemu-tcg')


class Qmp:
    """QEMU's monitor; one command at a time."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.file = self.socket.makefile('rw', encoding='utf-8')
        self.events = []
        json.loads(self.file.readline())
        self.command('qmp_capabilities')

    def command(self, name, /, **arguments):
        """Executes a command and returns what it returns."""
        self.file.write(json.dumps({'execute': name, 'arguments': arguments}) + '\n')
        self.file.flush()
        while True:
            line = self.file.readline()
            if not line:
                raise GuestError(f'QEMU closed its monitor during {name}')
            message = json.loads(line)
            if 'event' in message:
                self.events.append(message)
            elif 'error' in message:
                raise GuestError(f'QEMU refuses {name}: {message["error"]["desc"]}')
            else:
                return message['return']

    def wait_event(self, name, timeout=10):
        """Waits for an event, which may have come already."""
        end = time.monotonic() + timeout
        while name not in [event['event'] for event in self.events]:
            if time.monotonic() > end:
                raise GuestError(f'QEMU sent no event {name} within {timeout} s')
            self.command('query-status')
            time.sleep(0.05)
        self.events = [event for event in self.events if event['event'] != name]

    def close(self):
        """Ends the connection."""
        self.file.close()
        self.socket.close()


class Guest:
    """One virtual machine; all its files lie in workdir/name."""

    def __init__(self, name, workdir, image, nics=(), ip=None, accel=None, cpus=1, memory=256,
                 share=True, qemu=QEMU, append='', devices=(), boot=None, room='',
                 user=None, kernel='kernel'):
        """ip: address/prefix of the first NIC. accel: kvm or tcg, default: what works here.
        memory: MiB. share: whether the guest's memory is shared, without which no vhost-user NIC
        works. append: more for the kernel's command line; devices: more for QEMU's, put before the
        NICs. boot: QEMU's words for how it boots, instead of the image's kernel. room: what follows
        the size of the memory, for more to be plugged in. user: number of the user and group that
        QEMU runs as, who must be able to read the image and to search workdir. kernel: of the
        image; one that shall sleep needs bzImage, since QEMU writes the other into the guest's
        memory again when it wakes."""
        self.name = name
        self.qemu = qemu
        self.vhost_nics = list(nics)
        self.ip = ip.split('/')[0] if ip else None
        self.dir = os.path.join(os.path.abspath(workdir), name)
        self.console = os.path.join(self.dir, 'console')
        self.monitor = os.path.join(self.dir, 'monitor')
        self.agent_path = os.path.join(self.dir, 'agent')
        self.accel = accel or accelerator(image)
        self.user = user
        self.process = None
        self.agent = None
        self.received = b''
        self.requests = 0
        self.started = 0.0
        share = 'on' if share else 'off'
        line = [KERNEL_LINE, f'vswitch.name={name}']
        if ip:
            line.append(f'vswitch.ip={ip}')
        if append:
            line.append(append)
        self.append = ' '.join(line)
        if boot is None:
            boot = ['-kernel', os.path.join(image, kernel),
                    '-initrd', os.path.join(image, 'initramfs'), '-append', self.append]
        self.command = [
            'setpriv', '--pdeathsig', 'KILL',  # no QEMU outlives who started it
            *self._identity(),
            qemu, '-name', name, '-nodefaults', '-no-user-config', '-display', 'none',
            '-machine', 'q35,memory-backend=memory', '-accel', self.accel,
            '-cpu', 'host' if self.accel == 'kvm' else 'max,la57=off',
            '-smp', str(cpus), '-m', f'{memory}{room}',
            '-object', f'memory-backend-memfd,id=memory,size={memory}M,share={share}',
            *boot,
            '-chardev', f'socket,id=console,path={self.console},server=on,wait=off,'
                        f'logfile={self.console}.log',
            '-serial', 'chardev:console',
            '-chardev', f'socket,id=agent,path={self.agent_path},server=on,wait=off',
            '-serial', 'chardev:agent',
            '-chardev', f'socket,id=monitor,path={self.monitor},server=on,wait=off',
            '-mon', 'chardev=monitor,mode=control',
            '-device', 'pcie-root-port,id=slot1,chassis=1', *devices]
        for number, nic in enumerate(nics):
            self.command += nic.args(number, qemu)

    # --- the machine

    def _identity(self):
        """setpriv's words for the user that QEMU runs as."""
        if self.user is None:
            return []
        kvm = os.stat('/dev/kvm').st_gid if self.accel == 'kvm' else self.user
        return [f'--reuid={self.user}', f'--regid={self.user}', f'--groups={kvm}']

    def start(self):
        """Starts QEMU; wait_ready() tells when the guest is there."""
        require_qemu(self.accel, self.qemu, self.vhost_nics)
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        if self.user is not None:
            os.chown(self.dir, self.user, self.user)
        self.received = b''
        self.started = time.monotonic()
        with open(os.path.join(self.dir, 'qemu.log'), 'wb') as log:
            # a session of its own: Ctrl-C in the terminal is for who started us
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)
        self.agent = self._connect_agent()

    def _connect_agent(self):
        """Early: what the guest says while nobody is connected is lost."""
        end = time.monotonic() + 15
        while True:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self.agent_path)
                return connection
            except OSError:
                connection.close()
            if not self.alive():
                raise GuestError(f'QEMU of {self.name} ended at once: {self.log()}')
            if time.monotonic() > end:
                raise GuestError(f'QEMU of {self.name} does not open {self.agent_path}')
            time.sleep(0.02)

    def wait_ready(self, timeout=BOOT_S):
        """Waits until the guest has booted (or booted again); returns how long it took, seconds."""
        end = time.monotonic() + timeout
        while self._read_line(end, 'boot') != 'ready':
            pass
        return time.monotonic() - self.started

    def alive(self):
        """Whether QEMU runs."""
        return self.process is not None and self.process.poll() is None

    def log(self):
        """What QEMU and the guest's console said last."""
        text = ''
        for name in ('qemu.log', 'console.log'):
            try:
                with open(os.path.join(self.dir, name), encoding='utf-8', errors='replace') as file:
                    text += file.read()[-2000:]
            except FileNotFoundError:
                pass
        return text.strip() or '(nothing was logged)'

    def reset(self):
        """Resets the guest without asking it, as the button does; it boots again."""
        self.received = b''
        self.started = time.monotonic()
        self.qmp('system_reset')

    def reboot(self):
        """Lets the guest's kernel reboot it; nothing is shut down, and nothing answered."""
        self.started = time.monotonic()
        self.request('reboot -f')

    def stop(self):
        """Ends QEMU in good order."""
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        self.kill9()

    def kill9(self):
        """Ends QEMU without warning. May be called in any state."""
        if self.agent:
            self.agent.close()
            self.agent = None
        if self.alive():
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def qmp(self, name, /, **arguments):
        """One command to QEMU's monitor."""
        monitor = Qmp(self.monitor)
        try:
            return monitor.command(name, **arguments)
        finally:
            monitor.close()

    def plug(self, nic, name):
        """Plugs a further NIC into the running guest (there is one slot)."""
        driver, _, options = nic.device().partition(',')
        backend = {'addr': {'type': 'unix', 'data': {'path': nic.socket}}, 'server': nic.server}
        if nic.server:
            backend['wait'] = False
        self.qmp('chardev-add', id=f'char-{name}', backend={'type': 'socket', 'data': backend})
        self.qmp('netdev_add', type='vhost-user', id=f'net-{name}', chardev=f'char-{name}',
                 queues=nic.queues)
        properties = dict(option.split('=', 1) for option in options.split(',') if option)
        self.qmp('device_add', driver=driver, id=f'nic-{name}', netdev=f'net-{name}', bus='slot1',
                 **properties)

    def unplug(self, name):
        """Unplugs what plug() plugged in."""
        monitor = Qmp(self.monitor)
        try:
            monitor.command('device_del', id=f'nic-{name}')
            monitor.wait_event('DEVICE_DELETED')
            monitor.command('netdev_del', id=f'net-{name}')  # takes the chardev with it
        finally:
            monitor.close()

    # --- what runs in it

    def _read_line(self, end, purpose):
        while b'\n' not in self.received:
            if not self.alive():
                code = f' with {self.process.returncode}' if self.process else ''
                raise GuestError(f'QEMU of {self.name} ended{code} ({purpose}): {self.log()}')
            if time.monotonic() > end:
                raise GuestError(f'guest {self.name} does not answer in time ({purpose}): '
                                 f'{self.log()}')
            self.agent.settimeout(0.25)
            try:
                data = self.agent.recv(65536)
            except TimeoutError:
                continue
            except ConnectionError:
                data = b''
            self.received += data
            if not data:
                time.sleep(0.02)  # QEMU is ending: the next turn says so
        line, self.received = self.received.split(b'\n', 1)
        return line.decode(errors='replace').strip()

    def request(self, command, timeout=30):
        """Has a shell command run, and does not wait for it: what it answers later is skipped."""
        self.requests += 1
        request = f'{self.requests} {base64.b64encode(command.encode()).decode()}\n'
        self.agent.settimeout(timeout)
        self.agent.sendall(request.encode())

    def status(self, command, timeout=30):
        """Runs a shell command in the guest; returns its exit code and what it printed."""
        self.request(command, timeout)
        end = time.monotonic() + timeout
        while True:
            words = self._read_line(end, command).split(' ')
            if len(words) >= 2 and words[0] == str(self.requests):
                text = base64.b64decode(words[2]).decode(errors='replace') if words[2:] else ''
                return int(words[1]), text

    def run(self, command, timeout=30):
        """Runs a shell command that must succeed; returns what it printed."""
        code, text = self.status(command, timeout)
        if code != 0:
            raise GuestError(f'guest {self.name}: `{command}` ended with {code}: {text.strip()}')
        return text

    def features(self, nic=0):
        """The virtio features that the guest's driver and the port agreed on: a set of bits."""
        bits = self.run(f'cat /sys/class/net/eth{nic}/device/features').strip()
        return {number for number, bit in enumerate(bits) if bit == '1'}

    def ping(self, address, count=3, size=56, timeout=10):
        """Pings address; returns how many of the count answers came."""
        _, text = self.status(f'ping -q -c {count} -i 0.2 -W 1 -w {timeout} -s {size} {address}',
                              timeout + 10)
        return answers(text, count)


class Host:
    """The machine (or network namespace) itself, with the means that a Guest has."""
    name = 'host'

    def __init__(self, ip):
        self.ip = ip

    @staticmethod
    def ping(address, count=3, size=56, timeout=10):
        """Pings address; returns how many of the count answers came."""
        done = subprocess.run(['ping', '-n', '-q', '-c', str(count), '-i', '0.2', '-W', '1',
                               '-w', str(timeout), '-s', str(size), address],
                              capture_output=True, text=True, check=False)
        return answers(done.stdout, count)


def answers(text, count):
    """The number of answers in what ping printed, of count: with -w it goes on asking until it has
    them, so that more may come at last where answers are slow."""
    found = re.search(r'(\d+) (?:packets )?received', text)
    return min(int(found.group(1)), count) if found else 0


# --- transfers: 'sender' and 'receiver' are each a Guest or the Host

PORT = 5001


@dataclasses.dataclass
class Transfer:
    """The result: both checksums (hex), the bytes sent and the seconds that it took."""
    sent: str
    received: str
    size: int
    seconds: float

    def intact(self):
        """Whether what came is what was sent."""
        return self.sent == self.received


def transfer(sender, receiver, mib=16, timeout=120):
    """Sends a file of random bytes by TCP and compares checksums taken at both ends."""
    size = mib << 20
    receive = _host_receive if isinstance(receiver, Host) else _guest_receive
    send = _host_send if isinstance(sender, Host) else _guest_send
    wait, received = receive(receiver, timeout)
    start_sending, sent = send(sender, receiver.ip, size, timeout)
    start = time.monotonic()
    start_sending()
    wait()
    seconds = time.monotonic() - start
    return Transfer(sent(), received(), size, seconds)


def _guest_receive(guest, timeout):
    # by -e: an nc that has nothing to send says so, and then the one that sends gives up
    guest.run(f'rm -f /tmp/in /tmp/in.done; (timeout {timeout} nc -l -p {PORT} -e sh -c '
              f'"cat >/tmp/in; echo >/tmp/in.done") </dev/null >/dev/null 2>&1 &\n'
              f'for i in $(seq 100); do netstat -ltn | grep -q :{PORT} && exit 0; usleep 20000; '
              f'done; exit 1')

    def wait():
        guest.run(f'for i in $(seq {timeout * 50}); do [ -e /tmp/in.done ] && exit 0; '
                  'usleep 20000; done; exit 1', timeout + 10)

    def checksum():
        return guest.run('sha256sum /tmp/in && rm /tmp/in', timeout).split()[0]
    return wait, checksum


def _guest_send(guest, address, size, timeout):
    guest.run(f'head -c {size} /dev/urandom >/tmp/out', timeout)

    def send():
        guest.run(f'timeout {timeout} nc {address} {PORT} -e cat /tmp/out', timeout + 10)

    def checksum():
        return guest.run('sha256sum /tmp/out && rm /tmp/out', timeout).split()[0]
    return send, checksum


def _host_receive(host, timeout):
    listener = socket.create_server((host.ip, PORT))
    listener.settimeout(timeout)
    checksum = hashlib.sha256()
    failure = []

    def work():
        try:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(timeout)
                while data := connection.recv(1 << 16):
                    checksum.update(data)
        except OSError as error:
            failure.append(error)
        finally:
            listener.close()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()

    def wait():
        thread.join(timeout)
        if failure or thread.is_alive():
            raise GuestError(f'the host did not receive a whole file: {failure}')
    return wait, checksum.hexdigest


def _host_send(_host, address, size, timeout):
    content = os.urandom(size)

    def send():
        try:
            with socket.create_connection((address, PORT), timeout) as connection:
                connection.sendall(content)
        except OSError as error:
            raise GuestError(f'the host could not send a file to {address}: {error}') from error
    return send, hashlib.sha256(content).hexdigest
