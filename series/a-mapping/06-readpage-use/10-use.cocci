// SPDX-License-Identifier: GPL-2.0
// Pass 3 for ->readpage() and the fillers: what a callback derives from
// page->mapping it derives from fs_page_mapping(mapping, page).  A test of
// page->mapping asks whether the page was truncated, and an assignment changes
// the page: neither is touched.
// candidates: struct address_space \*mapping,\s*(struct page|$)
// arguments: --no-includes
virtual patch

@@
identifier F, a, pg;
type T = {struct file *, void *};
expression E;
@@
 F(T a, struct address_space *mapping, struct page *pg)
 {
 <...
(
 pg->mapping = E
|
 pg->mapping == E
|
 pg->mapping != E
|
 !pg->mapping
|
- pg->mapping
+ fs_page_mapping(mapping, pg)
)
 ...>
 }
