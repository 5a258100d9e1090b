// SPDX-License-Identifier: GPL-2.0
// Pass 1 for the callbacks that take the page first: one more argument, the
// mapping, in front of it.  The stage names the operation (-D op=...) and the
// candidate files.  Functions are found by what they are used for, never by
// their name, so that the rule serves an out-of-tree filesystem as well.
virtual patch
// the stage of ->writepage() only: what is passed to write_cache_pages(), too
virtual also_writepage_t

// The names that were found.  All of them go through one rule each below: a
// rule that inherits the name is run once per name and file.
@initialize:python@
@@
implementations = set()

// ---- the implementations: initialisers of the operation,
@init@
identifier virtual.op;
identifier A, F;
@@
 struct address_space_operations A = { .op = F, };

@script:python@
F << init.F;
@@
implementations.add(str(F))

// assignments to it,
@assign@
identifier virtual.op;
struct address_space_operations *A;
identifier F;
@@
 A->op = F

@script:python@
F << assign.F;
@@
implementations.add(str(F))

// and what is passed as a function of the type writepage_t.
@passed depends on also_writepage_t@
identifier F;
expression M, W, D;
@@
 write_cache_pages(M, W, F, D)

@script:python@
F << passed.F;
@@
implementations.add(str(F))

// ---- definitions; Coccinelle takes the prototypes along, which it can do only
// once for each: a stub stands beside the prototype and has a rule of its own.
@stub@
identifier F : script:python() { str(F) in implementations };
identifier pg;
type T;
@@
 static inline T F(
-  struct page *pg
+  struct address_space *__mapping, struct page *pg
  , ...)
 { ... }

@definition@
identifier F : script:python() { str(F) in implementations };
identifier pg;
@@
 F(
-  struct page *pg
+  struct address_space *__mapping, struct page *pg
  , ...)
 { ... }

// ---- direct calls
@call@
identifier F : script:python() { str(F) in implementations };
expression E;
@@
 F(
-  E
+  MAPPING_NULL, E
  , ...)

// ---- indirect calls
@indirect@
identifier virtual.op;
expression X, E;
@@
 X->op(
-  E
+  MAPPING_NULL, E
  , ...)

@indirect_writepage_t depends on also_writepage_t@
typedef writepage_t;
writepage_t X;
expression E;
@@
 X(
-  E
+  MAPPING_NULL, E
  , ...)

@indirect_writepage_t_star depends on also_writepage_t@
writepage_t X;
expression E;
@@
 (*X)(
-  E
+  MAPPING_NULL, E
  , ...)
