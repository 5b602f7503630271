# SPDX-License-Identifier: BSD-3-Clause
"""test_contract.py: the features that a port and its guest have agreed on, from one daemon to the
next: kept where they can be, refused by name where not, and pinned."""

import contextlib
import os
import re
import signal
import socket
import struct
import time

import pytest

from daemon import Daemon, wait_until
from rawguest import CSUM, GUEST_CSUM, HOST_TSO4, HOST_USO, IN_ORDER, RawGuests
from vguest import GuestError

LOG_ALL = 1 << 26
WANTED = CSUM | GUEST_CSUM | HOST_TSO4 | HOST_USO
TSO_OFF = {'offloads': {'tso': False}}


class Port:
    """A daemon with one port."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.path = daemon.path('vm1.sock')
        self.record = daemon.path('state/vm1.features')

    @property
    def shown(self):
        """The object of `port show`."""
        return self.daemon.port('vm1')

    def offered(self):
        """The features that the next guest is offered."""
        return int(self.shown['details']['features_offered'].split()[0], 16)

    def configure(self, **keys):
        """Other keys for the next daemon."""
        self.daemon.write({'ports': [{'name': 'vm1', 'type': 'vhost-user', 'socket': 'vm1.sock',
                                      **keys}]})

    def restart(self, **keys):
        """The daemon is killed, and another one started with these keys."""
        self.daemon.kill9()
        self.configure(**keys)
        self.daemon.start()

    def recorded(self):
        """The record: pinned features, pid, features of that guest."""
        with open(self.record, encoding='ascii') as f:
            pinned, pid, features = re.fullmatch(r'pinned (\S+)\nguest (\d+) \d+ (\S+)\n',
                                                 f.read()).groups()
        return int(pinned, 16), int(pid), int(features, 16)

    def edit(self, pattern, change):
        """Changes a number in the record, as another version would have written it."""
        with open(self.record, encoding='ascii') as f:
            text = f.read()
        with open(self.record, 'w', encoding='ascii') as f:
            f.write(re.sub(pattern, lambda m: f'{m[1]}{change(int(m[2], 16)):#x}', text))

    def wait_recorded(self, pid):
        """Waits until this process is in the record."""
        wait_until('recorded', lambda: os.path.exists(self.record) and self.recorded()[1] == pid)


PINNED, GUEST = r'(pinned )(\S+)', r'(guest \d+ \d+ )(\S+)'


@pytest.fixture(name='port')
def fixture_port():
    """A daemon with one port of the default configuration."""
    with Daemon({}, start=False) as daemon:
        port = Port(daemon)
        port.configure()
        daemon.start()
        yield port


@pytest.fixture(name='guests')
def fixture_guests():
    """A process that stands for one QEMU: it does as one whose chardev connects again."""
    with RawGuests() as guests:
        yield guests


def agree(port, guests, **options):
    """The process has a guest on the port, and that is recorded."""
    guest = guests.add('g', port.path, features=WANTED, **options)
    port.wait_recorded(guests.pid)
    return guest


def test_kept_by_the_next_daemon(port, guests):
    """A guest that runs goes on with what it has, though the configuration offers less now; another
    process does not get it."""
    agree(port, guests, required=HOST_TSO4)
    assert port.recorded()[2] & WANTED == WANTED
    port.restart(**TSO_OFF)
    assert not port.offered() & HOST_TSO4
    guests.remove(guests.guests['g'])
    again = guests.add('h', port.path, features=WANTED, required=HOST_TSO4)
    assert again.features & WANTED == WANTED
    details = port.shown['details']
    assert 'HOST_TSO4' in details['features_kept'] and 'HOST_TSO4' in details['features_offered']
    guests.kill9()
    wait_until('it has gone', lambda: not port.shown['details']['connected'])
    with RawGuests() as others:
        assert not others.add('g', port.path, features=WANTED).features & HOST_TSO4
        assert 'features_kept' not in port.shown['details']


def test_forgotten_when_stopped(port, guests):
    """A guest that was shut down, or whose card was unplugged, has no claim any more."""
    guest = agree(port, guests)
    guests.remove(guest)
    wait_until('forgotten', lambda: not os.path.exists(port.record))
    port.restart(**TSO_OFF)
    assert not guests.add('h', port.path, features=WANTED).features & HOST_TSO4


def test_kept_when_the_port_is_made_anew(port, guests):
    """A change of a key that makes the port anew is the same to a guest as a new daemon."""
    agree(port, guests)
    port.configure(max_macs=7, **TSO_OFF)
    port.daemon.ctl('config', 'apply', port.daemon.config_file)
    guests.remove(guests.guests['g'])
    assert guests.add('h', port.path, features=WANTED).features & HOST_TSO4


def test_refused_by_name(port, guests):
    """What can't be kept is said: which feature, why, and what to do; once, however often the
    process comes again. Another process is served."""
    agree(port, guests, required=HOST_USO)
    port.restart(datapath='library')
    guests.remove(guests.guests['g'])
    for _ in range(3):
        with pytest.raises(GuestError):
            guests.add('g', port.path, features=WANTED)
    reason = port.shown['reason']
    assert reason == ('refused: its guest uses HOST_USO, which `datapath: library` does not have: '
                      "set datapath to direct, or start the guest's QEMU anew")
    errors = re.findall(r'ERR +port vm1: QEMU \(pid (\d+)\) is refused: its guest uses HOST_USO',
                        port.daemon.log())
    assert errors == [str(guests.pid)]
    assert port.shown['link'] == 'down'
    with RawGuests() as others:
        others.add('g', port.path, features=WANTED)
        port.daemon.wait_link('vm1')
        assert port.shown['reason'] == ''


def test_refused_by_an_older_daemon(port, guests):
    """A feature that this version does not know at all."""
    agree(port, guests)
    port.daemon.kill9()
    port.edit(GUEST, lambda n: n | 1 << 41)
    port.daemon.start()
    guests.remove(guests.guests['g'])
    with pytest.raises(GuestError):
        guests.add('g', port.path, features=WANTED)
    assert 'refused: its guest uses bit 41, which this version of vswitchd does not have' in \
        port.shown['reason']


def ask(s, request, payload=b'', flags=1):
    """One message."""
    s.sendall(struct.pack('=III', request, flags, len(payload)) + payload)


@pytest.mark.parametrize('kind', ['direct', 'library'])
@pytest.mark.parametrize('asks', [True, False])
def test_takes_what_was_not_offered(port, kind, asks):
    """A front-end that sets features that it was not offered is shown the door, and why."""
    port.restart(datapath=kind, **TSO_OFF)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(port.path)
        offered = port.offered()
        if asks:
            ask(s, 1)  # GET_FEATURES
            assert struct.unpack('=IIIQ', s.recv(100))[3] == offered
        ask(s, 2, struct.pack('=Q', offered | HOST_TSO4))  # SET_FEATURES
        assert s.recv(100) == b''
    assert port.shown['reason'] == ('refused: its guest uses HOST_TSO4, which offloads switches '
                                    "off, or start the guest's QEMU anew")


def test_refusals_without_end(port):
    """A front-end that wants something else each time does not fill the log."""
    for bit in range(40, 54):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(port.path)
            ask(s, 2, struct.pack('=Q', port.offered() | 1 << bit))
            assert s.recv(100) == b''
        wait_until('refused', lambda bit=bit: f'uses bit {bit},' in port.shown['reason'])
    assert port.daemon.log().count('is refused') == 5


def test_other_features_all_the_time(port):
    """However often a guest changes its mind, the record is written once a second; the last word is
    in it in the end."""
    offered = port.offered()
    seen = set()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(port.path)
        end = time.monotonic() + 2
        while time.monotonic() < end:
            for features in [offered, offered & ~HOST_TSO4] * 20:
                ask(s, 2, struct.pack('=Q', features))  # SET_FEATURES
            with contextlib.suppress(FileNotFoundError):
                seen.add(os.stat(port.record).st_mtime_ns)
        ask(s, 2, struct.pack('=Q', offered & ~HOST_USO))
        wait_until('the last ones', lambda: port.recorded()[2] == offered & ~(HOST_USO | LOG_ALL))
    print(f'written {len(seen)} times')
    assert 1 <= len(seen) <= 4


def test_pin(port, guests):
    """A pinned port offers what it did at first, whatever a later version could do, and beside it
    `offloads` works as ever; unpinned, it offers all again."""
    everything = port.offered()
    port.restart(features='pin')
    assert port.recorded()[0] == everything == port.offered()
    port.daemon.kill9()
    port.edit(PINNED, lambda n: n & ~(IN_ORDER | HOST_USO))  # by a version that had not these
    port.daemon.start()
    assert port.offered() == everything & ~(IN_ORDER | HOST_USO)
    assert port.shown['details']['features_pinned'] is True
    assert not guests.add('g', port.path, features=WANTED).features & HOST_USO
    port.restart(features='pin', **TSO_OFF)
    assert not port.offered() & HOST_TSO4
    port.restart(features='pin')
    assert port.offered() == everything & ~(IN_ORDER | HOST_USO)
    port.restart()
    assert port.offered() == everything
    assert port.shown['details']['features_pinned'] is False
    port.restart(features='pin')
    assert port.offered() == everything, 'the pin was forgotten'


def test_pin_that_can_not_be_kept(port):
    """A port that can't offer what it is pinned with is down, and says which and why."""
    port.restart(features='pin')
    port.restart(features='pin', datapath='library')
    reason = port.shown['reason']
    assert re.search(r'features: pinned with .*HOST_USO, which `datapath: library` does not have: '
                     r'set datapath to direct, or give the pin up with `features: auto`', reason)
    port.restart(features='pin')
    assert 'waiting for QEMU' in port.shown['reason']
    port.edit(PINNED, lambda n: n | 1 << 41)
    port.restart(features='pin')
    assert 'pinned with bit 41, which this version of vswitchd does not have' in \
        port.shown['reason']
    port.restart()
    assert 'waiting for QEMU' in port.shown['reason']


