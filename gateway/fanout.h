/*
 * fanout: from an event on the bus to the sessions of its user. A user's topic
 * is subscribed while at least one session here is his.
 *
 *   fanout_join ----> bus_subscribe -> confirmed -> opening_subscribed(conn)
 *   bus message -> fan_user -> deliver_event(conn) for each but skip_session
 *
 * Which topic carries what is decided here and in chatd's events.c alone. Main
 * thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_FANOUT_H
#define GATEWAY_FANOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct fanout;
struct gateway;
struct rate_entry;

struct fanout *fanout_new(struct gateway *gw);
/* All connections must have left. */
void fanout_free(struct fanout **f);

/* Subscribes to what concerns all gateways; once the bus exists. */
void fanout_start(struct fanout *f);

/* Adds the session to its user's; opening_subscribed() follows, at once when
 * the topic is confirmed already or Redis is away. */
void fanout_join(struct conn *c);
/* Safe to call for one that has not joined. */
void fanout_leave(struct conn *c);
/* The rates that all sessions of its user here share; once it has joined. */
struct rate_entry *fanout_rates(const struct conn *c);
size_t fanout_users(const struct fanout *f);

/* From the bus. */
void fanout_on_message(struct fanout *f, const char *topic, size_t topic_len,
    const uint8_t *data, size_t len);
void fanout_on_subscriptions(struct fanout *f, bool up, uint64_t away_ms);
/* A chatd was killed, or the link to it cut: it may have stored what it did not
 * live to publish. All sessions catch up, in a moment. */
void fanout_chatd_lost(struct fanout *f);

#endif
