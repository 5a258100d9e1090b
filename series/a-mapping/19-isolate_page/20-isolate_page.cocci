// SPDX-License-Identifier: GPL-2.0
// Pass 1 for ->isolate_page().
// rules: cocci/callback.cocci
// operation: isolate_page
// arguments: --no-includes
