#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The coverage check, and the rules of readpage on an out-of-tree filesystem."""

import contextlib
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CHECK = os.path.join(ROOT, "tooling", "checks", "mapping_coverage.py")
GROUP = os.path.join(ROOT, "series", "a-mapping")

HEADER = """\
int toy_get(struct file *, struct address_space *, struct page *);
"""
TABLE = """\
#include "toy.h"
const struct address_space_operations toy_aops = {
	/* .readpage = commented_out, */
	.readpage = toy_get,
};
static int toy_link(void *data, struct address_space *mapping,
		    struct page *page)
{
	return toy_get(data, mapping, page);
}
static struct page *toy_first(struct inode *inode)
{
	return read_cache_page(inode->i_mapping, 0, toy_link, NULL);
}
static int toy_again(struct address_space *mapping, struct page *page)
{
	return mapping->a_ops->readpage(NULL, mapping, page);
}
"""
BODY = """\
#include "toy.h"
int toy_get(struct file *file, struct address_space *mapping, struct page *page)
{
	struct inode *inode = fs_page_mapping(mapping, page)->host;
	return toy_fill(inode, page);
}
"""

# Type, what is in front of the mapping, what is behind the page, and so for a
# call of it
OPERATIONS = {
    "readpage": ("int", "struct file *file, ", "", "NULL, ", ""),
    "writepage": ("int", "", ", struct writeback_control *wbc", "", ", wbc"),
    "set_page_dirty": ("int", "", "", "", ""),
    "invalidatepage": ("void", "", ", unsigned int offset, unsigned int len",
                       "", ", 0, PAGE_SIZE"),
    "releasepage": ("int", "", ", gfp_t gfp", "", ", GFP_KERNEL"),
    "freepage": ("void", "", "", "", ""),
    "putback_page": ("void", "", "", "", ""),
    "launder_page": ("int", "", "", "", ""),
    "is_partially_uptodate": ("int", "", ", unsigned long from, "
                              "unsigned long count", "", ", 0, f(1, 2)"),
    "isolate_page": ("bool", "", ", isolate_mode_t mode", "", ", mode"),
    "is_dirty_writeback": ("void", "", ", bool *dirty, bool *writeback", "",
                           ", &dirty, &writeback"),
}
# With {M} for the mapping that is declared, {m} for the one that is passed.
OPERATION = """\
%(type)s toy_op(%(before)s{M0}struct page *%(after)s);
struct address_space_operations {{
	%(type)s (*%(op)s)(%(before)s{M1}struct page *page%(after)s);
}};
static struct address_space_operations toy_aops = {{
	.%(op)s = toy_op,
}};
/* toy_op(page) was called once, and mapping->a_ops->%(op)s(page), too. */
%(type)s toy_op(%(before)s{M2}struct page *page%(after)s)
{{
	trace_toy_op(page);
	pr_info("toy_op(page)");
}}
DEFINE_EVENT(toy_page, toy_op, TP_PROTO(struct page *page), TP_ARGS(page));
static void toy_use(struct page *page)
{{
	if (mapping->a_ops->%(op)s && !toy->%(op)s)
		toy_op(%(pass)s{m0}page%(rest)s);
	if (mapping->a_ops->%(op)s != NULL)
		mapping->a_ops->%(op)s(%(pass)s{m1}page%(rest)s);
}}
"""
FILLED = dict(M0="struct address_space *, ", M1="struct address_space *, ",
              M2="struct address_space *mapping, ", m0="mapping, ",
              m1="mapping, ")

WRITEPAGE_T = """\
typedef int (*writepage_t)(struct address_space *mapping, struct page *page,
			   struct writeback_control *wbc, void *data);
static int toy_write(struct address_space *mapping, struct page *page,
		     struct writeback_control *wbc, void *data)
{
	return 0;
}
int write_cache_pages(struct address_space *mapping,
		      struct writeback_control *wbc, writepage_t writepage,
		      void *data)
{
	return (*writepage)(mapping, page, wbc, data);
}
static int toy_writepages(struct address_space *mapping,
			  struct writeback_control *wbc)
{
	return write_cache_pages(mapping, wbc, toy_write, NULL);
}
"""

