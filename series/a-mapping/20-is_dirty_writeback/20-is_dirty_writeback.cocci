// SPDX-License-Identifier: GPL-2.0
// Pass 1 for ->is_dirty_writeback().
// rules: cocci/callback.cocci
// operation: is_dirty_writeback
// arguments: --no-includes