def test_pin_while_the_guest_runs(port, guests):
    """`port set` pins and unpins without the guest noticing."""
    agree(port, guests)
    port.daemon.ctl('port', 'set', 'vm1', 'features=pin')
    assert port.recorded()[0] == port.offered()
    assert port.shown['details']['features_pinned'] is True
    port.daemon.ctl('port', 'set', 'vm1', 'features=auto')
    assert port.recorded()[0] == 0
    assert port.shown['details']['connections'] == 1
    assert port.shown['link'] == 'up'


def test_no_place_for_the_record(guests):
    """Without a directory to remember in, a pin is refused; a guest is served, with a warning."""
    with Daemon({'switch': {'state': '/proc/state'}}, start=False) as daemon:
        port = Port(daemon)
        daemon.write({'switch': {'state': '/proc/state'}, 'ports': [
            {'name': 'vm1', 'type': 'vhost-user', 'socket': 'vm1.sock'},
            {'name': 'vm2', 'type': 'vhost-user', 'socket': 'vm2.sock', 'features': 'pin'}]})
        daemon.start()
        assert "features: can't write /proc/state/vm2.features" in daemon.port('vm2')['reason']
        guests.add('g', port.path, features=WANTED)
        daemon.wait_link('vm1')
        daemon.wait_log(r"WARN +port vm1: features: can't write /proc/state/vm1\.features")


