# SPDX-License-Identifier: BSD-3-Clause
"""net.py: a switch with a station on each port, for tests of what the switch forwards.

    with Net({'a': 'server', 'b': 'client', 't': 'tap'}) as net:
        net['a'].send(net.frame('a', 'b'))
        net['b'].recv(1)

Kinds of port: server, client (direct path, who listens on the socket), library (the library's burst
calls), packed (library with packed rings), raw (direct path; a guest of rawguest.py, which may have
packed rings), tap, net_tap (a tap with that backend), and ethdev (the near end of the cable of that
name, see veth.py; its station is at the far end).
"""

import itertools

from daemon import Daemon, wait_until
from frames import BROADCAST, build, mac_text, parse
from rawguest import RawGuests
from tap import RecordTap, Tap
from veth import far_end
from vguest import Guests

KINDS = ('server', 'client', 'library', 'packed', 'tap')
HOST_KINDS = ('tap', 'net_tap', 'ethdev')  # whose stations are the kernel's


def port_conf(name, kind, more=None):
    """The config of a port of that kind; more: further keys."""
    if kind in ('tap', 'net_tap'):
        conf = {'name': name, 'type': 'tap', 'ifname': name}
        if kind == 'net_tap':
            conf['backend'] = kind
    elif kind == 'ethdev':
        conf = {'name': name, 'type': 'ethdev', 'devargs': f'net_af_packet0,iface={name}'}
    else:
        conf = {'name': name, 'type': 'vhost-user', 'socket': f'{name}.sock'}
        conf['mode'] = 'client' if kind == 'client' else 'server'
        if kind in ('library', 'packed'):
            conf['datapath'] = 'library'
    conf.update(more or {})
    return conf


