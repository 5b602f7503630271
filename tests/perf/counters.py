# SPDX-License-Identifier: BSD-3-Clause
"""The CPU's own counters of a device's polling thread, by `perf stat`, where they work."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess

from dut import DutError

EVENTS = {'cycles': 'cpu_cycles', 'instructions': 'instructions', 'cache-misses': 'cache_misses'}
WINDOW_MS = 400  # long enough that its beginning and end hardly count


def parse(text):
    """Event to count, from the output of `perf stat -x,`; those that were not counted are left out.

    A line is: count,unit,event,... (perf-stat(1), CSV FORMAT)
    """
    counts = {}
    for line in text.splitlines():
        words = line.split(',')
        if len(words) > 2 and words[0].replace('.', '', 1).isdigit():
            counts[words[2].split(':')[0]] = float(words[0])
    return counts


def polling_thread(pid, cpu):
    """Of the threads that may run on this CPU only, the one that has used the most CPU time; of
    all, if there are none such. ProcessLookupError or FileNotFoundError if the process has gone.
    """
    def used(task):
        fields = (task / 'stat').read_text().rsplit(')', 1)[1].split()
        return int(fields[11]) + int(fields[12])  # utime and stime, proc(5)

    def is_bound(task):
        return os.sched_getaffinity(int(task.name)) == {cpu}

    return max(pathlib.Path(f'/proc/{pid}/task').iterdir(),
               key=lambda task: (is_bound(task), used(task))).name


class Counters:
    """why_not: a sentence, if there are none on this machine."""

    def __init__(self, events=EVENTS):
        self.events = events
        self.why_not = self.try_out()

    def try_out(self):
        if shutil.which('perf') is None:
            return 'perf is not installed: apt install linux-perf'
        try:
            done = subprocess.run(['perf', 'stat', '-x,', '-e', ','.join(self.events), 'true'],
                                  capture_output=True, text=True, timeout=20, check=False)
        except (OSError, subprocess.TimeoutExpired) as e:
            return f'perf stat: {e}'
        if done.returncode != 0:
            return f'perf stat: {(done.stderr.strip().splitlines() or ["failed"])[-1]}'
        missing = [e for e in self.events if e not in parse(done.stderr)]
        return f'this machine does not count {", ".join(missing)}' if missing else None

    def window(self, dut, ask):
        """Runs one more window, by ask(ms). Returns its answer and what was counted meanwhile by
        frame that arrived; None and nothing where nothing is counted.
        """
        if self.why_not is not None:
            return None, {}
        (there, commands), (acks, back) = os.pipe(), os.pipe()
        try:
            perf = subprocess.Popen(
                ['perf', 'stat', '-x,', '-e', ','.join(self.events), '-t',
                 polling_thread(dut.process.pid, dut.cpu), '--delay=-1',
                 f'--control=fd:{there},{back}'],
                stderr=subprocess.PIPE, text=True, pass_fds=(there, back))
        except OSError as e:
            os.close(commands)
            os.close(acks)
            raise DutError(f'{dut.name}: its polling thread can\'t be counted: {e}') from e
        finally:
            os.close(there)
            os.close(back)
        try:
            with contextlib.suppress(BrokenPipeError):  # perf has ended: then nothing is counted
                os.write(commands, b'enable\n')
            os.read(acks, 16)
            answer = ask(WINDOW_MS)
            with contextlib.suppress(BrokenPipeError):
                os.write(commands, b'disable\n')
            os.read(acks, 16)
        finally:
            os.close(commands)
            os.close(acks)
            text = finish(perf)
        frames = sum(answer['received'])
        return answer, {self.events[event]: n / frames for event, n in parse(text).items()
                        if frames and event in self.events}


def finish(perf):
    """Ends `perf stat`. What it has written."""
    perf.send_signal(signal.SIGINT)
    try:
        return perf.communicate(timeout=10)[1]
    except subprocess.TimeoutExpired:
        perf.kill()
        perf.communicate()
        return ''
