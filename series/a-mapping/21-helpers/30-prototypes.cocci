// SPDX-License-Identifier: GPL-2.0
// The prototypes of the helpers, in headers that say nothing of a mapping.
// candidates: \bstruct address_space \*__mapping\b
// headers: struct page \*\w*[,)]
// paths: fs mm include/linux
// arguments: --no-includes
virtual patch

@initialize:python@
@@
grown = {}

@definition@
identifier F, pg;
parameter list[n] before;
@@
 F(before, struct address_space *__mapping, struct page *pg, ...)
 { ... }

@script:python@
F << definition.F;
n << definition.n;
@@
grown.setdefault(int(n), set()).add(str(F))

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

