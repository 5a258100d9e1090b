// SPDX-License-Identifier: GPL-2.0
// Pass 1 for ->readpage() and the page-cache fillers: one more argument, the
// mapping, in front of the page.  Functions are found by what they are used
// for, never by their name.
// candidates: \.readpage\s*=|->\s*readpage\s*\(|\bread_cache_pages?\s*\(|\bfiller_t\b|(readpage|read_page|read_data_page|filler)\w*\s*\(\s*(struct file \*|void \*|NULL,|file,|filp,|data,)
// arguments: --no-includes
virtual patch

// The names that were found.  All of them go through one rule each below: a
// rule that inherits the name is run once per name and file.
@initialize:python@
@@
implementations = set()

// ---- the implementations: initialisers of the operation,
@init@
identifier A, F;
@@
 struct address_space_operations A = { .readpage = F, };

@script:python@
F << init.F;
@@
implementations.add(str(F))

// assignments to it,
@assign@
struct address_space_operations *A;
identifier F;
@@
 A->readpage = F

@script:python@
F << assign.F;
@@
implementations.add(str(F))

// and what is passed as a filler.
@filler@
identifier F;
expression M, I, D;
@@
(
 read_cache_page(M, I, F, D)
|
 read_cache_pages(M, I, F, D)
)

@script:python@
F << filler.F;
@@
implementations.add(str(F))

// A function of the type of a filler that an implementation calls by its name
// for the page it was given is a filler as well.
@calls@
identifier F : script:python() { str(F) in implementations };
identifier G, f, pg;
expression D;
@@
 F(struct file *f, struct page *pg)
 {
 <+...
 G(D, pg)
 ...+>
 }

@byname@
identifier calls.G, d, pg;
@@
 int G(void *d, struct page *pg)
 { ... }

@script:python@
G << calls.G;
d << byname.d;
@@
implementations.add(str(G))

// ---- definitions; Coccinelle takes the prototypes along.
@definition@
identifier F : script:python() { str(F) in implementations };
identifier a, pg;
type T;
@@
 F(T a,
-  struct page *pg
+  struct address_space *__mapping, struct page *pg
  )
 { ... }

// ---- direct calls
@call@
identifier F : script:python() { str(F) in implementations };
expression E1, E2;
@@
 F(E1,
-  E2
+  MAPPING_NULL, E2
  )

// ---- indirect calls
@indirect@
expression X, E1, E2;
@@
 X->readpage(E1,
-  E2
+  MAPPING_NULL, E2
  )

@indirect_filler@
typedef filler_t;
filler_t X;
expression E1, E2;
@@
 X(E1,
-  E2
+  MAPPING_NULL, E2
  )
