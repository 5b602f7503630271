# SPDX-License-Identifier: BSD-3-Clause
"""demo.py: two QEMU guests and this machine talk through vswitchd; started by qemu/demo.

Takes ports and addresses from conf/example.yaml. What it starts or reserves it ends and gives back,
however it ends itself, and looks in the end whether that is so.
"""

import contextlib
import glob
import ipaddress
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

import yaml

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(REPO, 'tests', 'lib'))

import guest as qemu  # noqa: E402  after the path to it

BUILD = os.path.join(REPO, 'build')
CONFIG = os.path.join(REPO, 'conf', 'example.yaml')
CONTROL = '/run/vswitch/vswitchd.sock'
MIB = 32
PINGS = 3
PAGES = '/sys/devices/system/node/node*/hugepages/hugepages-2048kB'


class DemoError(Exception):
    """A step failed; str() is the sentence that says so."""


class Interrupted(Exception):
    """Somebody asked for the end."""


def interrupt(number, _frame):
    """A signal handler."""
    raise Interrupted(f'ended by {signal.Signals(number).name}')


def catch_signals(handler):
    """Sets what happens when somebody asks for the end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)


class Setup:
    """What conf/example.yaml says, as far as the demo needs it."""

    def __init__(self, path):
        with open(path, encoding='utf-8') as file:
            config = yaml.safe_load(file)
        switch = config.get('switch') or {}
        self.control = switch.get('control', CONTROL)
        self.hugepages = switch.get('hugepages', True)
        self.memory = size_mib(switch.get('memory', '256M'))
        ports = config['ports']
        self.vms = [port for port in ports if port['type'] == 'vhost-user']
        tap = next(port for port in ports if port['type'] == 'tap')
        self.tap = tap['ifname']
        self.host = next(address for address in map(ipaddress.ip_interface, tap['address'])
                         if address.version == 4)
        self.sockets = [self.control] + [port['socket'] for port in self.vms]

    def guest_ip(self, number):
        """The address of guest 0, 1, ...: the first ones of the host's own network."""
        return f'{self.host.network[number + 1]}/{self.host.network.prefixlen}'


