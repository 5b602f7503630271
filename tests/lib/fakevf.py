# SPDX-License-Identifier: BSD-3-Clause
"""fakevf.py: a VF whose PF decides as the test says: the Python end of fakevf.h, on a cable.

    with FakeVf('up', promiscuous='ignore', slots=2) as vf, \\
            Net({'a': 'server', 'up': 'ethdev'}, daemon=vf.daemon) as net:
        vf.wait_filter(macs={net.macs['a']})
        vf.change(slots=18)
        vf.event('lsc', link='down')
"""

import os
import shutil
import tempfile

from daemon import wait_until
from veth import Cable

LIBRARY = 'tests/lib/fakevf.so'
SETS = ('macs', 'mcs', 'vlans')

# As the drivers and their PFs are documented, of a VF that is not trusted.
IGBVF = {'driver': 'net_e1000_igb_vf', 'macs': 1, 'promiscuous': 'ignore',
         'allmulticast': 'ignore', 'strip': 1, 'reset': 'notsup', 'revival': 'start'}
IXGBEVF = {'driver': 'net_ixgbe_vf', 'promiscuous': 'reject', 'allmulticast': 'ignore',
           'revival': 'start'}
IAVF = {'driver': 'net_iavf', 'promiscuous': 'ignore', 'allmulticast': 'ignore', 'slots': 16,
        'mc_list': 'shared', 'vlan_filter': 'ignore', 'lsc': 1, 'rmv': 1, 'revival': 'reset'}


class FakeVf:
    """The VF on the near end of a cable of that name, which is its own."""

    def __init__(self, name, device='net_af_packet0', **behaviour):
        """behaviour: as the keys of fakevf_file.c; what is not there is as with a trusted VF of a
        good PF."""
        self.dir = tempfile.mkdtemp(prefix='vsf-', dir='/tmp')
        self.path = os.path.join(self.dir, 'behaviour')
        self.behaviour = {'device': device, 'serial': 0, **behaviour}
        self.write()
        self.cable = Cable(name)

    @property
    def daemon(self):
        """Arguments of Daemon() that put it under vswitchd."""
        return {'env': {'FAKEVF': self.path}, 'preload': [LIBRARY]}

    @property
    def mac(self):
        """The VF's own address."""
        return self.cable.mac

    def write(self, event=None):
        """Puts a new file in place of the old."""
        self.behaviour['serial'] += 1
        keys = dict(self.behaviour, **({'event': event} if event else {}))
        with open(self.path + '.new', 'w', encoding='ascii') as f:
            f.writelines(f'{key}={value}\n' for key, value in keys.items())
        os.rename(self.path + '.new', self.path)

    def change(self, **behaviour):
        """The PF decides otherwise; returns once it does."""
        self.event(None, **behaviour)

    def event(self, name, **behaviour):
        """The PF decides otherwise, and the device raises an event: lsc, reset, rmv (the driver's)
        or remove (the bus's). Returns once the program was told."""
        self.behaviour.update(behaviour)
        self.write(name)
        line = f'{"event" if name else "serial"} {self.behaviour["serial"]}'
        wait_until(f'the fake VF says {line!r}', lambda: line in self.journal(), 10.0, 0.002)

    def journal(self):
        """What the program asked for and got, line by line: 'CALL = RESULT'."""
        try:
            with open(self.path + '.journal', encoding='ascii') as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def calls(self, beginning):
        """The lines of the journal that begin so."""
        return [line for line in self.journal() if line.startswith(beginning)]

    def filter(self):
        """What the filter has now: macs, mcs, vlans are sets; promiscuous, allmulticast."""
        found = dict(word.split('=') for word in self.calls('filter ')[-1].split()[1:])
        for key in SETS:
            found[key] = {word for word in found[key].split(',') if word}
        found['vlans'] = {int(vlan) for vlan in found['vlans']}
        for key in ('promiscuous', 'allmulticast'):
            found[key] = found[key] == '1'
        return found

    def wait_filter(self, **wanted):
        """Waits until the filter is so."""
        try:
            wait_until(f'filter {wanted}',
                       lambda: {k: self.filter()[k] for k in wanted} == wanted, 5.0)
        except AssertionError as e:
            raise AssertionError(f'{e}: it is {self.filter()}; journal:\n' +
                                 '\n'.join(self.journal()[-60:])) from None

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print('--- journal of the fake VF:\n' + '\n'.join(self.journal()[-200:]))
        self.cable.cut()
        shutil.rmtree(self.dir, ignore_errors=True)
