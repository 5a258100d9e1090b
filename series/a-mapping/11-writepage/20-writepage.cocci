// SPDX-License-Identifier: GPL-2.0
// Pass 1 for ->writepage().
// rules: cocci/callback.cocci
// operation: writepage
// candidates: \bwritepage_t\b|\bwrite_cache_pages\s*\(
// arguments: --no-includes -D also_writepage_t
