# SPDX-License-Identifier: BSD-3-Clause
"""vfnet.py: vswitchd in a SriovGuest with VF ports, a virtio-user station vm1 and the TAP inband.

    with VfNet(guest, {'up0': {'pf': 0}}) as net:
        net.wire.send(frame)                # from outside, to the VF of up0
        net.vm1.recv(1), net.tap.recv(1)
        net.daemon.ctl('port', 'list')      # inguest.GuestDaemon
        net.details('up0')                  # of `port show`
"""

import itertools
import time

from daemon import wait_until
from frames import BROADCAST, build
from inguest import GuestDaemon, GuestStations

OUTSIDE = '02:00:00:00:00:99'  # a station on the wire
VM1 = '02:00:00:00:00:01'
TAP = '02:00:00:00:00:02'
TAP_IFNAME = 'vs-inband'
REMOVE_S = 30  # only tells working from hanging


def vf_mac(number):
    """The address that VF 0 of NIC number gets."""
    return f'52:54:00:00:{number + 1:02x}:10'


def vf_conf(guest, name, pf=0, **more):
    """The config of a port on VF 0 of NIC pf, as one should have it; more: further keys, None takes
    one away."""
    conf = {'name': name, 'type': 'vf', 'pf': guest.pf(pf).ifname, 'vf': 0, 'mac': vf_mac(pf),
            'trust': 'on', 'spoofcheck': 'off', **more}
    return {key: value for key, value in conf.items() if value is not None}


def tagged(vlan):
    """The tags of a frame in that VLAN."""
    return ((0x8100, vlan),)


def remove_vfs(pf, timeout=REMOVE_S):
    """Takes the VFs away as the host's administrator does; fails if that hangs."""
    pf.guest.run(f'echo 0 >{pf.sys}/sriov_numvfs', timeout)


class VfNet:
    """The switch and its stations."""

    def __init__(self, guest, uplinks, tap_mac=TAP):
        """uplinks: name -> arguments of vf_conf()."""
        self.guest = guest
        self.numbers = itertools.count(1)
        self.uplinks = {name: guest.pf(more.get('pf', 0)) for name, more in uplinks.items()}
        self.wire = next(iter(self.uplinks.values())).wire if uplinks else None
        ports = [vf_conf(guest, name, **more) for name, more in uplinks.items()]
        ports += [{'name': 'vm1', 'type': 'vhost-user', 'socket': 'vm1.sock'},
                  {'name': 'inband', 'type': 'tap', 'ifname': TAP_IFNAME, 'mac': tap_mac}]
        self.stations = None
        self.daemon = GuestDaemon(guest, {'ports': ports})
        try:
            self.stations = GuestStations(guest)
            self.vm1 = self.stations.virtio_user('vm1', self.daemon.path('vm1.sock'), mac=VM1)
            self.tap = self.stations.netdev('inband', TAP_IFNAME)
            self.daemon.wait_link('vm1', 'inband', *uplinks)
        except BaseException:
            print(f'--- log of vswitchd:\n{self.daemon.log()}')
            self.close()
            raise

    def close(self):
        """Ends all, whatever state it is in."""
        if self.stations:
            self.stations.close()
        self.daemon.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.stations:
            self.stations.__exit__(kind, value, trace)
        self.daemon.__exit__(kind, value, trace)

    # --- frames

    def frame(self, src, dst=BROADCAST, **more):
        """A frame that no other is like."""
        return build(dst, src, next(self.numbers), **more)

    def drain(self):
        """Forgets what has come so far."""
        for station in (self.vm1, self.tap, *(pf.wire for pf in self.uplinks.values())):
            while station.recv(1, 0.05):
                pass

    def passes(self, timeout=5.0):
        """Whether broadcasts pass from the wire to vm1 and TAP, and from these to the wire."""
        self.drain()
        into, out, up = self.frame(OUTSIDE), self.frame(VM1), self.frame(TAP)
        self.wire.send(into)
        if self.vm1.recv(1, timeout) != [into] or self.tap.recv(1, timeout) != [into]:
            return False
        self.vm1.send(out)
        if self.tap.recv(1, timeout) != [out]:
            return False
        self.tap.send(up)
        return self.vm1.recv(1, timeout) == [up] and self.wire.recv(2, timeout) == [out, up]

    def heard(self, frames, timeout=5.0):
        """Which of the frames, sent from the wire one after the other, come to vm1, in order. They
        are followed by a broadcast, with which the waiting ends."""
        self.drain()
        last = self.frame(OUTSIDE)
        self.wire.send_many([*frames, last])
        got = []

        def came():
            got.extend(self.vm1.recv(1, 0.1))
            return last in got
        wait_until('a broadcast comes to vm1', came, timeout)
        return [frame for frame in frames if frame in got]

    # --- what the switch says

    def details(self, name='up0'):
        """What `port show` says of the port's device."""
        return self.daemon.port(name)['details']

    def state(self, name='up0'):
        """(link, reason) of a port."""
        port = next(p for p in self.daemon.ctl('port', 'list')['ports'] if p['name'] == name)
        return port['link'], port['reason']

    def wait_state(self, link, reason='', name='up0', timeout=30.0):
        """Waits until the port's link is so, and the reason has that in it."""
        def reached():
            is_link, is_reason = self.state(name)
            return is_link == link and reason in is_reason
        try:
            wait_until(f'{name} is {link} ({reason})', reached, timeout)
        except AssertionError as e:
            raise AssertionError(f'{e}: it is {self.state(name)}\n{self.daemon.log()}') from None

    def wait_details(self, what, condition, name='up0', timeout=15.0):
        """Waits until condition(details) is true."""
        wait_until(what, lambda: condition(self.details(name)), timeout)

    def traces(self):
        """What there is to see of the way of frames from the wire to vm1, for who misses some: the
        NIC's and its PF's counters, the ports', what the guest wrote to vm1's channel, the log."""
        pf = self.uplinks['up0']
        texts = [f'up0 is {self.state()}']
        debug = '/sys/kernel/debug'
        for command in (f'for i in 1 2; do ethtool -S {pf.ifname} | grep -v ": 0$"; sleep 1; done',
                        f'ip -s -details link show dev {pf.ifname}',
                        f'[ -d {debug}/virtio-ports ] || mount -t debugfs none {debug}',
                        f'tail -n 99 {debug}/virtio-ports/*'):
            texts.append(f'{command}\n{self.guest.status(command)[1]}')
        for name in ('up0', 'vm1'):
            first = self.daemon.counts(name)
            time.sleep(1)
            second = self.daemon.counts(name)
            texts.append(f'{name}: {first}, a second later {second}')
        return '\n'.join([*texts, f'{self.details()}', self.daemon.log()[-6000:]])

    def drops(self, name, reason):
        """How many frames the port dropped for that reason."""
        return self.daemon.counts(name)['drops'].get(reason, 0)
