// SPDX-License-Identifier: GPL-2.0
// The argument is used now: drop the underscores of its name, in definitions,
// prototypes and uses.
// candidates: \b__mapping\b
// arguments: --no-includes
virtual patch

// The mapping of the inode is what the callback is passed: file->f_mapping.
@local@
identifier F, a, pg, I;
type T;
@@
 F(T a, struct address_space *__mapping, struct page *pg)
 {
 ...
- struct address_space *mapping = I->i_mapping;
 ...
 }

@@
identifier F, a, pg;
type T;
@@
 F(T a,
-  struct address_space *__mapping, struct page *pg
+  struct address_space *mapping, struct page *pg
  )
 {
 <...
- __mapping
+ mapping
 ...>
 }