COPY = """\
struct address_space_operations toy_aops = {
	.freepage = toy_free,
};
static void toy_free(struct address_space *mapping, struct page *page)
{
}
static void toy_remove(struct address_space *mapping, struct page *page)
{
	void (*freepage)(struct address_space *, struct page *);

	freepage = mapping->a_ops->freepage;
	unlock(mapping);
	if (freepage != NULL)
		freepage(mapping, page);
}
static void toy_other(struct address_space *mapping, struct page *page)
{
	void (*free)(struct address_space *mapping, struct page *page) =
		mapping->a_ops->freepage;

	if (free)
		(*free)(mapping, page);
}
"""

# A declaration and, for another configuration, a stub
STUB = """\
#ifdef CONFIG_TOY
extern int toy_put(struct address_space *mapping, struct page *page,
		   struct writeback_control *wbc);
#else
static inline int toy_put(struct address_space *mapping, struct page *page,
			  struct writeback_control *wbc)
{
	return 0;
}
#endif
"""
STUBBED = """\
struct address_space_operations toy_aops = {
	.writepage = toy_put,
};
int toy_put(struct address_space *mapping, struct page *page,
	    struct writeback_control *wbc)
{
	return 0;
}
"""
# Nobody else's
STATIC = """\
static int toy_put(struct page *page)
{
	return toy_put(page);
}
"""

ORPHAN = """\
#define MAPPING_ORPHAN NULL
int try_to_free_buffers(struct address_space *mapping, struct page *page);
static int pageout(struct page *page, struct address_space *mapping)
{
	if (!mapping)
		return try_to_free_buffers(MAPPING_ORPHAN, page);
	return try_to_free_buffers(mapping, page);
}
int try_to_release_page(struct address_space *mapping, struct page *page,
			gfp_t gfp)
{
	return mapping->a_ops->releasepage(mapping, page, gfp);
}
static int shrink_page_list(struct list_head *list)
{
	return try_to_release_page(mapping, page, GFP_KERNEL);
}
"""

# The same filesystem before, with nothing in the names that a rule could know.
OLD_HEADER = "int toy_get(struct file *, struct page *);\n"
OLD_TABLE = """\
#include "toy.h"
const struct address_space_operations toy_aops = {
	.readpage = toy_get,
};
static int toy_link(void *data, struct page *page)
{
	return toy_get(data, page);
}
static struct page *toy_first(struct inode *inode)
{
	return read_cache_page(inode->i_mapping, 0, toy_link, NULL);
}
static int toy_write_begin(struct file *file, struct address_space *mapping,
			   loff_t pos, unsigned len, unsigned flags,
			   struct page **pagep, void **fsdata)
{
	struct page *page;

	page = grab_cache_page_write_begin(mapping, pos >> PAGE_SHIFT, flags);
	if (!page)
		return -ENOMEM;
	*pagep = page;
	if (PageUptodate(page))
		return 0;
	return toy_get(file, page);
}
static int toy_again(struct address_space *m, struct page *page)
{
	return m->a_ops->readpage(NULL, page);
}
"""
OLD_BODY = """\
#include "toy.h"
static int toy_common(void *data, struct page *page)
{
	struct inode *inode = page->mapping->host;

	return toy_fill(inode, page);
}
int toy_get(struct file *file, struct page *page)
{
	if (!page->mapping)
		return -EIO;
	return toy_common(file, page);
}
"""


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mapping-coverage-")
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, **files):
        for name, text in files.items():
            path = os.path.join(self.folder, name.replace("_", "."))
            with open(path, "w", encoding="utf-8") as handle:
                handle.write(text)

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as handle:
            return handle.read()

    def check(self, *options):
        result = subprocess.run(
            [sys.executable, "-B", CHECK, self.folder] + list(options),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False)
        return result.returncode, result.stdout