def size_mib(text):
    """MiB of a size as the config has it: 256M, 1G."""
    number, unit = re.fullmatch(r'(\d+)([KMG]?)', str(text)).groups()
    return (int(number) * {'': 1, 'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30}[unit]) >> 20


def say(text):
    """A line for who watches."""
    print(text, flush=True)


@contextlib.contextmanager
def step(title):
    """A step of the demo, with the time that it took."""
    say(f'\n== {title}')
    start = time.monotonic()
    yield
    say(f'   ({time.monotonic() - start:.1f} s)')


def output(*command):
    """What a command that must work prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoError(f'`{" ".join(command)}` failed: {done.stderr.strip() or done.stdout}')
    return done.stdout


# --- the machine: what must be free, what is reserved, what must not be left

def links():
    """The names of the network interfaces."""
    return {link['ifname'] for link in json.loads(output('ip', '-j', 'link', 'show'))}


def answers(path):
    """Whether somebody listens on a UNIX socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0


def check_free(setup):
    """Refuses to disturb what is there."""
    for path in setup.sockets:
        if answers(path):
            raise DemoError(f'{path}: another process serves this socket, most likely a vswitchd: '
                            'end it first')
    if setup.tap in links():
        raise DemoError(f'the network interface {setup.tap} exists already: end who made it, or '
                        f'`ip link del {setup.tap}`')
    for route in json.loads(output('ip', '-j', '-4', 'route', 'show', 'table', 'all')):
        if route['dst'] == 'default' or route.get('type') in ('broadcast', 'multicast'):
            continue
        network = ipaddress.ip_network(route['dst'], strict=False)
        # a wider network behind a gateway only loses these addresses, for as long as the demo runs
        if network.overlaps(setup.host.network) and ('gateway' not in route or
                                                     network.subnet_of(setup.host.network)):
            raise DemoError(f'this machine uses {network} already (dev {route.get("dev")}), which '
                            f'overlaps with {setup.host.network}, the network of the demo')


def read_number(path):
    """A file of sysfs with one number in it."""
    with open(path, encoding='ascii') as file:
        return int(file.read())


def write_number(path, number):
    """The other way round."""
    with open(path, 'w', encoding='ascii') as file:
        file.write(str(number))


@contextlib.contextmanager
def hugepages(mib):
    """Sees to it that each NUMA node has this much free in hugepages of 2 MiB; takes back in the
    end what it added."""
    added = {}
    try:
        for node in sorted(glob.glob(PAGES)):
            total = read_number(f'{node}/nr_hugepages')
            missing = (mib + 1) // 2 - read_number(f'{node}/free_hugepages')
            if missing > 0:
                write_number(f'{node}/nr_hugepages', total + missing)
                added[node] = read_number(f'{node}/nr_hugepages') - total
                if added[node] < missing:
                    raise DemoError(f'of {missing} hugepages missing on {node.split("/")[5]} the '
                                    f'kernel gave {added[node]}: free memory, or restart the '
                                    'machine')
        if added:
            say(f'   {sum(added.values())} hugepages of 2 MiB reserved')
        yield
    finally:
        for node, pages in added.items():
            path = f'{node}/nr_hugepages'
            write_number(path, read_number(path) - pages)


@contextlib.contextmanager
def leaves_nothing(setup):
    """Fails if sockets, TAP or hugepages are not as they were before."""
    def state():
        found = {path for path in setup.sockets if os.path.exists(path)}
        found |= {f'network interface {name}' for name in links() if name == setup.tap}
        return found, {node: read_number(f'{node}/nr_hugepages') for node in glob.glob(PAGES)}
    # a killed switch leaves sockets behind, which the next one takes over
    _, pages_before = state()
    directory = os.path.dirname(setup.control)
    made = not os.path.isdir(directory)
    os.makedirs(directory, exist_ok=True)
    try:
        yield
    finally:
        if made:
            with contextlib.suppress(OSError):
                os.rmdir(directory)
        left, pages = state()
        if pages != pages_before:
            left.add(f'hugepages: {pages} instead of {pages_before}')
        say(f'\nLeft behind: {", ".join(sorted(left))}' if left else
            '\nEverything is ended; no TAP, socket or hugepage is left.')
    if left:
        raise DemoError('something was left behind, see above')


# --- the switch

class Switch:
    """The daemon under demonstration."""

    def __init__(self, setup, workdir):
        self.control = setup.control
        self.sockets = setup.sockets
        self.ready = False
        self.log = os.path.join(workdir, 'vswitchd.log')
        self.process = None

    def start(self):
        """Starts it and waits until it answers."""
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(
                ['setpriv', '--pdeathsig', 'TERM', os.path.join(BUILD, 'vswitchd'), '-c', CONFIG],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 20
        while not answers(self.control):
            self.check()
            if time.monotonic() > end:
                raise DemoError(f'vswitchd does not serve {self.control}: {self.tail()}')
            time.sleep(0.05)
        self.ready = True

    def check(self):
        """Fails if it ended."""
        if self.process.poll() is not None:
            raise DemoError(f'vswitchd ended with {self.process.returncode}: {self.tail()}')

    def tail(self):
        """The last that it said."""
        with open(self.log, encoding='utf-8', errors='replace') as log:
            return '\n' + ''.join(log.readlines()[-15:])

    def ctl(self, *words):
        """What `vswitchctl WORDS` prints."""
        return output(os.path.join(BUILD, 'vswitchctl'), '-s', self.control, *words)

    def stop(self):
        """Ends it as an operator does, and harder if it does not listen."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        code = self.process.returncode
        if code != 0:  # then it had no chance to do this itself
            for path in filter(os.path.exists, self.sockets):
                os.unlink(path)
        if code == -signal.SIGKILL:
            raise DemoError(f'vswitchd did not end when asked to, and was killed: {self.tail()}')
        if code != 0 and self.ready:
            raise DemoError(f'vswitchd ended with {code}: {self.tail()}')


# --- what is shown

def show_ping(stations):
    """Everybody pings everybody."""
    for source in stations:
        for target in stations:
            if source is target:
                continue
            got = source.ping(target.ip, PINGS)
            say(f'   {source.name:>5} -> {target.name:<5} {target.ip:<15} {got} of {PINGS} answers')
            if got != PINGS:
                raise DemoError(f'{target.name} did not answer {source.name} through the switch')


def show_transfer(sender, receiver):
    """A file goes from one to the other."""
    done = qemu.transfer(sender, receiver, MIB)
    rate = done.size * 8 / done.seconds / 1e6
    say(f'   {sender.name:>5} -> {receiver.name:<5} {MIB} MiB in {done.seconds:.1f} s, '
        f'{rate:.0f} Mbit/s, sha256 {done.received[:16]}...')
    if not done.intact():
        raise DemoError(f'the file that {receiver.name} received has another checksum than what '
                        f'{sender.name} sent, {done.sent[:16]}...')


def start_guests(setup, workdir, stack):
    """Boots a guest for each vhost-user port."""
    image = qemu.build_image(os.path.join(BUILD, 'guest'))
    if qemu.accelerator(image) == 'tcg':
        say('   no guest boots with KVM here: QEMU emulates the CPU (TCG), which is slower')
        output(os.path.join(REPO, 'tests', 'lib', 'install'), 'qemu-tcg')
        qemu.qemu_version.cache_clear()
    guests = []
    for number, port in enumerate(setup.vms):
        nic = qemu.Nic(port['socket'], mac=f'52:54:00:77:00:{number + 1:02x}',
                       server=port.get('mode') == 'client')
        guests.append(qemu.Guest(port['name'], workdir, image, [nic], setup.guest_ip(number)))
    for guest in guests:
        stack.callback(guest.stop)
        guest.start()
    for guest in guests:
        say(f'   {guest.name} ({guest.ip}) is up after {guest.wait_ready():.1f} s')
    return guests


def look_around(switch, guests):
    """--keep: leaves all as it is until somebody presses Ctrl-C."""
    say('\nSwitch and guests go on until you press Ctrl-C here. In another terminal:')
    for guest in guests:
        say(f'  sudo socat -,raw,echo=0,escape=0x1d UNIX-CONNECT:{guest.console}\n'
            f'      a shell in {guest.name}: press Enter; leave with Ctrl-]')
    say(f'  sudo {os.path.relpath(BUILD)}/vswitchctl port list')
    say(f'  ping {guests[0].ip}')
    say(f'The log of vswitchd is {switch.log}')
    while True:
        switch.check()
        time.sleep(0.5)


def show(setup, workdir, stack, keep):
    """Starts everything, with its end on the stack, and shows it."""
    start = time.monotonic()
    with step('vswitchd starts on conf/example.yaml'):
        if setup.hugepages:
            stack.enter_context(hugepages(setup.memory))
        switch = Switch(setup, workdir)
        stack.callback(switch.stop)
        switch.start()
    with step(f'{len(setup.vms)} QEMU guests boot'):
        guests = start_guests(setup, workdir, stack)
    stations = guests + [qemu.Host(str(setup.host.ip))]
    with step('ping, everybody to everybody'):
        show_ping(stations)
    with step('a file of random bytes by TCP, checksums taken at both ends'):
        for sender, receiver in ((0, 1), (0, -1), (-1, 1)):
            show_transfer(stations[sender], stations[receiver])
    for words in (['port', 'list'], ['fdb', 'list'], ['stats']):
        say(f'\n== vswitchctl {" ".join(words)}\n{switch.ctl(*words).rstrip()}')
    switch.check()
    say(f'\nAll of this worked, in {time.monotonic() - start:.0f} s.')
    if keep:
        with contextlib.suppress(Interrupted):
            look_around(switch, guests)


def demo(keep):
    """The whole demo; raises when something is not as it should be."""
    setup = Setup(CONFIG)
    check_free(setup)
    with leaves_nothing(setup), contextlib.ExitStack() as stack:
        workdir = stack.enter_context(tempfile.TemporaryDirectory(prefix='vswitch-demo-'))
        try:
            show(setup, workdir, stack, keep)
        finally:
            catch_signals(signal.SIG_IGN)  # nothing shall disturb the end


def main():
    """Exit code: 0 all was shown, 1 a step failed, 130 interrupted."""
    catch_signals(interrupt)
    try:
        demo('--keep' in sys.argv[1:])
    except (DemoError, qemu.GuestError) as error:
        print(f'\ndemo: FAILED: {error}', file=sys.stderr)
        return 1
    except Interrupted as error:
        print(f'\ndemo: {error}', file=sys.stderr)
        return 130
    return 0


if __name__ == '__main__':
    sys.exit(main())
