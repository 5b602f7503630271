# SPDX-License-Identifier: BSD-3-Clause
"""veth.py: a cable: a pair of interfaces, the near end for a device of the switch, the far end for
the test's station on the wire.

    with Cable('up'), Net({'a': 'server', 'up': 'ethdev'}) as net:
        net['up'].send(net.frame('up', 'a'))
"""

import json
import subprocess

from tap import exists, quiet


def far_end(name):
    """The interface at the other end of the cable."""
    return f'{name}-wire'


class Cable:
    """A pair of interfaces that are up: name and far_end(name)."""

    def __init__(self, name):
        self.name = name
        self.lay()

    def lay(self):
        """Makes the cable."""
        subprocess.run(['ip', 'link', 'add', 'name', self.name, 'type', 'veth', 'peer', 'name',
                        far_end(self.name)], check=True)
        for end in (self.name, far_end(self.name)):
            quiet(end)
            subprocess.run(['ip', 'link', 'set', 'dev', end, 'up'], check=True)

    @property
    def mac(self):
        """The address of the near end."""
        out = subprocess.run(['ip', '-j', 'link', 'show', 'dev', self.name], check=True,
                             capture_output=True, text=True).stdout
        return json.loads(out)[0]['address']

    def cut(self):
        """Takes the cable away, with both ends, if it is there."""
        if exists(self.name):
            subprocess.run(['ip', 'link', 'del', 'dev', self.name], check=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.cut()
