// SPDX-License-Identifier: GPL-2.0
// Pass 1 for ->launder_page().
// rules: cocci/callback.cocci
// operation: launder_page
// arguments: --no-includes
