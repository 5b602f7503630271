/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frame.c: a frame with its pattern (frame.h).
 */
#include "frame.h"

/* Words that differ from frame to frame and from place to place. */
static void
write_pattern(uint8_t *at, uint32_t len, uint64_t seq)
{
	uint64_t word = (seq + 1) * 0x9e3779b97f4a7c15;

	for (uint32_t i = 0; i < len; i += sizeof(word)) {
		word ^= word >> 29;
		word *= 0xbf58476d1ce4e5b9;
		memcpy(at + i, &word, len - i < sizeof(word) ? len - i : sizeof(word));
	}
}

void
frame_write(uint8_t *f, struct frame_ends e, uint32_t len, uint64_t seq)
{
	frame_write_head(f, e, len);
	frame_put_seq(f, seq);
	write_pattern(f + FRAME_BODY_AT, len - FRAME_BODY_AT, seq);
}
