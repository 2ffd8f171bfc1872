/*
 * nng_mend: two faults of NNG 1.5 (Debian 12 has 1.5.2), mended from outside.
 * NNG 1.10 (Debian 13) has neither. docs/decisions/042 tells how they are met.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_NNG_MEND_H
#define COMMON_NNG_MEND_H

/* Before the first socket is opened; again is harmless. Main thread. */
void nng_mend(void);

#endif
