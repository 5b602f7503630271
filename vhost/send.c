/* SPDX-License-Identifier: BSD-3-Clause */
/* send.c: a frame over several pieces, see send.h. */
#include "send.h"

#include <string.h>

/* Where the next byte of a frame goes. */
struct scatter {
	const struct ring_view *v;
	const struct chain_piece *piece;
	uint32_t off;
};

static void
scatter(struct scatter *to, const uint8_t *from, uint32_t len)
{
	while (len > 0) {
		uint32_t part = RTE_MIN(len, to->piece->len - to->off);

		guest_copy(to->piece->addr + to->off, from, part);
		ring_log(to->v, to->piece->addr + to->off, part);
		from += part;
		len -= part;
		to->off += part;
		if (to->off == to->piece->len) {
			to->piece++;
			to->off = 0;
		}
	}
}

void
send_copy(const struct room *room, const struct ring_view *v, const struct frame *f)
{
	struct scatter to = {.v = v, .piece = room->pieces};
	uint16_t n_buffers = (uint16_t)room->n_buffers;
	uint8_t record[FRAME_RECORD_LEN];

	memcpy(record, f->head - FRAME_RECORD_LEN, sizeof(record));
	memcpy(record + SEND_NUM_BUFFERS_AT, &n_buffers, sizeof(n_buffers));
	scatter(&to, record, v->record_len);
	scatter(&to, f->head, f->head_len);
	for (uint32_t i = 0; i < f->n_pieces; i++)
		scatter(&to, f->body[i].addr, f->body[i].len);
}