class Coverage(Folder):
    def toy(self, old="", new="", options=(), part="TABLE"):
        """The toy with one change; returns what the check says."""
        texts = dict(HEADER=HEADER, TABLE=TABLE, BODY=BODY)
        self.assertIn(old, texts[part])
        texts[part] = texts[part].replace(old, new, 1)
        self.write(toy_h=texts["HEADER"], table_c=texts["TABLE"],
                   body_c=texts["BODY"])
        return self.check(*options)

    def refused(self, expected, *change, **more):
        status, output = self.toy(*change, **more)
        self.assertEqual(status, 1, output)
        self.assertRegex(output, expected)

    def test_converted(self):
        status, output = self.toy()
        self.assertEqual(status, 0, output)
        self.assertIn("2 implementations (1 tables, 2 uses), 2 definitions, "
                      "1 prototypes", output)
        self.assertIn("1 direct and 1 indirect calls", output)

    def test_definition(self):
        self.refused(r"body.c:2: definition of toy_get takes 2 arguments",
                     "struct address_space *mapping, ", part="BODY")

    def test_definition_of_other_type(self):
        self.refused(r"body.c:2: definition of toy_get takes no mapping",
                     "struct address_space *mapping", "struct inode *mapping",
                     part="BODY")

    def test_prototype(self):
        self.refused(r"toy.h:1: prototype of toy_get", "struct address_space *"
                     ", ", "", part="HEADER")

    def test_filler(self):
        self.refused(r"definition of toy_link",
                     "void *data, struct address_space *mapping,", "void *data,")

    def test_direct_call(self):
        self.refused(r"call of toy_get passes 2 arguments",
                     "toy_get(data, mapping, page)", "toy_get(data, page)")

    def test_direct_call_null(self):
        self.refused(r"call of toy_get passes NULL",
                     "toy_get(data, mapping, page)",
                     "toy_get(data, NULL, page)")

    def test_indirect_call(self):
        self.refused(r"call of ->readpage passes 2 arguments",
                     "readpage(NULL, mapping, page)", "readpage(NULL, page)")

    def test_indirect_call_null(self):
        change = ("readpage(NULL, mapping, page)",
                  "readpage(NULL, MAPPING_NULL, page)")
        self.refused(r"call of ->readpage passes MAPPING_NULL", *change)
        status, output = self.toy(*change, options=["--allow-null"])
        self.assertEqual(status, 0, output)

    def test_copy_of_the_operation(self):
        self.refused(r"a copy of ->readpage is made",
                     "return mapping->a_ops->readpage(NULL, mapping, page);",
                     "f = mapping->a_ops->readpage;\n\treturn f(NULL, page);")

    def test_assignment(self):
        self.refused(r"table.c .*no definition of toy_other|"
                     r"table.c: no definition of toy_other",
                     "return mapping->a_ops", "x.readpage = toy_other;\n"
                     "\treturn mapping->a_ops")

    def test_old_initialiser(self):
        self.refused(r"no definition of toy_third", ".readpage = toy_get",
                     "readpage: toy_third")

    def test_spelled_out_type(self):
        self.refused(r"a pointer type without mapping",
                     "static int toy_again(",
                     "static int toy_with(int (*f)(void *, struct page *));\n"
                     "static int toy_again(")

    def test_nothing_found(self):
        self.write(toy_h=HEADER)
        status, output = self.check()
        self.assertEqual(status, 1)
        self.assertIn("no callback found", output)

    def test_tree_without_a_callback(self):
        """In a kernel each operation has somebody who implements it."""
        os.makedirs(os.path.join(self.folder, "include", "linux"))
        os.rename(os.path.join(self.folder, "include"),
                  os.path.join(self.folder, "fs"))
        os.makedirs(os.path.join(self.folder, "include", "linux"))
        for name in ("fs/toy.c", "include/linux/fs.h"):
            with open(os.path.join(self.folder, name), "w",
                      encoding="utf-8") as handle:
                handle.write(TABLE.replace('#include "toy.h"', HEADER) + BODY)
        status, output = self.check()
        self.assertEqual(status, 1)
        self.assertNotIn("no implementation of readpage found", output)
        self.assertIn("no implementation of launder_page found", output)


