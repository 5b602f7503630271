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

static uint32_t
body_at(enum frame_kind kind)
{
	return kind == FRAME_TSO ? FRAME_TCP_BODY_AT : FRAME_BODY_AT;
}

void
frame_write(uint8_t *f, struct frame_ends e, enum frame_kind kind, uint32_t len, uint64_t seq)
{
	frame_write_head(f, e, kind, len);
	frame_put_seq(f, kind, seq);
	write_pattern(f + body_at(kind), len - body_at(kind), seq);
}

uint32_t
frame_sum_at(enum frame_kind kind)
{
	return FRAME_L4_AT + (kind == FRAME_TSO ? FRAME_TCP_SUM : FRAME_UDP_SUM);
}

/* The sum of 16-bit words, the last one filled up with 0 (RFC 1071), not yet folded. */
static uint64_t
sum_of(const uint8_t *bytes, uint32_t len)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (len & 1)
		sum += (uint32_t)bytes[len - 1] << 8;
	return sum;
}

static uint16_t
fold(uint64_t sum)
{
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void
frame_finish(uint8_t *f, enum frame_kind kind, uint32_t len)
{
	const uint32_t protocol = f[23];
	uint16_t sum;

	frame_put16(f + frame_sum_at(kind), 0);
	sum = fold(sum_of(f + 26, 8) + protocol + (len - FRAME_L4_AT) +
		   sum_of(f + FRAME_L4_AT, len - FRAME_L4_AT));
	/* 0 says that there is none in UDP (RFC 768) */
	frame_put16(f + frame_sum_at(kind), kind == FRAME_SUM && sum == 0 ? 0xffff : sum);
}

void
frame_make_segment(uint8_t *f, uint32_t at, uint32_t len, bool is_last)
{
	frame_put16(f + 16, (uint16_t)(FRAME_TCP_BODY_AT - 14 + len));
	frame_put16(f + 24, 0);
	frame_put16(f + 24, fold(sum_of(f + 14, 20)));
	frame_put32(f + FRAME_TCP_SEQ_AT, at);
	frame_put16(f + 46, is_last ? 0x5018 : 0x5010);
	frame_finish(f, FRAME_TSO, FRAME_TCP_BODY_AT + len);
}
