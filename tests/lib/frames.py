# SPDX-License-Identifier: BSD-3-Clause
"""frames.py: frames that say who sent them, which they are, and whether they are as they were.

After the EtherType: one byte sender, one byte zero, four bytes number, two bytes length of the
frame (untagged), filling that depends on the number, and a CRC-32 over all before it. 26 bytes is
the shortest.
"""

import struct
import zlib

from tap import ETHERTYPE, VLAN_TYPES

BROADCAST = 'ff:ff:ff:ff:ff:ff'
MIN_LEN = 14 + 8 + 4
FILLING = bytes((i * 167 + 13) & 0xff for i in range(65536 + 256))


def mac_bytes(mac):
    """Six bytes of aa:bb:cc:dd:ee:ff, or the bytes as they are."""
    return mac if isinstance(mac, bytes) else bytes.fromhex(mac.replace(':', ''))


def mac_text(number):
    """A station's address by its number."""
    return '02:00:00:' + ':'.join(f'{b:02x}' for b in number.to_bytes(3, 'big'))


def build(dst, src, number=0, size=60, sender=0, tags=()):
    """A frame of size bytes without FCS and tags; tags: (TPID, TCI), ... from the outside."""
    assert size >= MIN_LEN
    plain = mac_bytes(dst) + mac_bytes(src) + struct.pack('!HBBIH', ETHERTYPE, sender, 0, number,
                                                          size & 0xffff)
    plain += FILLING[number & 0xff:(number & 0xff) + size - len(plain) - 4]
    plain += struct.pack('!I', zlib.crc32(plain))
    if not tags:
        return plain
    return plain[:12] + b''.join(struct.pack('!HH', *t) for t in tags) + plain[12:]


def parse(frame):
    """(sender, number) of a frame; fails if it is not as build() made it."""
    off = 12
    while int.from_bytes(frame[off:off + 2], 'big') in VLAN_TYPES:
        off += 4
    plain = frame[:12] + frame[off:]
    assert len(plain) >= MIN_LEN, f'not a frame of ours: {frame.hex()}'
    kind, sender, _, number, size = struct.unpack_from('!HBBIH', plain, 12)
    assert kind == ETHERTYPE, f'not a frame of ours: {frame[:40].hex()}'
    assert size == len(plain) & 0xffff, f'frame {number} of {sender} has {len(plain)} bytes'
    assert zlib.crc32(plain[:-4]) == int.from_bytes(plain[-4:], 'big'), \
        f'frame {number} of {sender} was altered'
    return sender, number
