# SPDX-License-Identifier: BSD-3-Clause
"""uplink.py: a switch in a SriovGuest (see sriov.py), between a VF's wire and vhost-user stations,
and what gets through it.

    with Bench(guest, {'type': 'vf', 'pci': pf.vf_pci(0), 'filter': 'mac-list'}) as b:
        b.passes(VM1)       # a frame from the wire to VM1 came to the station vm1
        b.say(VM1)          # vm1 sends one, which comes out on the wire
        b.wait_passes(VM1)
        b.show('filter')    # a detail of the uplink
        b.d, b.vm1, b.wire  # the GuestDaemon, station and wire themselves

No answer depends on time: behind what may not come, a frame is sent that does.
"""

from daemon import wait_until
from frames import BROADCAST, build, parse
from inguest import GuestDaemon, GuestStations

PEER = '02:00:00:00:99:99'  # on the wire
VM1 = '02:00:00:00:01:00'
VM2 = '02:00:00:00:02:00'
MANY_S = 30  # for what takes much less


class Bench:
    """A switch with the uplink up0 (VF 0) and vhost-user stations; a context."""

    def __init__(self, guest, up0, stations=('vm1',), others=(), mtu=1500, nic=0, **switch):
        """up0: keys of the port; stations: names; others: more ports; nic: the PF's number."""
        ports = [{'name': 'up0', 'mtu': mtu, **up0}, *others]
        ports += [{'name': n, 'type': 'vhost-user', 'socket': f'{n}.sock', 'mtu': mtu}
                  for n in stations]
        self.names = stations
        self.mtu = mtu
        self.wire = guest.pf(nic).vf_wire(0)
        self.number = 0
        self.d = GuestDaemon(guest, {'switch': switch, 'ports': ports}, start=False)
        self.stations = None

    def __enter__(self):
        try:
            self.d.start()
            self.stations = GuestStations(self.d.guest)
            for n, name in enumerate(self.names):
                setattr(self, name, self.stations.virtio_user(
                    name, self.d.path(f'{name}.sock'), mac=(VM1, VM2)[n], mtu=self.mtu))
            self.d.wait_link('up0', *self.names)
            self.wire.drain()
        except BaseException as e:
            self.__exit__(type(e), e, None)
            raise
        return self

    def __exit__(self, *what):
        if self.stations:
            self.stations.__exit__(*what)
        self.d.__exit__(*what)

    def show(self, key, port='up0'):
        """A detail of the uplink."""
        return self.d.port(port)['details'][key]

    def wait_show(self, key, value, timeout=MANY_S):
        """Waits until a detail of the uplink is that."""
        wait_until(f'{key} is {value}', lambda: self.show(key) == value, timeout, 0.1)

    def next(self):
        """A number that no frame had."""
        self.number += 1
        return self.number

    def got(self, station, number):
        """What came to a station before the frame of this number: the numbers."""
        numbers = []
        while number not in numbers:
            frames = station.recv(1, MANY_S)
            assert frames, f'frame {number} did not come, but {numbers}'
            numbers += [parse(frame)[1] for frame in frames]
        return numbers

    def passing(self, frames, station=None):
        """Which of these frames from the wire come to vm1, whole, by their numbers: they are
        between this one's start and end."""
        station = station or self.vm1
        end = self.next()
        self.wire.send_many(frames)
        self.wire.send(build(BROADCAST, PEER, end))
        sent = {parse(frame)[1]: frame for frame in frames}
        return {n for n in self.got(station, end) if n in sent}

    def passes(self, dst, tags=(), station=None):
        """Does a frame from the wire to this address come to vm1?"""
        return bool(self.passing([build(dst, PEER, self.next(), tags=tags)], station))

    def wait_passes(self, dst, tags=(), station=None, does=True):
        """Waits until it does, or does not any more."""
        wait_until(f'{dst} {tags} passes: {does}',
                   lambda: self.passes(dst, tags, station) == does, MANY_S, 0.1)

    def say(self, src, tags=(), station=None):
        """A frame from this address behind vm1 reaches the wire as it is."""
        frame = build(PEER, src, self.next(), tags=tags)
        (station or self.vm1).send(frame)
        assert self.wire.wait(lambda found: found == frame, MANY_S)

    def mbufs_in_use(self):
        """Of the pool of the uplink."""
        found = self.d.port('up0')['details']
        return found['mbufs'] - found['mbufs_free']

    def drops(self, port='up0'):
        """Reasons and numbers."""
        return self.d.counts(port)['drops']


def tag(vlan):
    """Tags for build()."""
    return ((0x8100, vlan),)
