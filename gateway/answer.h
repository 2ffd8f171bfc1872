/*
 * answer: one answer of chatd, for the client. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_ANSWER_H
#define GATEWAY_ANSWER_H

#include "common/envelope.h"
#include "common/err.h"

struct conn;
struct conn_call;

/* Learns from the (last part of the) answer and writes it; `reply` NULL: none
 * came, which the client is told. May close the connection. */
void answer_take(struct conn *c, const struct conn_call *call,
    enum err status, const struct frame *reply);
/* Writes the frames of one part of an answer that comes in parts. */
void answer_part(struct conn *c, const struct frame *reply);

#endif
