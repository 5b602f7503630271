# SPDX-License-Identifier: BSD-3-Clause
"""The programs that play guests, as objects: each is one process with all guests of one device.

What they are told is in command.h, what they answer in measure.h; it is the same for all kinds.
"""
import contextlib
import json
import select
import subprocess
from dataclasses import dataclass

from dut import in_child, prefer

ANSWER_S = 120  # the longest that an answer takes: a million stations, taught one by one

RX_LEN = 2048  # bytes of a receive buffer
RECORD_LEN = 12  # bytes before a frame
GUEST_MB = 8  # of a guest with 1024 descriptors and usual frames
USUAL_LEN, LONG_MB = 1518, 4  # bytes; for longer frames on their way out
PMD_MB, PMD_SPARE, PMD_EXTRA = 40, 640, 512  # perf_pmd: at all, mbufs of a pool, bytes of two
FEATURES = {0: 'CSUM', 1: 'GUEST_CSUM', 7: 'GUEST_TSO4', 11: 'HOST_TSO4', 15: 'MRG_RXBUF',
            28: 'INDIRECT_DESC', 29: 'EVENT_IDX', 32: 'VERSION_1', 34: 'RING_PACKED',
            35: 'IN_ORDER'}  # virtio 1.2 §5.1.3, §6
ON_BY_DEFAULT = ('mergeable', 'hugepages')  # options that are switched off by --no-...


class GeneratorError(Exception):
    """What the program said, in one sentence."""


class NotOffered(GeneratorError):
    """The device has not a feature that was asked for: no failure, but nothing to measure."""


def words(options):
    """Keyword arguments as a command line has them: packed=True is --packed, rx_len=N --rx-len N,
    mergeable=False --no-mergeable; what is as it is anyway is left out."""
    found = []
    for key, value in options.items():
        name = key.replace('_', '-')
        if value is True or value is False:
            is_off_switch = key in ON_BY_DEFAULT
            if value is not is_off_switch:
                found.append(f'--no-{name}' if is_off_switch else f'--{name}')
        else:
            found += [f'--{name}', str(value)]
    return found


@dataclass(frozen=True)
class Link:
    """What guests and device agree on."""
    ring: str = 'split'
    offload: str = 'none'  # that each guest asks for
    takes: bool = True  # False: every second guest asks for none
    sent_max: int = 1518  # bytes of the longest frame

    def __str__(self):
        words = [f'{self.ring} ring']
        if self.offload != 'none':
            words.append(self.offload + ('' if self.takes else ' for receivers without'))
        return ', '.join(words)

    def options(self):
        return {'packed': self.ring != 'split', 'in_order': self.ring == 'in-order',
                'csum': self.offload == 'csum', 'tso': self.offload == 'tso',
                'plain_receivers': not self.takes, 'frame_max': self.sent_max}


@dataclass(frozen=True)
class Setup:
    """What guests are like in the whole run."""
    kind: str = 'raw'  # or 'pmd'
    ring_size: int = 1024
    event_idx: bool = False
    mergeable: bool = True

    def rx_len(self, sent_max):
        """Bytes of a receive buffer: a whole frame, where one can't have several."""
        return RX_LEN if self.mergeable else max(RX_LEN, sent_max + RECORD_LEN)

    def options(self, sent_max):
        return {'ring_size': self.ring_size, 'event_idx': self.event_idx,
                'mergeable': self.mergeable, 'rx_len': self.rx_len(sent_max)}

    def memory_mb(self, n_guests, link):
        """Of hugepages, at most."""
        sent_max = link.sent_max
        if self.kind == 'pmd':
            each = (self.ring_size + PMD_SPARE) * (self.rx_len(sent_max) + sent_max + PMD_EXTRA)
            return PMD_MB + n_guests * each // (1 << 20)
        # frames on their way out: in order there is a buffer for each descriptor
        kept = sent_max if link.ring == 'in-order' else 0
        long = self.ring_size * (kept + self.rx_len(sent_max) - RX_LEN) // 1000000
        long += LONG_MB if sent_max > USUAL_LEN else 0
        return n_guests * (GUEST_MB * max(self.ring_size, 1024) // 1024 + long)


class Generator:
    """perf_gen, or what binary is: guests that are front-ends of vhost-user with rings of their
    own, 2 to 64, one for each of dut.sockets.

    Options: those of Link and Setup, and hugepages (bool).
    agreed: what it said at first: features, hugepages, clock_hz, probe.
    """

    def __init__(self, binary, dut, cpu, **options):
        command = [str(binary), '--cpu', str(cpu), '--switch-cpu', str(dut.cpu),
                   '--switch-pid', str(dut.process.pid), *words(options)]
        command += [] if dut.is_server else ['--server']
        self.name = dut.name
        self.program = command[0].rsplit('/', 1)[-1]
        try:
            self.process = subprocess.Popen(command + dut.sockets, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, text=True,
                                            start_new_session=True, preexec_fn=in_child)
        except OSError as e:
            raise GeneratorError(f'{self.name}: {self.program} does not run: {e.strerror}') from e
        prefer(self.process.pid)
        try:
            self.agreed = self.answer()
        except BaseException:
            self.stop()
            raise

    def answer(self):
        # one answer for each line that it was told: nothing else can be in the buffer
        if not select.select([self.process.stdout], [], [], ANSWER_S)[0]:
            self.process.kill()
            raise GeneratorError(f'{self.name}: {self.program}: no answer after {ANSWER_S} s')
        line = self.process.stdout.readline()
        if not line:
            raise GeneratorError(f'{self.name}: {self.program} ended with code '
                                 f'{self.process.wait()}')
        try:
            answer = json.loads(line)
        except ValueError as e:
            raise GeneratorError(f'{self.name}: {self.program}: an answer that is not JSON: '
                                 f'{line.strip()[:80]}') from e
        if 'error' in answer:
            kind = NotOffered if 'not offered' in answer['error'] else GeneratorError
            raise kind(f'{self.name}: {answer["error"]}')
        return answer

    def ask(self, verb, **values):
        """values: any keys of command.h; True is 1, False 0."""
        line = [verb] + [f'{key}={int(value) if isinstance(value, bool) else value}'
                         for key, value in values.items()]
        try:
            self.process.stdin.write(' '.join(line) + '\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # answer() says what became of it
        return self.answer()

    def stop(self):
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class PmdGenerator(Generator):
    """perf_pmd: guests with the driver of DPDK (net_virtio_user).

    Options as a Generator's, without event_idx, tso and plain_receivers. Verifies nothing, layouts
    are the driver's own, and there are no hostile guests. To a server it connects, and a switch
    that connects waits for it.
    """

    def __init__(self, build, dut, cpu, **options):
        kept = {key: value for key, value in options.items()
                if key not in ('event_idx', 'tso', 'plain_receivers')}
        super().__init__(build / 'tests/perf/perf_pmd', dut, cpu, **kept)


class TapGenerator(Generator):
    """perf_tap: two TAP interfaces as guests of the kernel's own switches; dut.sockets has their
    names. They are made if they are not there, in the network namespace that it is started in.

    Option: frame_max. Frames go one by one through read() and write(), which is where the bridge
    works, too: on the guests' CPU, not on dut.cpu.
    """

    def __init__(self, build, dut, cpu, **options):
        kept = {key: value for key, value in options.items() if key == 'frame_max'}
        super().__init__(build / 'tests/perf/perf_tap', dut, cpu, **kept)
