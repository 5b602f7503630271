# SPDX-License-Identifier: BSD-3-Clause
"""The CPU's own counters of a device's polling thread, by `perf stat`, where they work."""
import os
import pathlib
import shutil
import signal
import subprocess

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


def busiest_thread(pid):
    """The thread of a process that has used the most CPU time, so the one that polls."""
    def used(task):
        fields = (task / 'stat').read_text().rsplit(')', 1)[1].split()
        return int(fields[11]) + int(fields[12])  # utime and stime, proc(5)
    return max(pathlib.Path(f'/proc/{pid}/task').iterdir(), key=used).name


class Counters:
    """why_not: a sentence, if there are none on this machine."""

    def __init__(self, events=EVENTS):
        self.events = events
        self.why_not = self.try_out()

    def try_out(self):
        if shutil.which('perf') is None:
            return 'perf is not installed: apt install linux-perf'
        done = subprocess.run(['perf', 'stat', '-x,', '-e', ','.join(self.events), 'true'],
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f'perf stat: {(done.stderr.strip().splitlines() or ["failed"])[-1]}'
        missing = [e for e in self.events if e not in parse(done.stderr)]
        return f'this machine does not count {", ".join(missing)}' if missing else None

    def per_frame(self, pid, window):
        """Runs one more window; returns what was counted meanwhile, by frame that arrived."""
        if self.why_not is not None:
            return {}
        (there, commands), (acks, back) = os.pipe(), os.pipe()
        perf = subprocess.Popen(
            ['perf', 'stat', '-x,', '-e', ','.join(self.events), '-t', busiest_thread(pid),
             '--delay=-1', f'--control=fd:{there},{back}'],
            stderr=subprocess.PIPE, text=True, pass_fds=(there, back))
        os.close(there)
        os.close(back)
        try:
            os.write(commands, b'enable\n')
            os.read(acks, 16)
            answer = window(ms=WINDOW_MS)
            os.write(commands, b'disable\n')
            os.read(acks, 16)
        finally:
            os.close(commands)
            os.close(acks)
            perf.send_signal(signal.SIGINT)
            text = perf.communicate(timeout=10)[1]
        frames = sum(answer['received'])
        return {self.events[event]: n / frames for event, n in parse(text).items()
                if frames and event in self.events}
