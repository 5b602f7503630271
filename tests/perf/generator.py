# SPDX-License-Identifier: BSD-3-Clause
"""perf_gen as an object: one process that plays two guests of one device (gen.c)."""
import json
import subprocess

from dut import in_child, prefer


class GeneratorError(Exception):
    """What perf_gen said, in one sentence."""


class NotOffered(GeneratorError):
    """The device has not a feature that was asked for: no failure, but nothing to measure."""


class Generator:
    def __init__(self, binary, dut, cpu, packed=False, event_idx=False, hugepages=True,
                 frame_max=1518):
        command = [str(binary), '--cpu', str(cpu), '--switch-cpu', str(dut.cpu),
                   '--switch-pid', str(dut.process.pid), '--frame-max', str(frame_max)]
        command += ['--packed'] if packed else []
        command += ['--event-idx'] if event_idx else []
        command += [] if hugepages else ['--no-hugepages']
        command += [] if dut.is_server else ['--server']
        self.name = dut.name
        self.process = subprocess.Popen(command + dut.sockets, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True,
                                        start_new_session=True, preexec_fn=in_child)
        prefer(self.process.pid)
        try:
            self.agreed = self.answer()
        except GeneratorError:
            self.stop()
            raise

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise GeneratorError(f'{self.name}: perf_gen ended with code {self.process.wait()}')
        answer = json.loads(line)
        if 'error' in answer:
            kind = NotOffered if 'not offered' in answer['error'] else GeneratorError
            raise kind(f'{self.name}: {answer["error"]}')
        return answer

    def ask(self, verb, **values):
        words = [verb] + [f'{key}={int(value) if isinstance(value, bool) else value}'
                          for key, value in values.items()]
        try:
            self.process.stdin.write(' '.join(words) + '\n')
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # answer() says what became of it
        return self.answer()

    def stop(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
