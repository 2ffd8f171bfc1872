/*
 * The figures of a run as one JSON object on standard output; all times in
 * microseconds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

void report_print(const char *mode, double seconds);

#endif
