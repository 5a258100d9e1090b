// SPDX-License-Identifier: GPL-2.0
// Pass 1 for ->set_page_dirty().
// rules: cocci/callback.cocci
// operation: set_page_dirty
// arguments: --no-includes
