// SPDX-License-Identifier: GPL-2.0
// Pass 1 for ->freepage().
// rules: cocci/callback.cocci
// operation: freepage
// arguments: --no-includes
