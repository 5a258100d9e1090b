// SPDX-License-Identifier: GPL-2.0
// Pass 1 for helpers: a function that a callback calls with its page, and that
// looks at page->mapping or calls a callback itself, gets the mapping in front
// of the page.  So do the functions on the way from one to the other.  They are
// found by who calls whom, in filesystems of the tree or any other.
// candidates: ->mapping\b|\bMAPPING_NULL\b|\b__mapping\b
// candidates: \b(write_one_page|redirty_page_for_writepage|create_empty_buffers)\b
// candidates: \b(try_to_release_page|try_to_free_buffers|do_invalidatepage)\b
// candidates: \b(block|mpage|iomap|nobh)_(read|write)_?(full_)?page\b
// candidates: \bjbd2_journal_(try_to_free_buffers|invalidatepage)\b
// candidates: \bnfs_wb_page\b|\bv9fs_fscache_\w+_page\b
// candidates: \becryptfs_encrypt_page\b|\b__swap_writepage\b
// paths: fs mm include/linux
// arguments: --no-includes
virtual patch

@initialize:python@
@@
import re

# Function -> positions of its page among the arguments, per name of the page
pages = {}
functions = set()
# Functions that have page and mapping already: callbacks, most of them
roots = set()
# Callers -> {(function that is called, position of the page)}
calls = {}
# Functions that look for the file of a page, or call a callback
looking = set()
# In mm/ and below include/ page->mapping is the business of the function.
ours = lambda p: not re.search(r"(^|/)(mm|include)/", p[0].file)
# These stay lookups.  Whoever dirties a page may know it from a page table or
# from an I/O request only; writeback clears the bit from anywhere; verity
# checks pages at the end of a read; the last one is for debugging.
lookups = {"set_page_dirty", "clear_page_dirty_for_io",
           "fsverity_verify_page", "f2fs_trace_pid"}
# Where the page goes on in a structure, or that filesystems call from elsewhere
as_well = {("mpage_readpage", 0), ("write_one_page", 0)}
grown = {}

# ---- what there is
@definition@
identifier F, pg;
parameter list[n] before;
@@
 F(before, struct page *pg, ...)
 { ... }

@script:python@
F << definition.F;
pg << definition.pg;
n << definition.n;
@@
functions.add(str(F))
pages.setdefault((str(F), str(pg)), set()).add(int(n))

@root@
identifier F, pg, m;
@@
 F(..., struct address_space *m, ..., struct page *pg, ...)
 { ... }

@script:python@
F << root.F;
pg << root.pg;
@@
roots.add((str(F), str(pg)))

@root_behind@
identifier F, pg, m;
@@
 F(..., struct page *pg, ..., struct address_space *m, ...)
 { ... }

@script:python@
F << root_behind.F;
pg << root_behind.pg;
@@
roots.add((str(F), str(pg)))

@call@
identifier G : script:python() { str(G) in functions };
identifier pg;
expression list[n] before;
position p;
@@
 G@p(before, pg, ...)

@script:python@
G << call.G;
pg << call.pg;
n << call.n;
p << call.p;
@@
calls.setdefault((p[0].current_element, str(pg)), set()).add((str(G), int(n)))

@look@
identifier pg;
position p;
@@
 pg@p->mapping

@script:python@
pg << look.pg;
p << look.p;
@@
if ours(p):
    looking.add((p[0].current_element, str(pg)))

@callback@
identifier G, pg;
expression list before;
position p;
@@
 G@p(before, MAPPING_NULL, pg, ...)

@script:python@
pg << callback.pg;
p << callback.p;
@@
looking.add((p[0].current_element, str(pg)))

@operation@
identifier op, pg;
expression X;
position p;
@@
 X->op@p(MAPPING_NULL, pg, ...)

@script:python@
pg << operation.pg;
p << operation.p;
@@
looking.add((p[0].current_element, str(pg)))

// ---- who is on a way from a callback to where its page is looked at
@finalize_facts@
@@
 MAPPING_NULL

