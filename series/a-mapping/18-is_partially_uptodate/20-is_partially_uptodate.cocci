// SPDX-License-Identifier: GPL-2.0
// Pass 1 for ->is_partially_uptodate().
// rules: cocci/callback.cocci
// operation: is_partially_uptodate
// arguments: --no-includes
