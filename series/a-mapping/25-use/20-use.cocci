// SPDX-License-Identifier: GPL-2.0
// Pass 3: what a callback or a helper derives from page->mapping it derives
// from the mapping it was given.  A test of page->mapping asks whether the page
// was truncated, and an assignment changes the page: neither is touched.
// candidates: \b__mapping\b|struct address_space \*mapping,\s*(struct page|$)|bi_end_io\b|b_end_io\b
// paths: fs mm
// files: one at a time
// arguments: --no-includes
virtual patch

@own@
identifier F, pg, m = {__mapping, mapping};
expression E;
@@
 F(..., struct address_space *m, struct page *pg, ...)
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
+ fs_page_mapping(m, pg)
)
 ...>
 }

// Of the callbacks: a helper in mm/ may get the page of a swap cache.
@asks@
identifier F, pg, m = __mapping;
@@
 F(..., struct address_space *m, struct page *pg, ...)
 {
 <...
- page_mapping(pg)
+ mm_page_mapping(m, pg)
 ...>
 }

// ---- the end of I/O
@handler@
identifier F;
expression X;
@@
 X->\(bi_end_io\|b_end_io\) = F

@bio_end@
identifier handler.F, pg;
expression E;
@@
 F(...)
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
+ fs_page_io_mapping(pg)
)
 ...>
 }