def test_pin_that_is_refused_changes_nothing():
    """What was asked for beside it is as it was, too."""
    with Daemon({'switch': {'state': '/proc/state'},
                 'ports': [{'name': 'vm1', 'type': 'vhost-user', 'socket': 'vm1.sock'}]}) as daemon:
        said = daemon.ctl_fail('port', 'set', 'vm1', 'mtu=1400', 'features=pin')
        assert "can't write /proc/state/vm1.features" in said
        assert daemon.port('vm1')['mtu'] == 1500


def test_record_that_is_garbage(port):
    """A record that nobody can read is named; only a pin needs it."""
    os.makedirs(os.path.dirname(port.record), exist_ok=True)
    with open(port.record, 'w', encoding='ascii') as f:
        f.write('pinned by hand\n')
    port.restart()
    assert 'waiting for QEMU' in port.shown['reason']
    port.daemon.wait_log(f'WARN +port vm1: features: {port.record} is not what vswitchd writes')
    port.restart(features='pin')
    assert f'{port.record} is not what vswitchd writes: remove it' in port.shown['reason']


def test_pin_is_kept_when_all_is_refused(port):
    """A configuration that unpins a port and is then refused leaves what was pinned as it was."""
    port.restart(features='pin')
    port.daemon.kill9()
    port.edit(PINNED, lambda n: n & ~HOST_USO)
    port.daemon.start()
    pinned = port.recorded()[0]
    assert not pinned & HOST_USO
    with open(port.daemon.path('state/vm2.features'), 'w', encoding='ascii') as f:
        f.write('garbage\n')
    port.daemon.write({'ports': [
        {'name': 'vm1', 'type': 'vhost-user', 'socket': 'vm1.sock'},
        {'name': 'vm2', 'type': 'vhost-user', 'socket': 'vm2.sock', 'features': 'pin'}]})
    said = port.daemon.ctl_fail('config', 'apply', port.daemon.config_file)
    assert 'vm2.features is not what vswitchd writes' in said
    assert port.recorded()[0] == pinned


