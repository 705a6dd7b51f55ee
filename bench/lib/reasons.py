# SPDX-License-Identifier: Apache-2.0
"""Why a row falls short: what was tried, and what limits it. Row name -> text (bench/run --list).

A text stands in docs/benchmarks.md while its row misses its bar or its goal. A row that misses and
has none is named there as unexplained, and by bench/run.
"""

REASONS = {}
