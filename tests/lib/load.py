# SPDX-License-Identifier: BSD-3-Clause
"""load.py: frames that come to a station all the time, whatever happens to it.

    with Flood('10.77.0.1', '52:54:00:77:00:01', 'vs-inband', 5000):
        ...
"""

import os
import subprocess

from daemon import build_dir, die_with_parent

PORT = 9  # discard: RFC 863
NICTOOL = os.path.join(build_dir(), 'tests', 'lib', 'nictool')


class Flood:
    """So many UDP datagrams a second from the host to ip, by an ARP entry that does not age; a
    context. sent: how many they were, known at its end."""

    def __init__(self, ip, mac, ifname, rate=4000):
        self.ip, self.mac, self.ifname, self.rate = ip, mac, ifname, rate
        self.process = None
        self.sent = 0

    def __enter__(self):
        subprocess.run(['ip', 'neigh', 'replace', self.ip, 'lladdr', self.mac, 'dev', self.ifname,
                        'nud', 'permanent'], check=True)
        self.process = subprocess.Popen([NICTOOL, 'flood', self.ip, str(PORT), str(self.rate)],
                                        stdout=subprocess.PIPE, text=True,
                                        preexec_fn=die_with_parent)
        return self

    def __exit__(self, kind, value, trace):
        self.process.terminate()
        self.sent = int(self.process.communicate(timeout=20)[0])
        subprocess.run(['ip', 'neigh', 'del', self.ip, 'dev', self.ifname], check=True)
        assert kind or self.sent > 0
