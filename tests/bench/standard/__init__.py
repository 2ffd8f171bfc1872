"""The standard set of load tests: what it measures (cases), on what
(installation), against what (ceilings), and how it is shown (table, plots).

SPDX-License-Identifier: MIT
"""
