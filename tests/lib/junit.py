# SPDX-License-Identifier: BSD-3-Clause
"""junit.py FILE...: counts the test cases in JUnit XML, as meson and pytest write it.

Prints "passed failed skipped" on the first line, then a line for each case that failed and, with
its reason, each that was skipped.
"""

import os
import sys
import xml.etree.ElementTree as ElementTree


def reason(element):
    """The first line of what was said."""
    text = element.get('message') or element.text or ''
    return text.strip().split('\n')[0][:200]


def main(files):
    """Counts and prints."""
    counts = {'passed': 0, 'failed': 0, 'skipped': 0}
    lines = []
    for file in files:
        if not os.path.exists(file):
            continue
        for case in ElementTree.parse(file).getroot().iter('testcase'):
            name = f'{case.get("classname") or ""} {case.get("name")}'.strip()
            found = {child.tag: child for child in case}
            if 'failure' in found or 'error' in found:
                counts['failed'] += 1
                element = found['failure'] if 'failure' in found else found['error']
                lines.append(f'FAILED  {name}: {reason(element)}')
            elif 'skipped' in found:
                counts['skipped'] += 1
                # meson writes what a program said that skips as a whole behind it
                why = reason(found['skipped']) or reason(found.get('system-out', case))
                lines.append(f'SKIPPED {name}: {why}')
            else:
                counts['passed'] += 1
    print(counts['passed'], counts['failed'], counts['skipped'])
    for line in lines:
        print(line)


if __name__ == '__main__':
    main(sys.argv[1:])
