# SPDX-License-Identifier: BSD-3-Clause
"""guestnet.py: a switch with QEMU guests on its vhost-user ports and the host on its TAP.

    with GuestNet(image, {'vm1': {}, 'vm2': {'mode': 'client'}}) as net:
        net['vm1'].ping(net['vm2'].ip)
        net.host.ping(net['vm1'].ip)
"""

import contextlib
import os
import socket
import subprocess
import threading
import time

from daemon import Daemon
from guest import Guest, Host, Nic

HOST = '10.77.0.254'


class GuestNet:
    """The daemon, its ports vm1, vm2, ... and inband, and a guest on each of the former."""

    def __init__(self, image, ports, nics=None, guests=None, boot=True, switch=None, more=None):
        """ports: name -> further keys of the port; nics: name -> arguments of Nic();
        guests: name -> arguments of Guest(); switch: the switch part of the config; more: ports
        instead of the TAP. Guests get 10.77.0.1, 10.77.0.2, ..."""
        self.image = image
        self.nics = nics or {}
        self.options = guests or {}
        self.ports = {name: {'name': name, 'type': 'vhost-user', 'socket': f'{name}.sock', **more}
                      for name, more in ports.items()}
        inband = {'name': 'inband', 'type': 'tap', 'ifname': 'vs-inband', 'address': [f'{HOST}/24'],
                  'mac': '52:54:00:77:00:fe'}
        self.daemon = Daemon({'switch': switch or {}, 'ports': [
            *self.ports.values(), *([inband] if more is None else more)]})
        self.host = Host(HOST)
        self.guests = {}
        try:
            for name in self.ports:
                self.guests[name] = self.make_guest(name)
            if boot:
                self.boot(*self.guests)
        except BaseException:
            self.close()
            raise

    def make_guest(self, name, station=None, **more):
        """A guest for a port; not started. station: of which port's guest it has the addresses;
        more: further arguments of Guest()."""
        port = self.ports[name]
        number = list(self.ports).index(station or name) + 1
        nic = Nic(self.daemon.path(port['socket']), mac=f'52:54:00:77:00:{number:02x}',
                  server=port.get('mode') == 'client', queues=port.get('queues', 1),
                  **self.nics.get(name, {}))
        return Guest(name, self.daemon.dir, self.image, [nic], ip=f'10.77.0.{number}/24',
                     **{**self.options.get(name, {}), **more})

    def boot(self, *names):
        """Starts these guests together and waits until their ports are up."""
        for name in names:
            self.guests[name].start()
        for name in names:
            self.guests[name].wait_ready()
        self.daemon.wait_link(*names)

    def __getitem__(self, name):
        return self.guests[name]

    def is_packed(self, name):
        """Whether the rings of a guest are packed, as its port has them."""
        return self.daemon.port(name)['details']['ring_layout'] == 'packed'

    def put(self, name, file, path):
        """Copies a file of the host into a guest, by the network; it can be executed there."""
        with open(file, 'rb') as content, socket.create_server((HOST, 0)) as listener:
            port = listener.getsockname()[1]

            def work():
                connection, _ = listener.accept()
                with connection:
                    connection.sendfile(content)
            listener.settimeout(30)
            sender = threading.Thread(target=work)
            sender.start()
            self[name].run(f'nc {HOST} {port} </dev/null >{path} && chmod 755 {path}')
            sender.join()
            size = os.stat(file).st_size
        assert self[name].run(f'stat -c %s {path}').strip() == str(size)

    def stations(self):
        """All guests and the host."""
        return [*self.guests.values(), self.host]

    def pairs(self):
        """Everybody with everybody else, both ways."""
        return [(a, b) for a in self.stations() for b in self.stations() if a is not b]

    def check_pings(self, count=2, size=56):
        """Everybody must be answered by everybody, each time."""
        for source, target in self.pairs():
            got = source.ping(target.ip, count, size)
            assert got == count, (f'{source.name} got {got} of {count} answers from {target.name}, '
                                  f'{size} bytes; {self.picture()}')

    def wait_pings(self, timeout=15):
        """Waits until everybody is answered by everybody; returns how long that took, seconds."""
        start = time.monotonic()
        for source, target in self.pairs():
            while not source.ping(target.ip, 1, timeout=1):
                assert time.monotonic() < start + timeout, (
                    f'{source.name} gets no answer from {target.name} after {timeout} s; '
                    f'{self.picture()}')
        return time.monotonic() - start

    def picture(self):
        """What one wants to see when something went wrong."""
        neighbours = subprocess.run(['ip', 'neigh'], capture_output=True, text=True, check=False)
        return (f'{self.daemon.ctl_text("port", "list")}\n{self.daemon.ctl_text("fdb", "list")}\n'
                f'{self.daemon.ctl_text("stats")}\n{neighbours.stdout}\n' +
                '\n'.join(f'{guest.name}: {guest.log()}' for guest in self.guests.values()))

    def close(self):
        """Ends guests and daemon, whatever state they are in."""
        for guest in self.guests.values():
            guest.kill9()
        self.daemon.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        """The daemon must end well while guests are connected."""
        try:
            self.daemon.__exit__(kind, value, trace)
        finally:
            self.close()


@contextlib.contextmanager
def pair(image, mode, *rings):
    """Two guests on ports of that mode; rings: of each guest, further properties of its NIC, which
    are about packed rings."""
    nics = {f'vm{n}': {'options': options} for n, options in enumerate(rings, 1)}
    with GuestNet(image, {name: {'mode': mode} for name in nics}, nics) as net:
        for name, options in nics.items():
            assert net.is_packed(name) == bool(options['options'])
        yield net