class Inside(Folder):
    """Many small files: the check is run in this process."""

    def setUp(self):
        super().setUp()
        spec = importlib.util.spec_from_file_location("coverage", CHECK)
        self.module = importlib.util.module_from_spec(spec)
        sys.dont_write_bytecode = True
        spec.loader.exec_module(self.module)

    def check(self, *options):
        output = io.StringIO()
        with contextlib.redirect_stdout(output), \
                mock.patch.object(sys, "argv",
                                  [CHECK, self.folder] + list(options)):
            status = self.module.main()
        return status, output.getvalue()

    def accepted(self, *options, **files):
        self.write(**files)
        status, output = self.check(*options)
        self.assertEqual(status, 0, output)
        return output

    def refused(self, expected, *options, **files):
        self.write(**files)
        status, output = self.check(*options)
        self.assertEqual(status, 1, output)
        self.assertRegex(output, expected)

    def changed(self, text, old, new):
        self.assertIn(old, text)
        return text.replace(old, new, 1)


class Operations(Inside):
    def text(self, op, **change):
        kind, before, after, passed, rest = OPERATIONS[op]
        text = OPERATION % dict(op=op, type=kind, before=before, after=after,
                                rest=rest, **{"pass": passed})
        return text.format(**dict(FILLED, **change))

    def test_converted(self):
        for op in OPERATIONS:
            with self.subTest(op):
                output = self.accepted(toy_c=self.text(op))
                self.assertIn("%s: 1 implementations (1 tables, 1 uses), "
                              "1 definitions, 1 prototypes, 1 types, 1 direct "
                              "and 1 indirect calls: all converted" % op,
                              output)

    def test_declarations(self):
        for op in OPERATIONS:
            for place, what in (("M0", "prototype of toy_op"),
                                ("M1", "type of ->%s" % op),
                                ("M2", "definition of toy_op")):
                with self.subTest(op, what=what):
                    self.refused(what + r" takes \d arguments",
                                 toy_c=self.text(op, **{place: ""}))
                    self.refused(what + r" takes no mapping in place",
                                 toy_c=self.text(op, **{
                                     place: "struct inode *, "}))

    def test_calls(self):
        for op in OPERATIONS:
            for place, what in (("m0", "call of toy_op"),
                                ("m1", "call of ->%s" % op)):
                with self.subTest(op, what=what):
                    self.refused(what + r" passes \d arguments",
                                 toy_c=self.text(op, **{place: ""}))
                    self.refused(what + r" passes NULL for the mapping",
                                 toy_c=self.text(op, **{place: "NULL, "}))
                    self.refused(what + r" passes MAPPING_ORPHAN for the",
                                 toy_c=self.text(op, **{
                                     place: "MAPPING_ORPHAN, "}))
                    text = self.text(op, **{place: "MAPPING_NULL, "})
                    self.refused(what + r" passes MAPPING_NULL for the",
                                 toy_c=text)
                    self.accepted("--allow-null", toy_c=text)


