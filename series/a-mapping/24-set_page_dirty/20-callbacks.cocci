// SPDX-License-Identifier: GPL-2.0
// A callback dirties the locked page it was given: it knows the mapping.
// candidates: \bset_page_dirty\s*\(
// paths: fs mm
// arguments: --no-includes
virtual patch

@write_end@
identifier F, f, m, pos, len, copied, pg, d;
@@
 F(struct file *f, struct address_space *m, loff_t pos, unsigned len,
   unsigned copied, struct page *pg, void *d)
 {
 <...
- set_page_dirty(pg)
+ set_page_dirty_mapping(m, pg)
 ...>
 }

@own@
identifier F != {set_page_dirty_mapping}, pg, m = {__mapping, mapping};
@@
 F(..., struct address_space *m, struct page *pg, ...)
 {
 <...
- set_page_dirty(pg)
+ set_page_dirty_mapping(m, pg)
 ...>
 }
