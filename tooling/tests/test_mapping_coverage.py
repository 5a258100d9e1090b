#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The coverage check, and the rules of readpage on an out-of-tree filesystem."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

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
	.writepage = toy_put,
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
        self.assertIn("no implementation of readpage found", output)


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
