/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clock.c: how fast the clock of clock.h ticks.
 */
#include "clock.h"

double clock_hz = 1e9;

void
clock_start(void)
{
	const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
	uint64_t ticks = clock_ticks(), ns = clock_ns();

	nanosleep(&pause, NULL);
	ticks = clock_ticks() - ticks;
	ns = clock_ns() - ns;
	clock_hz = (double)ticks * 1e9 / (double)ns;
}
