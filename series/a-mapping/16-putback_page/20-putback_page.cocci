// SPDX-License-Identifier: GPL-2.0
// Pass 1 for ->putback_page().
// rules: cocci/callback.cocci
// operation: putback_page
// arguments: --no-includes
