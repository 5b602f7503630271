# SPDX-License-Identifier: BSD-3-Clause
"""The programs that play guests, as objects: each is one process with all guests of one device.

What they are told is in command.h, what they answer in measure.h; it is the same for all kinds.
"""
import contextlib
import json
import select
import subprocess

from dut import in_child, prefer

ANSWER_S = 120  # the longest that an answer takes: a million stations, taught one by one

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


class Generator:
    """perf_gen, or what binary is: guests that are front-ends of vhost-user with rings of their
    own, 2 to 64, one for each of dut.sockets.

    Options: packed, in_order, event_idx, mergeable, hugepages (bool); ring_size (descriptors),
    rx_len (bytes of a receive buffer), frame_max (bytes of the longest frame).
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
    """perf_pmd: two guests with the driver of DPDK (net_virtio_user).

    Options as a Generator's, without event_idx and rx_len. Verifies nothing, layouts are the
    driver's own, and there are no hostile guests. To a server it connects, and a switch that
    connects waits for it.
    """

    def __init__(self, build, dut, cpu, **options):
        super().__init__(build / 'tests/perf/perf_pmd', dut, cpu, **options)


class TapGenerator(Generator):
    """perf_tap: two TAP interfaces as guests of the kernel's own switches; dut.sockets has their
    names. They are made if they are not there, in the network namespace that it is started in.

    Option: frame_max. Frames go one by one through read() and write(), which is where the bridge
    works, too: on the guests' CPU, not on dut.cpu.
    """

    def __init__(self, build, dut, cpu, **options):
        kept = {key: value for key, value in options.items() if key == 'frame_max'}
        super().__init__(build / 'tests/perf/perf_tap', dut, cpu, **kept)