class WritepageT(Inside):
    def test_converted(self):
        output = self.accepted(toy_c=WRITEPAGE_T)
        self.assertIn("writepage_t: 1 implementations (0 tables, 1 uses), 1 "
                      "definitions, 0 prototypes, 1 types, 0 direct and 1 "
                      "indirect calls: all converted", output)

    def test_definition(self):
        self.refused(r"definition of toy_write takes 3 arguments",
                     toy_c=self.changed(WRITEPAGE_T, "toy_write(struct "
                                        "address_space *mapping, ",
                                        "toy_write("))

    def test_type(self):
        self.refused(r"type of writepage_t takes 3 arguments",
                     toy_c=self.changed(WRITEPAGE_T, "(*writepage_t)(struct "
                                        "address_space *mapping, ",
                                        "(*writepage_t)("))

    def test_call(self):
        for call in ("(*writepage)(page, wbc, data)",
                     "writepage(page, wbc, data)"):
            self.refused(r"call of writepage passes 3 arguments",
                         toy_c=self.changed(WRITEPAGE_T, "(*writepage)("
                                            "mapping, page, wbc, data)", call))

    def test_call_null(self):
        text = self.changed(WRITEPAGE_T, "(*writepage)(mapping",
                            "(*writepage)(MAPPING_NULL")
        self.refused(r"call of writepage passes MAPPING_NULL", toy_c=text)
        self.accepted("--allow-null", toy_c=text)

    def test_spelled_out_type(self):
        self.refused(r"a pointer type without mapping",
                     toy_c=self.changed(
                         WRITEPAGE_T, "writepage_t writepage", "int (*write)"
                         "(struct page *page, struct writeback_control *, "
                         "void *)"))


class Copies(Inside):
    """A copy of an operation is a call that hides."""

    def test_converted(self):
        output = self.accepted(toy_c=COPY)
        self.assertIn("2 types, 0 direct and 2 indirect calls", output)

    def test_type(self):
        for old in ("void (*freepage)(struct address_space *, ",
                    "void (*free)(struct address_space *mapping, "):
            with self.subTest(old):
                self.refused(r"type of the copy of ->freepage takes 1 ",
                             toy_c=self.changed(COPY, old,
                                                old.split("(struct")[0] + "("))

    def test_call(self):
        for old in ("\tfreepage(mapping, page)", "(*free)(mapping, page)"):
            with self.subTest(old):
                self.refused(r"call of the copy of ->freepage passes 1 ",
                             toy_c=self.changed(COPY, old, old.replace(
                                 "mapping, ", "")))
                self.refused(r"call of the copy of ->freepage passes NULL",
                             toy_c=self.changed(COPY, old, old.replace(
                                 "mapping, ", "NULL, ")))
                text = self.changed(COPY, old, old.replace(
                    "mapping, ", "MAPPING_NULL, "))
                self.refused(r"copy of ->freepage passes MAPPING_NULL",
                             toy_c=text)
                self.accepted("--allow-null", toy_c=text)

    def test_elsewhere(self):
        """Nobody sees how it is called from there."""
        copy = "freepage = mapping->a_ops->freepage;"
        for new in ("this->free = mapping->a_ops->freepage;",
                    "this.free = mapping->a_ops->freepage;",
                    "*free = mapping->a_ops->freepage;",
                    "typeof(toy_free) *f = mapping->a_ops->freepage;",
                    "this->free = x ? mapping->a_ops->freepage : NULL;"):
            with self.subTest(new):
                self.refused(r"toy.c:11: a copy of ->freepage is made",
                             toy_c=self.changed(COPY, copy, new))
        for new in ("schedule(mapping->a_ops->freepage, page);",
                    "schedule(page, mapping->a_ops->freepage);",
                    "return mapping->a_ops->freepage;"):
            with self.subTest(new):
                self.refused(r"toy.c:11: ->freepage is passed on",
                             toy_c=self.changed(COPY, copy, copy + new))
        for new in ("schedule(freepage, page);", "this->free = freepage;",
                    "return freepage;"):
            with self.subTest(new):
                self.refused(r"toy.c:12: the copy of ->freepage is passed on",
                             toy_c=self.changed(COPY, "unlock(mapping);", new))

    def test_tests(self):
        """What only looks whether there is one is no copy."""
        for new in ("if (mapping->a_ops->freepage)",
                    "if (!mapping->a_ops->freepage && page)",
                    "x = mapping->a_ops->freepage == NULL;",
                    "x = mapping && mapping->a_ops->freepage != toy_free;",
                    "if (unlikely(mapping->a_ops->freepage == toy_free))",
                    "while (x && mapping->a_ops->freepage)",
                    "pr_info(p, mapping ? mapping->a_ops->freepage : NULL);"):
            with self.subTest(new):
                self.accepted(toy_c=self.changed(COPY, "unlock(mapping);",
                                                 new + "\n\t\tx();"))


