# SPDX-License-Identifier: BSD-3-Clause
"""tcpstation.py: just enough TCP for a station of a test: one connection, one direction, no loss.

    station = TcpStation(vm1, VM1, '10.77.0.1', HOST_MAC, '10.77.0.254')
    station.serve(5000, 400000, 30)      # what a client sent, whose segments were all checked
    station.sizes                        # bytes of the frames that they came in
    station.send(5001, data, 30)         # to a server
"""

import hashlib
import time

from scapy.all import IP, TCP, Ether, raw

MSS = 1460
WINDOW = 60000  # bytes under way


def check_sums(frame):
    """The checksums in a frame are those that scapy makes of the rest."""
    made = Ether(frame)
    for layer in made.layers():
        if 'chksum' in made[layer].fields:
            del made[layer].chksum
    assert raw(made) == frame, f'wrong checksums: {frame.hex()}, not {raw(made).hex()}'


class TcpStation:
    """The near end of a connection."""

    def __init__(self, station, mac, address, peer_mac, peer):
        self.station = station
        self.ends = Ether(dst=peer_mac, src=mac) / IP(src=address, dst=peer)
        self.sizes = []
        self.ports = None
        self.seq = self.ack = 0

    @staticmethod
    def digest(data):
        """As sha256sum prints it."""
        return hashlib.sha256(data).hexdigest()

    def _put(self, flags, data=b'', options=()):
        near, far = self.ports
        self.station.send(raw(self.ends / TCP(sport=near, dport=far, seq=self.seq, ack=self.ack,
                                              flags=flags, window=65535, options=list(options)) /
                              data))
        self.seq = (self.seq + len(data) + ('S' in flags) + ('F' in flags)) % (1 << 32)

    def _get(self, end):
        """Segments that have come, (TCP layer, payload), all of them right."""
        found = []
        while not found:
            assert time.monotonic() < end, f'no segment came; {self.seq=} {self.ack=}'
            for frame in self.station.recv(1, 0.5):
                made = Ether(frame)
                if TCP not in made:
                    continue
                check_sums(frame)
                self.sizes.append(len(frame))
                length = made[IP].len - made[IP].ihl * 4 - made[TCP].dataofs * 4
                found.append((made[TCP], bytes(made[TCP].payload)[:length]))
        return found

    def serve(self, port, length, timeout):
        """Takes a connection and length bytes from it."""
        end = time.monotonic() + timeout
        data = bytearray()
        while len(data) < length:
            for tcp, payload in self._get(end):
                if tcp.dport != port:
                    continue
                if tcp.flags.S:
                    self.ports = (port, tcp.sport)
                    self.seq, self.ack = 1000, (tcp.seq + 1) % (1 << 32)
                    self._put('SA', options=[('MSS', MSS)])
                elif tcp.seq == self.ack:
                    data += payload
                    self.ack = (self.ack + len(payload)) % (1 << 32)
            if self.ports:
                self._put('A')
        self._put('RA')
        return bytes(data)

    def send(self, port, data, timeout):
        """Opens a connection to port, sends data, and ends it."""
        end = time.monotonic() + timeout
        self.ports, self.seq, self.ack = (4321, port), 1000, 0
        self._put('S', options=[('MSS', MSS)])
        tcp = self._get(end)[0][0]
        assert tcp.flags == 'SA', tcp.flags
        self.ack = tcp.seq + 1
        self._put('A')
        first, done, sent = self.seq, 0, 0
        while done < len(data):
            while sent < len(data) and sent - done < WINDOW:
                self._put('PA', data[sent:sent + MSS])
                sent += MSS
            for tcp, _ in self._get(end):
                done = max(done, tcp.ack - first)
        self._put('FA')
