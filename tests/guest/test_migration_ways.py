# SPDX-License-Identifier: BSD-3-Clause
"""A guest moves between two ports of one switch, and between two switches that a cable joins: it is
found where it is, and no byte is lost or changed. That memory is moved whole is in
test_migration.py."""

import socket

import pytest
from daemon import wait_until
from guestnet import HOST
from marks import choose, rounds
from migration import PLACES, UPLINK, Echo
from tap import Tap

MAC = '52:54:00:77:00:01'
MAC_BYTES = bytes.fromhex(MAC.replace(':', ''))
ARP, RARP = 0x0806, 0x8035


def found_at(net):
    """The port that a switch has learned the guest's address on, or None."""
    entries = {entry['mac']: entry['port'] for entry in net.daemon.ctl('fdb', 'list')['entries']}
    return entries.get(MAC)


def check_place(movable):
    """All switches know where the guest is; where it was nothing is left."""
    here, name = movable.places[movable.at]
    there, left = movable.places[1 - movable.at]
    wait_until(f'it is found on {name}', lambda: found_at(here) == name)
    if there is not here:
        wait_until('it is found behind the uplink', lambda: found_at(there) == UPLINK)
    there.daemon.wait_link(left, up=False)
    details = here.daemon.port(name)['details']
    assert 'LOG_ALL' not in details['features']


NICS = {'split': {}, 'packed': {'options': 'packed=on'}}


@rounds(2, 20)
@pytest.mark.parametrize('mode', choose(['server', 'client'], 'server'))
@pytest.mark.parametrize('rings', choose(NICS, 'split'))
@pytest.mark.parametrize('places', choose(PLACES, 'two switches'))
def test_there_and_back(image, places, rings, mode, rounds):
    """Again and again, while what the host sends comes back to it by TCP: the same."""
    with PLACES[places](image, {'mode': mode}, NICS[rings]) as movable, \
            Echo(movable.guest) as echo:
        for _ in range(rounds):
            echo.wait_more()
            movable.move()
            echo.wait_more()
            check_place(movable)


@pytest.mark.parametrize('announces', choose(['guest', 'switch'], 'switch'))
@pytest.mark.parametrize('places', choose(PLACES, 'two switches'))
def test_announcement(image, places, announces):
    """A guest that says nothing is found at its new place: it tells it itself, or, if its driver
    can't, the switch does so for it."""
    nic = {'options': 'guest_announce=off'} if announces == 'switch' else {}
    quiet = {'append': 'ipv6.disable=1'}
    with PLACES[places](image, {}, nic, quiet) as movable:
        movable.guest.ping(HOST)
        net = movable.places[0][0]
        assert found_at(net) == 'vm1'
        for _ in range(2):
            tap = Tap('vs-inband')
            tap.everything = True
            try:
                movable.move()
                check_place(movable)
                heard = []

                def announced(tap=tap, heard=heard):
                    heard += [frame for _, frame in tap.take() if frame[6:12] == MAC_BYTES]
                    return any(is_announcement(frame, announces) for frame in heard)
                wait_until('it is announced', announced)
                assert is_announcement(heard[0], announces), heard[0]
            finally:
                tap.close()
        assert movable.guest.ping(HOST) == 3


def is_announcement(frame, by):
    """Whether a frame says who is where: a RARP frame of the switch's, or an ARP frame by which a
    guest asks for its own address (RFC 5227 §3)."""
    kind = int.from_bytes(frame[12:14], 'big')
    if by == 'switch':
        return kind == RARP and frame[22:28] == MAC_BYTES
    own = socket.inet_aton('10.77.0.1')
    return kind == ARP and frame[28:32] == frame[38:42] == own