class Names(Inside):
    """Functions of one name, and what is none."""

    def test_stub(self):
        self.accepted(toy_h=STUB, toy_c=STUBBED)
        self.refused(r"toy.h:5: definition of toy_put takes 2 arguments",
                     toy_c=STUBBED, toy_h=self.changed(
                         STUB, "inline int toy_put(struct address_space "
                         "*mapping, ", "inline int toy_put("))
        self.refused(r"toy.h:2: prototype of toy_put takes 2 arguments",
                     toy_c=STUBBED, toy_h=self.changed(
                         STUB, "extern int toy_put(struct address_space "
                         "*mapping, ", "extern int toy_put("))

    def test_static(self):
        self.accepted(toy_c=STUBBED, other_c=STATIC)
        self.refused(r"other.c:1: definition of toy_put takes 1 arguments",
                     toy_c=STUBBED, other_c=STATIC.replace("static ", ""))

    def test_trace(self):
        self.accepted(toy_c=STUBBED, trace_h="""\
DECLARE_EVENT_CLASS(toy_page, TP_PROTO(struct page *page), TP_ARGS(page));
DEFINE_EVENT(toy_page, toy_put,

	TP_PROTO(struct page *page),

	TP_ARGS(page)
);
TRACE_EVENT(writepage, TP_PROTO(struct page *page), TP_ARGS(page));
""", other_c="static void f(void)\n{\n\ttrace_toy_put(page);\n}\n")


