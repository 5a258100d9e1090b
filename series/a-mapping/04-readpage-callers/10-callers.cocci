// SPDX-License-Identifier: GPL-2.0
// Pass 2 for ->readpage() and the fillers: each MAPPING_NULL becomes the
// mapping of the caller.  Each rule asks for evidence in the function that the
// page belongs to that mapping; a rule may only look at the page of the call.
// What none of them proves stays MAPPING_NULL, for a patch by hand.
// candidates: \bMAPPING_NULL\b
// arguments: --no-includes
virtual patch

// A callback, or a filler, works for the mapping it was given: for the very
// page it was given.
@own@
identifier F, G, pg;
type T;
expression E;
identifier a;
@@
 F(T a, struct address_space *__mapping, struct page *pg)
 {
 <...
 G(E,
-  MAPPING_NULL
+  __mapping
  , pg)
 ...>
 }

// The mapping owns the operation that is called.
@owner@
expression M, E, pg;
@@
 M->a_ops->readpage(E,
-  MAPPING_NULL
+  M
  , pg)

// The same, through a local copy of the table.
@owner_of_table@
identifier A;
expression M, E, pg;
@@
 const struct address_space_operations *A = M->a_ops;
 <...
 A->readpage(E,
-  MAPPING_NULL
+  M
  , pg)
 ...>

// The page was added to the mapping, or found in it, on a way to the call.
// Two ways may lead to one call: find first, then change each call once.  Two
// mappings for one call are a conflict, and an error.
@added exists@
identifier G, pg;
expression M, E;
position p;
@@
 add_to_page_cache_lru(pg, M, ...)
 ... when != pg = ...
     when any
 G(E, MAPPING_NULL@p, pg)

@@
expression added.M;
position added.p;
@@
- MAPPING_NULL@p
+ M

@found exists@
identifier G, pg;
expression M, E;
position p;
@@
 pg = \(find_lock_page\|find_or_create_page\|grab_cache_page\|grab_cache_page_write_begin\)(M, ...)
 ... when != pg = ...
     when any
 G(E, MAPPING_NULL@p, pg)

@@
expression found.M;
position found.p;
@@
- MAPPING_NULL@p
+ M

// The caller itself checks after the read that the page is still there.
@checked exists@
identifier G, pg;
expression M, E;
position p;
@@
 G(E, MAPPING_NULL@p, pg)
 ... when != pg = ...
     when any
 pg->mapping != M

@@
expression checked.M;
position checked.p;
@@
- MAPPING_NULL@p
+ M
