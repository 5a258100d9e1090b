// SPDX-License-Identifier: GPL-2.0
// The argument is used now: drop the underscores of its name, in definitions,
// prototypes and uses, unless the name is taken.
// candidates: \b__mapping\b
// files: one at a time
// arguments: --no-includes
virtual patch

@initialize:python@
@@
taken = set()

@declared@
position p;
@@
(
 struct address_space *mapping@p;
|
 struct address_space *mapping@p = ...;
|
 struct address_space * const mapping@p = ...;
)

@script:python@
p << declared.p;
@@
taken.add(p[0].current_element)

// A prototype has no body that the name could matter for.
@prototype@
identifier F;
type T;
@@
 T F(...,
-  struct address_space *__mapping
+  struct address_space *mapping
  , ...);

@stub@
identifier F : script:python() { str(F) not in taken };
identifier pg;
type T;
@@
 static inline T F(...,
-  struct address_space *__mapping
+  struct address_space *mapping
  , struct page *pg, ...)
 {
 <...
- __mapping
+ mapping
 ...>
 }

@definition@
identifier F : script:python() { str(F) not in taken };
identifier pg;
@@
 F(...,
-  struct address_space *__mapping
+  struct address_space *mapping
  , struct page *pg, ...)
 {
 <...
- __mapping
+ mapping
 ...>
 }
