/*
 * census: tells chatd, for operators who ask, what this gateway holds: in all,
 * or of one user. An answer goes to the topic that the question names, as a u64
 * (the question's number) and a blob:
 *
 *   {"gateway":uuid,"host":..,"pid":..,"listen":..,"version":..,
 *    "connections":n,"sessions":n,"users":n,
 *    "list":[{"connection":uuid,"session":uuid,"since":time,"address":..}]}
 *
 * A session is a login, its token's row; a connection is one WebSocket. `list` is
 * of one user only, CENSUS_LIST_MAX at most. An IPv6 address is told by its first
 * half, as limits count it. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_CENSUS_H
#define GATEWAY_CENSUS_H

#define CENSUS_LIST_MAX 500

struct event;
struct gateway;
struct list;

/* `conns`: the user's, by fan_link; NULL: in all. */
void census_answer(struct gateway *gw, const struct event *asked,
    const struct list *conns);

#endif