@script:python depends on finalize_facts@
@@
if not grown:
    names = {}
    for (function, pg), positions in pages.items():
        for n in positions:
            names.setdefault((function, n), set()).add(pg)

    def callees(node):
        for callee, n in calls.get(node, ()):
            if callee not in lookups:
                for pg in names.get((callee, n), ()):
                    yield callee, pg

    reached, work = set(), list(roots)
    while work:
        for node in callees(work.pop()):
            if node not in reached and node not in roots:
                reached.add(node)
                work.append(node)
    leading = {node for node in looking - roots if node[0] not in lookups}
    while True:
        more = {node for node in reached
                if node not in leading and leading & set(callees(node))}
        if not more:
            break
        leading |= more
    for node in reached & leading:
        for n in pages[node]:
            grown.setdefault(n, set()).add(node[0])
    for function, n in as_well:
        grown.setdefault(n, set()).add(function)
    for n in sorted(grown):
        print("helpers, page in place %d: %s" % (n, " ".join(sorted(grown[n]))))

// ---- definitions and calls, by the place of the page.  Prototypes in the same
// files first: Coccinelle takes them along, but not for two definitions.
@prototype0@
identifier F : script:python() { str(F) in grown.get(0, ()) };
identifier pg;
type T;
@@
 T F(
-  struct page *pg
+  struct address_space *__mapping, struct page *pg
  , ...);

@nameless0@
identifier F : script:python() { str(F) in grown.get(0, ()) };
type T;
@@
 T F(
-  struct page *
+  struct address_space *, struct page *
  , ...);

@definition0@
identifier F : script:python() { str(F) in grown.get(0, ()) };
identifier pg;
@@
 F(
-  struct page *pg
+  struct address_space *__mapping, struct page *pg
  , ...)
 { ... }

@prototype1@
identifier F : script:python() { str(F) in grown.get(1, ()) };
identifier pg;
parameter list[1] before;
type T;
@@
 T F(before,
-  struct page *pg
+  struct address_space *__mapping, struct page *pg
  , ...);

@nameless1@
identifier F : script:python() { str(F) in grown.get(1, ()) };
parameter list[1] before;
type T;
@@
 T F(before,
-  struct page *
+  struct address_space *, struct page *
  , ...);

@definition1@
identifier F : script:python() { str(F) in grown.get(1, ()) };
identifier pg;
parameter list[1] before;
@@
 F(before,
-  struct page *pg
+  struct address_space *__mapping, struct page *pg
  , ...)
 { ... }

@prototype2@
identifier F : script:python() { str(F) in grown.get(2, ()) };
identifier pg;
parameter list[2] before;
type T;
@@
 T F(before,
-  struct page *pg
+  struct address_space *__mapping, struct page *pg
  , ...);

@nameless2@
identifier F : script:python() { str(F) in grown.get(2, ()) };
parameter list[2] before;
type T;
@@
 T F(before,
-  struct page *
+  struct address_space *, struct page *
  , ...);

@definition2@
identifier F : script:python() { str(F) in grown.get(2, ()) };
identifier pg;
parameter list[2] before;
@@
 F(before,
-  struct page *pg
+  struct address_space *__mapping, struct page *pg
  , ...)
 { ... }

@prototype3@
identifier F : script:python() { str(F) in grown.get(3, ()) };
identifier pg;
parameter list[3] before;
type T;
@@
 T F(before,
-  struct page *pg
+  struct address_space *__mapping, struct page *pg
  , ...);

@nameless3@
identifier F : script:python() { str(F) in grown.get(3, ()) };
parameter list[3] before;
type T;
@@
 T F(before,
-  struct page *
+  struct address_space *, struct page *
  , ...);

@definition3@
identifier F : script:python() { str(F) in grown.get(3, ()) };
identifier pg;
parameter list[3] before;
@@
 F(before,
-  struct page *pg
+  struct address_space *__mapping, struct page *pg
  , ...)
 { ... }

@call0@
identifier F : script:python() { str(F) in grown.get(0, ()) };
expression E;
@@
 F(
-  E
+  MAPPING_NULL, E
  , ...)

@call1@
identifier F : script:python() { str(F) in grown.get(1, ()) };
expression E;
expression list[1] before;
@@
 F(before,
-  E
+  MAPPING_NULL, E
  , ...)

@call2@
identifier F : script:python() { str(F) in grown.get(2, ()) };
expression E;
expression list[2] before;
@@
 F(before,
-  E
+  MAPPING_NULL, E
  , ...)

@call3@
identifier F : script:python() { str(F) in grown.get(3, ()) };
expression E;
expression list[3] before;
@@
 F(before,
-  E
+  MAPPING_NULL, E
  , ...)

