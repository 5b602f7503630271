/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.h: a guest's frames as bytes, to and from the test: a stream that never blocks, with what
 * was read from it and is not used yet, and what is to be written to it. How frames lie in it is
 * the guest's.
 *
 * Threads: one for each stream at a time.
 */
#ifndef TESTS_STREAM_H
#define TESTS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

struct stream {
	int fd;	       /* -1 once the peer has gone */
	uint32_t room; /* bytes of in and of out */
	uint8_t *in;
	uint32_t in_len;
	uint8_t *out; /* whole frames up to out_len, of which out_off bytes are written */
	uint32_t out_len, out_off;
	uint32_t part_len; /* bytes behind out_len, of a frame that is not whole yet */
};

/* path: of a UNIX socket to connect to, or of a character device (a port of virtio-serial). 0, or
 * -1: errno; to be closed either way. */
int stream_open(struct stream *s, const char *path, uint32_t room);

/* Reads what there is and has room. True if something came. */
bool stream_read(struct stream *s);

/* Forgets the first bytes that were read. */
void stream_used(struct stream *s, uint32_t n_bytes);

/* Writes what goes without waiting; for a peer that has gone all goes. True if the peer took
 * something. */
bool stream_write(struct stream *s);

void stream_close(struct stream *s);

#endif
