// SPDX-License-Identifier: GPL-2.0
// Pass 1 for ->releasepage().
// rules: cocci/callback.cocci
// operation: releasepage
// arguments: --no-includes