class Orphans(Inside):
    def put(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(text)

    def files(self, text, name="vmscan.c"):
        os.makedirs(os.path.join(self.folder, "include/linux"), exist_ok=True)
        self.put("mm/" + name, text)
        self.put("mm/toy.c", STUBBED)

    def test_known(self):
        self.files(ORPHAN)
        output = self.accepted()
        self.assertIn("MAPPING_ORPHAN: passed in 1 known functions", output)
        self.assertIn("mm/vmscan.c, pageout(): reclaim found", output)
        self.assertIn("helpers: 2 of", output)
        self.assertIn("3 calls: all pass one", output)

    def test_unknown(self):
        self.files(ORPHAN.replace("int pageout(", "int page_out("))
        self.refused(r"mm/vmscan.c:6: MAPPING_ORPHAN in page_out\(\), which is"
                     " not on the list")
        self.refused(r"mm/vmscan.c:6: MAPPING_ORPHAN in page_out",
                     "--allow-null")

    def test_other_file(self):
        self.files(ORPHAN, "other.c")
        self.refused(r"mm/other.c:6: MAPPING_ORPHAN in pageout\(\)")

    def test_other_function(self):
        self.files(ORPHAN.replace("return try_to_free_buffers(MAPPING_ORPHAN",
                                  "return try_to_free(MAPPING_ORPHAN"))
        self.refused(r"MAPPING_ORPHAN is for try_to_free_buffers\(\) alone")

    def test_helper(self):
        for name, count in (("NULL", 1), ("MAPPING_NULL", 1),
                            ("MAPPING_ORPHAN", 1)):
            self.files(ORPHAN.replace("try_to_release_page(mapping, page,",
                                      "try_to_release_page(%s, page," % name))
            self.refused(r"helpers: .*%d without one" % count)
            self.refused(r"try_to_release_page\(\) gets %s for the" % name)
        self.files(ORPHAN.replace("try_to_free_buffers(mapping, page)",
                                  "try_to_free_buffers(NULL, page)"))
        self.refused(r"vmscan.c:7: try_to_free_buffers\(\) gets NULL")

    def test_carrier(self):
        """Who calls a function that takes the mapping now."""
        header = ("int carry(struct address_space *mapping, struct page *page,"
                  "\n\t  int more);\n")
        call = "int f(struct page *page)\n{\n\treturn carry(%s);\n}\n"
        self.files(ORPHAN + header + call % "mapping, page, 1")
        self.assertIn("all pass as many arguments", self.accepted())
        self.files(ORPHAN + header)
        self.put("fs/other.c", call % "page, 1")
        self.refused(r"fs/other.c:3: call of carry passes 2 arguments, not 3")
        self.refused(r"fs/other.c:3: call of carry", "--allow-null")
        # the stub of another configuration
        self.put("fs/other.c", call % "mapping, page, 1")
        self.put("include/linux/toy.h", header + "#else\nstatic inline int "
                 "carry(struct page *page, int more)\n{\n}\n")
        self.refused(r"include/linux/toy.h:4: carry takes no mapping here")
        self.put("include/linux/toy.h", header)
        # another function of that name, and one of an architecture
        self.put("fs/other.c", "static int carry(struct page *page, int i)"
                   "\n{\n}\n" + call % "page, 1")
        self.put("arch/toy/mm.c", header.replace("carry", "flush"))
        self.put("fs/more.c", (call % "page").replace("carry", "flush"))
        self.assertIn("all pass as many arguments", self.accepted())

    def test_helper_before(self):
        """It does not take the mapping yet."""
        self.files("int write_one_page(struct page *page)\n{\n}\n"
                   "int f(void)\n{\n\treturn write_one_page(NULL);\n}\n")
        self.assertIn("helpers: 0 of", self.accepted())


@unittest.skipUnless(shutil.which("spatch"), "coccinelle is not installed")
class OutOfTree(Folder):
    """What the rules do with a filesystem they have never seen."""

    def apply(self, stage):
        files = [os.path.join(self.folder, name)
                 for name in ("body.c", "table.c", "toy.h")]
        folder = os.path.join(GROUP, stage)
        for name in sorted(os.listdir(folder)):
            if not name.endswith(".cocci"):
                continue
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as handle:
                options = re.findall(r"^// arguments: (.*)$", handle.read(),
                                     re.M)
            result = subprocess.run(
                ["spatch", "--sp-file", path, "-D", "patch", "--in-place",
                 "--no-show-diff", "--very-quiet"] +
                " ".join(options).split() + files, cwd=self.folder,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                check=False)
            self.assertEqual(result.returncode, 0, result.stdout)

    def test_readpage(self):
        self.write(toy_h=OLD_HEADER, table_c=OLD_TABLE, body_c=OLD_BODY)
        self.assertEqual(self.check()[0], 1)

        self.apply("03-readpage")
        status, output = self.check("--allow-null")
        self.assertEqual(status, 0, output)
        self.assertEqual(self.read("table.c").count("MAPPING_NULL"), 3)
        self.assertEqual(self.read("body.c").count("MAPPING_NULL"), 1)

        self.apply("04-readpage-callers")
        status, output = self.check()
        self.assertEqual(status, 0, output)
        table = self.read("table.c")
        self.assertIn("return toy_get(data, __mapping, page);", table)
        self.assertIn("return toy_get(file, mapping, page);", table)
        self.assertIn("m->a_ops->readpage(NULL, m, page);", table)

        self.apply("05-readpage-name")
        self.apply("06-readpage-use")
        status, output = self.check()
        self.assertEqual(status, 0, output)
        body = self.read("body.c")
        self.assertNotIn("__mapping", body + self.read("table.c") +
                         self.read("toy.h"))
        self.assertIn("fs_page_mapping(mapping, page)->host", body)
        self.assertIn("if (!page->mapping)", body)
        self.assertIn("return toy_common(file, mapping, page);", body)


if __name__ == "__main__":
    unittest.main()
