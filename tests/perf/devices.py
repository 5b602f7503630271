# SPDX-License-Identifier: BSD-3-Clause
"""All devices under test, by name; the first is the one that others are compared with."""
from bridge import Bridge
from ours import Direct, Library
from ovs import Ovs
from testpmd import Testpmd, TestpmdMac

DUTS = {d.name: d for d in (Direct, Library, Testpmd, TestpmdMac, Ovs, Bridge)}
