// SPDX-License-Identifier: GPL-2.0
// Pass 1 for ->invalidatepage().
// rules: cocci/callback.cocci
// operation: invalidatepage
// arguments: --no-includes