def pin_less(port):
    """Pins the port as a version without HOST_USO would; returns what it is pinned with."""
    port.restart(features='pin')
    port.daemon.kill9()
    port.edit(PINNED, lambda n: n & ~HOST_USO)
    port.daemon.start()
    return port.recorded()[0]


def apply_refused(port, *ports):
    """A configuration with these ports, and one at last that can't be opened."""
    with open(port.daemon.path('state/bad.features'), 'w', encoding='ascii') as f:
        f.write('garbage\n')
    port.daemon.write({'ports': [
        {'type': 'vhost-user', 'socket': f'{keys["name"]}.sock', **keys}
        for keys in (*ports, {'name': 'bad', 'features': 'pin'})]})
    said = port.daemon.ctl_fail('config', 'apply', port.daemon.config_file)
    assert 'bad.features is not what vswitchd writes' in said
    assert os.path.exists(port.daemon.path('state/bad.features'))


@pytest.mark.parametrize('other', [{}, {'max_macs': 7}], ids=['changed', 'made anew'])
def test_pin_survives_what_is_refused(port, other):
    """The pin of a port that a refused configuration unpins is the old one, not what this version
    can do: also if the port is made anew, or deleted, by it."""
    everything = port.offered()
    pinned = pin_less(port)
    assert pinned == everything & ~HOST_USO
    for ports in ([{'name': 'vm1', **other}], [{'name': 'vm1', 'features': 'pin', **other}], []):
        apply_refused(port, *ports)
        assert port.recorded()[0] == pinned == port.offered()
        assert port.shown['details']['features_pinned'] is True
    port.restart(features='pin')
    assert port.offered() == pinned


@pytest.mark.parametrize('other', [{}, {'max_macs': 7}], ids=['changed', 'made anew'])
def test_no_pin_by_what_is_refused(port, guests, other):
    """A refused configuration that pins ports leaves no pin behind, nor a record of a port that it
    adds; what a guest has stays written down."""
    agree(port, guests)
    before = port.recorded()
    apply_refused(port, {'name': 'vm1', 'features': 'pin', **other},
                  {'name': 'new', 'features': 'pin'})
    assert port.recorded() == before and before[0] == 0
    assert port.shown['details']['features_pinned'] is False
    assert not os.path.exists(port.daemon.path('state/new.features'))


def test_forgotten_when_deleted(port, guests):
    """The record of a port that is deleted goes with it; one of the same name begins anew."""
    everything = port.offered()
    assert pin_less(port) != everything
    agree(port, guests)
    port.daemon.ctl('port', 'del', 'vm1')
    assert not os.path.exists(port.record)
    port.daemon.add({'name': 'vm1', 'type': 'vhost-user', 'socket': 'vm1.sock', 'features': 'pin'})
    assert port.offered() == everything == port.recorded()[0]
    port.daemon.stop()
    assert port.recorded()[0] == everything  # the port was closed, and not deleted


def test_forgotten_when_it_was_not_open(port):
    """So does that of a port which could not be opened, when a configuration has it no more."""
    port.restart(features='pin')
    port.restart(features='pin', datapath='library')
    assert 'features: pinned with' in port.shown['reason']
    assert os.path.exists(port.record)
    port.daemon.write({'ports': []})
    port.daemon.signal(signal.SIGHUP)
    port.daemon.wait_log('is in force, 0 ports')
    assert not os.path.exists(port.record)


def test_given_up_where_nobody_may_write(port):
    """A pin that is given up is not in force, also if the record can't be written: that is said."""
    everything = port.offered()
    pin_less(port)
    port.daemon.stop()
    os.chown(port.daemon.dir, 65534, -1)
    os.chmod(os.path.dirname(port.record), 0o755)
    port.daemon.wrap = ['setpriv', '--reuid=nobody', '--regid=nogroup', '--clear-groups']
    port.configure()
    port.daemon.start()
    assert port.offered() == everything
    assert port.shown['details']['features_pinned'] is False
    port.daemon.wait_log(f"WARN +port vm1: features: can't write {port.record}: Permission denied: "
                         'make the directory that switch: state names, and let vswitchd write '
                         'there: the file still has the pin that was given up')
    said = port.daemon.ctl_fail('port', 'set', 'vm1', 'features=pin')
    assert f"can't write {port.record}" in said
