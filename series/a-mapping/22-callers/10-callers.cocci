// SPDX-License-Identifier: GPL-2.0
// Pass 2: each MAPPING_NULL becomes the mapping of the caller.  A rule asks for
// evidence in the function that the page of the call belongs to that mapping.
// What none of them proves stays MAPPING_NULL, for the patch by hand.  The
// strongest evidence comes first.
// candidates: \bMAPPING_NULL\b
// arguments: --no-includes
virtual patch

// A callback works for the mapping it was given, for the page it was given.
// Not shmem_writepage(): the page is in the swap cache when it is written.
@own@
identifier F, G != swap_writepage, pg, m = {__mapping, mapping};
@@
 F(..., struct address_space *m, struct page *pg, ...)
 {
 <...
 G(...,
-  MAPPING_NULL
+  m
  , pg, ...)
 ...>
 }

@own_operation@
identifier F, op, pg, m = {__mapping, mapping};
expression X;
@@
 F(..., struct address_space *m, struct page *pg, ...)
 {
 <...
 X->op(...,
-  MAPPING_NULL
+  m
  , pg, ...)
 ...>
 }

// ->migratepage() gets the mapping for both pages.
@migrate@
identifier F, G, m, new, pg;
@@
 F(struct address_space *m, struct page *new, struct page *pg, ...)
 {
 <...
 G(...,
-  MAPPING_NULL
+  m
  , pg, ...)
 ...>
 }

// ->write_end() and those that have its arguments: the page of the mapping.
@write_end@
identifier F, G, f, m, pos, len, copied, pg, d;
@@
 F(struct file *f, struct address_space *m, loff_t pos, unsigned len,
   unsigned copied, struct page *pg, void *d)
 {
 <...
 G(...,
-  MAPPING_NULL
+  m
  , pg, ...)
 ...>
 }

// The mapping owns the operation that is called, also through a local copy of
// the table.
@owner@
identifier op;
expression M;
@@
 M->a_ops->op(...,
-  MAPPING_NULL
+  M
  , ...)

@owner_of_table@
identifier A, op;
expression M;
@@
 const struct address_space_operations *A = M->a_ops;
 <...
 A->op(...,
-  MAPPING_NULL
+  M
  , ...)
 ...>

@owner_of_copy@
identifier op, f;
expression M;
@@
 f = M->a_ops->op
 <...
 f(
-  MAPPING_NULL
+  M
  , ...)
 ...>

// The function asked the page for its mapping, once, to work with it.
@asked@
identifier G != swap_writepage, pg, m;
@@
 struct address_space *m = \(pg->mapping\|page_mapping(pg)\);
 <...
 G(...,
-  MAPPING_NULL
+  m
  , pg, ...)
 ...>

@asked_later exists@
identifier G != swap_writepage, pg, m;
position p;
@@
 m = \(pg->mapping\|page_mapping(pg)\);
 ... when != m = ...
     when != pg = ...
     when any
 G(..., MAPPING_NULL@p, pg, ...)

@@
identifier asked_later.m;
position asked_later.p;
@@
- MAPPING_NULL@p
+ m

// The page was added to the mapping, or found in it, on a way to the call.
// Two ways may lead to one call: find first, then change each call once.  Two
// mappings for one call are a conflict, and an error.
@found exists@
identifier G, pg, finder =~ "^(f2fs_)?(pagecache_get_page|find_(get|lock|or_create)_page(_flags|_for_swapin)?|find_or_create_page|grab_cache_page(_nowait|_write_begin)?|f2fs_(grab_cache_page|pagecache_get_page)|read_(mapping|cache)_page(_gfp)?)$";
expression M;
position p;
@@
 pg = finder(M, ...)
 ... when != pg = ...
     when any
 G(..., MAPPING_NULL@p, pg, ...)

@@
expression found.M;
position found.p;
@@
- MAPPING_NULL@p
+ M

@added exists@
identifier G, pg;
expression M;
position p;
@@
 \(add_to_page_cache_lru\|add_to_page_cache_locked\|add_to_page_cache\)(pg, M, ...)
 ... when != pg = ...
     when any
 G(..., MAPPING_NULL@p, pg, ...)

@@
expression added.M;
position added.p;
@@
- MAPPING_NULL@p
+ M

// The caller checks under the page lock that the page is still there, before
// the call or after it. Who asks whether it is in a mapping knows it from
// nothing: the page may be in another.
@checked exists@
identifier G, pg;
expression M;
position p;
@@
 pg->mapping != M
 ... when != pg = ...
     when any
 G(..., MAPPING_NULL@p, pg, ...)

@@
expression checked.M;
position checked.p;
@@
- MAPPING_NULL@p
+ M

// The inode comes from the page: its mapping is the page's.
@inode_of_page@
identifier G, pg, I;
@@
 struct inode *I = pg->mapping->host;
 <...
 G(...,
-  MAPPING_NULL
+  pg->mapping
  , pg, ...)
 ...>

// A helper that is given the mapping, or the inode, together with a page of it
// in either order.
@given@
identifier F, G, m, pg;
@@
 F(..., struct page *pg, ..., struct address_space *m, ...)
 {
 <...
 G(...,
-  MAPPING_NULL
+  m
  , pg, ...)
 ...>
 }

@given_inode@
identifier F, G, I, pg;
@@
 F(..., struct inode *I, ..., struct page *pg, ...)
 {
 <...
 G(...,
-  MAPPING_NULL
+  I->i_mapping
  , pg, ...)
 ...>
 }

@given_inode_behind@
identifier F, G, I, pg;
@@
 F(..., struct page *pg, ..., struct inode *I, ...)
 {
 <...
 G(...,
-  MAPPING_NULL
+  I->i_mapping
  , pg, ...)
 ...>
 }

// A walk through the pages of a mapping.
@walk exists@
identifier G, pg, v;
expression M, i;
position p;
@@
(
 pagevec_lookup(&v, M, ...)
|
 pagevec_lookup_tag(&v, M, ...)
|
 pagevec_lookup_range(&v, M, ...)
|
 pagevec_lookup_range_tag(&v, M, ...)
|
 pagevec_lookup_range_nr_tag(&v, M, ...)
)
 ... when any
 pg = v.pages[i];
 ... when != pg = ...
     when any
 G(..., MAPPING_NULL@p, pg, ...)

@@
expression walk.M;
position walk.p;
@@
- MAPPING_NULL@p
+ M