class Net:
    """A daemon, its ports, and a station on each."""

    def __init__(self, ports, switch=None, conf=None, guest=None, guests=None, daemon=None):
        """ports: name -> kind; switch: the switch part of the config; conf: name -> more keys of
        the port; guest: name -> options of Guests.add() or RawGuests.add(); guests: a Guests to
        use, else our own; daemon: more arguments of Daemon()."""
        self.kinds = dict(ports)
        self.conf = conf or {}
        self.options = guest or {}
        self.stations = {}
        self.macs = {}
        self.numbers = itertools.count(1 << 24)  # of frames that no test counts
        self.own_guests = guests is None
        self.guests = guests
        self.raw_guests = None
        config = {'switch': dict(switch or {}),
                  'ports': [port_conf(n, k, self.conf.get(n)) for n, k in self.kinds.items()]}
        self.daemon = Daemon(config, **(daemon or {}))
        try:
            if self.own_guests and set(self.kinds.values()) - {'raw', *HOST_KINDS}:
                self.guests = Guests()
            for name in self.kinds:
                self.connect(name)
            self.daemon.wait_link(*self.kinds)
            for name, options in self.options.items():
                self.wait_pairs(name, options.get('queues', 1))
        except BaseException:
            print(f'--- log of vswitchd:\n{self.daemon.log()}')
            self.print_logs()
            self.close_stations()
            self.daemon.cleanup()
            raise

    def connect(self, name):
        """Puts a station on a port."""
        kind = self.kinds[name]
        self.macs.setdefault(name, mac_text(len(self.macs) + 1))
        if kind == 'tap':
            self.stations[name] = RecordTap(name)
        elif kind in HOST_KINDS:
            self.stations[name] = Tap(far_end(name) if kind == 'ethdev' else name)
        elif kind == 'raw':
            if not self.raw_guests:
                self.raw_guests = RawGuests()
            self.stations[name] = self.raw_guests.add(name, self.daemon.path(f'{name}.sock'),
                                                      **self.options.get(name, {}))
        else:
            if not self.guests:
                self.guests = Guests()
            options = {'mac': self.macs[name], 'server': kind == 'client',
                       'packed': kind == 'packed', 'mtu': self.conf.get(name, {}).get('mtu', 1500)}
            options.update(self.options.get(name, {}))
            self.stations[name] = self.guests.add(name, self.daemon.path(f'{name}.sock'), **options)
        return self.stations[name]

    def wait_pairs(self, name, n):
        """Waits until a guest uses so many queue pairs: it enables them one after the other, and
        each time there is a moment without any."""
        wait_until(f'{n} pairs of {name}',
                   lambda: self.daemon.port(name)['details'].get('queue_pairs_on') == n)

    def add_port(self, name, kind, more=None):
        """Adds a port at run time, with its station."""
        self.kinds[name] = kind
        self.conf[name] = more or {}
        self.daemon.add(port_conf(name, kind, more))
        self.connect(name)
        self.daemon.wait_link(name)

    def disconnect(self, name):
        """Takes the station from a port."""
        station = self.stations.pop(name)
        if self.kinds[name] in HOST_KINDS:
            station.close()
        else:
            station.owner.remove(station)

    def del_port(self, name):
        """Deletes a port at run time, then its station."""
        self.daemon.ctl('port', 'del', name)
        self.disconnect(name)
        del self.kinds[name]

    def __getitem__(self, name):
        return self.stations[name]

    def others(self, *names):
        """The names of all other stations."""
        return [n for n in self.stations if n not in names]

    def frame(self, src, dst=BROADCAST, number=None, size=60, **more):
        """A frame from station src to station dst (or an address)."""
        if number is None:
            number = next(self.numbers)
        return build(self.macs.get(dst, dst), self.macs[src], number, size,
                     list(self.kinds).index(src), **more)

    def after(self, src, queue=0, wait=10.0, skip=()):
        """Sends a broadcast from src and waits until all others have it. Returns what came before
        it: name -> frames. What src sent earlier has reached whom it ever will."""
        marker = self.frame(src)
        self[src].send(marker, queue=queue)
        seen = {}
        for name in self.others(src, *skip):
            got = []

            def has_marker(name=name, got=got):
                got.extend(f for _, f in self[name].take())
                return marker in got
            wait_until(f'the broadcast of {src} at {name}', has_marker, wait, 0.005)
            at = got.index(marker)
            assert not got[at + 1:], f'{name} got frames after the last of {src}'
            seen[name] = got[:at]
        return seen

    def learn(self):
        """Lets the switch learn where every station is; afterwards nothing is on its way."""
        for name in list(self.stations):
            before = self.after(name)
            assert not any(before.values()), f'frames from nowhere: {before}'

    def exchange(self, src, dst, frames, window=64, timeout=10.0, queue=0):
        """Sends frames from src in portions that no queue is too short for; returns what dst got,
        as (queue, frame)."""
        got = []
        for i in range(0, len(frames), window):
            portion = frames[i:i + window]
            self[src].send_many(portion, queue=queue)
            got += self[dst].recv_queues(len(portion), timeout)
            if len(got) < i + len(portion):
                break
        return got

    def counts(self, name):
        """Counters of a port, with all reasons: drops absent are 0."""
        counts = self.daemon.counts(name)
        reasons = self.daemon.ctl('stats')['reasons']
        counts['drops'] = {r: counts['drops'].get(r, 0) for r in reasons}
        return counts

    def all_counts(self):
        """name -> counters."""
        return {p['name']: p for p in self.daemon.ctl('stats')['ports']}

    def wait_drops(self, name, reason, n):
        """Waits until a port has dropped exactly n frames for a reason."""
        def dropped():
            return self.counts(name)['drops'][reason] >= n
        try:
            wait_until(f'{n} drops {reason} at {name}', dropped, 5.0)
        except AssertionError as e:
            raise AssertionError(f'{e}: {self.counts(name)}') from None
        found = self.counts(name)['drops'][reason]
        assert found == n, f'{name}: {found} drops {reason}, not {n}'

    def check_frames(self, got, expected, who=''):
        """Fails unless got is expected: same frames, same bytes, same order."""
        if got == expected:
            return
        numbers = [parse(f)[1] for f in expected]
        for i, frame in enumerate(got):
            parse(frame)
            assert frame in expected, f'{who}: frame {i} was not sent: {frame[:40].hex()}'
        missing = sorted(set(numbers) - {parse(f)[1] for f in got})
        raise AssertionError(f'{who}: got {len(got)} of {len(expected)} frames, missing '
                             f'{missing[:20]}, or in another order')

    def fdb(self):
        """(vlan, mac) -> port."""
        return {(e['vlan'], e['mac']): e['port'] for e in self.daemon.ctl('fdb', 'list')['entries']}

    def close_stations(self):
        """Takes all stations away."""
        for name in list(self.stations):
            if self.kinds[name] in HOST_KINDS:
                self.stations.pop(name).close()
            elif self.kinds[name] != 'raw' and not self.own_guests and \
                    self.guests.proc.poll() is None:
                self.disconnect(name)
        if self.own_guests and self.guests:
            self.guests.close()
        if self.raw_guests:
            self.raw_guests.close()

    def print_logs(self):
        """Prints what the guests' processes wrote."""
        for guests in (self.guests, self.raw_guests):
            if guests:
                print(f'--- log of {guests.program}:\n{guests.log()[-4000:]}')

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            self.print_logs()
        try:
            self.close_stations()
        finally:
            self.daemon.__exit__(kind, value, trace)


def only_to(net, src, dst, mac, **more):
    """Whether a frame to mac from src reaches dst and nobody else."""
    frame = build(mac, net.macs[src], next(net.numbers), **more)
    net[src].send(frame)
    seen = net.after(src)
    return {n: fs for n, fs in seen.items() if fs} == {dst: [frame]}


def to_all(net, src, mac, **more):
    """Whether a frame to mac from src reaches all others."""
    frame = build(mac, net.macs[src], next(net.numbers), **more)
    net[src].send(frame)
    return all(fs == [frame] for fs in net.after(src).values())
