#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the series engine on a toy tree."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import series  # noqa: E402

FOO = "".join("line %d\n" % number for number in range(1, 41))
OPS = """struct ops { int (*readpage)(int, int); };
int helper(int file, int page)
{
	return file + page;
}
int caller(void)
{
	return helper(1, 2);
}
"""
COCCI = """// candidates: helper
@@ expression A, B; @@
 helper(
+ 0,
 A, B)
"""


def patch(name, old, new, text=""):
    """A unified diff of one file."""
    with tempfile.TemporaryDirectory() as folder:
        for side, data in (("a", old), ("b", new)):
            path = os.path.join(folder, side, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as out:
                out.write(data)
        diff = subprocess.run(["diff", "-u", "a/" + name, "b/" + name],
                              cwd=folder, stdout=subprocess.PIPE).stdout
    return text + diff.decode()


class Toy(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="series-test.")
        self.addCleanup(shutil.rmtree, self.top)
        self.repo = os.path.join(self.top, "repo")
        self.work = os.path.join(self.top, "work")
        os.makedirs(self.repo)
        self.env = dict(os.environ)
        self.addCleanup(self.restore_environment)
        os.environ.update(GIT_AUTHOR_NAME="A. Tester",
                          GIT_AUTHOR_EMAIL="tester@localhost",
                          GIT_CONFIG_GLOBAL="/dev/null")
        self.make_base("5.9.1")
        self.put("series/series", "# banner\ng/one\ng/two\n")
        self.put("series/g/one/message", "mm: change line 3\n\nBecause.\n")
        self.put("series/g/one/10-foo.patch", patch(
            "mm/foo.c", FOO, FOO.replace("line 3\n", "line three\n"),
            "Why this hunk.\n\n"))
        self.put("series/g/two/message", "mm: add new.c\n\nIt is new.\n")
        self.put("series/g/two/files", "mm/new.c\n")
        self.put("mm/new.c", "new\n")

    def restore_environment(self):
        os.environ.clear()
        os.environ.update(self.env)

    def put(self, name, text, top=None):
        path = os.path.join(top or self.repo, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as out:
            out.write(text)

    def get(self, name, top=None):
        with open(os.path.join(top or self.repo, name)) as handle:
            return handle.read()

    def git(self, *args):
        return subprocess.run(
            ["git", "--git-dir", self.work + "/git"] + list(args), check=True,
            stdout=subprocess.PIPE).stdout.decode().strip()

    def make_base(self, version):
        git = self.work + "/git"
        apply = self.work + "/import"
        self.put("mm/foo.c", FOO, apply)
        self.put("mm/ops.c", OPS, apply)
        self.put(".gitignore", "*.o\nignored.c\n", apply)
        self.put("mm/ignored.c", "ignored but ours\n", apply)
        subprocess.run(["git", "init", "-q", "--bare", git], check=True)
        run = ["git", "--git-dir", git, "--work-tree", apply]
        subprocess.run(run + ["add", "-A", "-f", "."], check=True)
        tree = subprocess.run(run + ["write-tree"], check=True,
                              stdout=subprocess.PIPE).stdout.decode().strip()
        commit = subprocess.run(
            run + ["-c", "user.name=b", "-c", "user.email=b@b", "commit-tree",
                   "-m", "base", tree], check=True,
            stdout=subprocess.PIPE).stdout.decode().strip()
        with open(self.work + "/base.json", "w") as out:
            json.dump({"version": version, "commit": commit, "tree": tree},
                      out)

    def engine(self, verbose=False):
        return series.Engine(self.repo, self.work, verbose)

    def quiet(self, call, *args):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            result = call(*args)
        self.output = out.getvalue()
        return result

    def apply(self):
        return self.quiet(self.engine().command_apply)

    def failure(self, call, *args):
        with self.assertRaises(series.Failure) as caught:
            self.quiet(call, *args)
        return str(caught.exception)

    def tree(self):
        return self.git("rev-parse", "page-xa^{tree}")


class Apply(Toy):
    def test_stages_become_commits(self):
        self.apply()
        log = self.git("log", "--format=%s|%an|%ae", "page-xa").split("\n")
        self.assertEqual(log, ["mm: add new.c|A. Tester|tester@localhost",
                               "mm: change line 3|A. Tester|tester@localhost",
                               "base|A. Tester|tester@localhost"])
        self.assertEqual(self.get("tree/mm/new.c", self.work), "new\n")
        self.assertIn("line three", self.get("tree/mm/foo.c", self.work))
        self.assertEqual(self.get("tree/mm/ignored.c", self.work),
                         "ignored but ours\n")

    def test_neutral_identity_is_announced(self):
        del os.environ["GIT_AUTHOR_NAME"]
        os.environ["HOME"] = self.top
        os.environ["GIT_CONFIG_SYSTEM"] = "/dev/null"
        self.apply()
        self.assertIn("git knows no identity", self.output)
        self.assertEqual(self.git("log", "-1", "--format=%ae", "page-xa"),
                         "page-xa@localhost")

    def test_deterministic(self):
        self.apply()
        first = self.tree()
        shutil.rmtree(self.work)
        self.make_base("5.9.1")
        self.apply()
        self.assertEqual(first, self.tree())

    def test_second_run_reuses_and_touches_nothing(self):
        self.apply()
        path = self.work + "/tree/mm/foo.c"
        before = os.stat(path).st_mtime_ns
        self.apply()
        self.assertIn("2 of 2 stages reused", self.output)
        self.put("mm/new.c", "newer\n")
        self.apply()
        self.assertIn("1 of 2 stages reused", self.output)
        self.assertEqual(self.get("tree/mm/new.c", self.work), "newer\n")
        self.assertEqual(os.stat(path).st_mtime_ns, before)

    def test_message_change_applies_nothing_again(self):
        self.apply()
        self.put("series/g/one/message", "mm: say it better\n\nBecause.\n")
        self.apply()
        self.assertIn("2 of 2 stages reused", self.output)
        self.assertIn("mm: say it better",
                      self.git("log", "--format=%s", "page-xa"))

    def test_removed_stage(self):
        self.apply()
        self.put("series/series", "g/two\n")
        self.apply()
        self.assertEqual(self.get("tree/mm/foo.c", self.work), FOO)

    def test_variants(self):
        for version, word in (("5.9", "nine"), ("5.10", "ten")):
            self.put("series/g/one/20-foo.v%s.patch" % version, patch(
                "mm/foo.c", FOO, FOO.replace("line 30\n", word + "\n")))
        self.apply()
        self.assertIn("nine\n", self.get("tree/mm/foo.c", self.work))
        shutil.rmtree(self.work)
        self.make_base("5.10.7")
        self.apply()
        self.assertIn("ten\n", self.get("tree/mm/foo.c", self.work))
        self.assertNotIn("nine\n", self.get("tree/mm/foo.c", self.work))

    def test_stage_of_another_base(self):
        self.put("series/g/old/message", "mm: old\n")
        self.put("series/g/old/10-foo.v5.9.patch", patch(
            "mm/foo.c", FOO, FOO.replace("line 30\n", "nine\n")))
        self.put("series/series", self.get("series/series") + "g/old\n")
        self.apply()
        self.assertIn("nine\n", self.get("tree/mm/foo.c", self.work))
        shutil.rmtree(self.work)
        self.make_base("5.10.7")
        self.apply()
        self.assertNotIn("nine\n", self.get("tree/mm/foo.c", self.work))
        self.assertNotIn("g/old", self.output)

    def test_fuzz_and_offset_are_told(self):
        moved = FOO.replace("line 1\n", "line 1\nmore\n")
        self.put("series/g/one/10-foo.patch", patch(
            "mm/foo.c", moved, moved.replace("line 20\n", "line xx\n")))
        self.apply()
        self.assertIn("1 hunks moved", self.output)


class Errors(Toy):
    def break_patch(self):
        wrong = FOO.replace("line 3\n", "other 3\n").replace(
            "line 5\n", "other 5\n")
        good = patch("mm/foo.c", FOO, FOO.replace("line 30\n", "thirty\n"))
        bad = patch("mm/foo.c", wrong,
                    wrong.replace("line 4\n", "line four\n"))
        hunk = good.split("\n", 2)[2]
        self.put("series/g/two/20-bad.patch", bad + hunk)

    def test_failing_hunk_is_named(self):
        self.apply()
        before = self.tree()
        self.break_patch()
        text = self.failure(self.engine().command_apply)
        self.assertIn("stage g/two", text)
        self.assertIn("20-bad.patch", text)
        self.assertIn("file mm/foo.c, hunk #1", text)
        self.assertIn("+line four", text)
        self.assertNotIn("hunk #2", text)
        self.assertEqual(self.tree(), before)
        self.assertEqual(self.get("tree/mm/new.c", self.work), "new\n")
        shutil.os.unlink(self.repo + "/series/g/two/20-bad.patch")
        self.apply()
        self.assertEqual(self.tree(), before)

    def test_missing_target(self):
        self.put("series/g/two/20-bad.patch",
                 patch("mm/gone.c", FOO, FOO.replace("line 3\n", "x\n")))
        text = self.failure(self.engine().command_apply)
        self.assertIn("mm/gone.c", text)

    def test_already_applied(self):
        self.put("series/g/two/20-again.patch",
                 self.get("series/g/one/10-foo.patch"))
        text = self.failure(self.engine().command_apply)
        self.assertIn("mm/foo.c", text)
        self.assertIn("previously applied", text)

    def test_user_edits_are_kept(self):
        self.apply()
        self.put("tree/mm/foo.c", "mine\n", self.work)
        text = self.failure(self.engine().command_apply)
        self.assertIn("make fold STAGE=", text)
        self.assertIn("mm/foo.c", text)
        self.assertEqual(self.get("tree/mm/foo.c", self.work), "mine\n")

    def test_user_commits_are_kept(self):
        self.apply()
        self.put("tree/mm/foo.c", "mine\n", self.work)
        subprocess.run(["git", "-c", "user.name=u", "-c", "user.email=u@u",
                        "commit", "-qam", "mine"], cwd=self.work + "/tree",
                       check=True)
        text = self.failure(self.engine().command_apply)
        self.assertIn("commits that are not from the series", text)

    def test_list_errors(self):
        for text, message in (("g/none\n", "not a folder"), ("", "no stage"),
                              ("g/one\ng/one\n", "twice"),
                              ("one\n", "not a <group>/<stage>")):
            self.put("series/series", text)
            self.assertIn(message,
                          self.failure(self.engine().command_apply))

    def test_message_errors(self):
        for text, message in (("no colon\n", "subsystem: summary"),
                              ("mm: a\nb\n", "second line"),
                              ("mm: a\n\n---\nb\n", "git am")):
            self.put("series/g/one/message", text)
            self.assertIn(message,
                          self.failure(self.engine().command_apply))

    def test_files_errors(self):
        self.put("series/g/two/files", "mm/new.c\nmm/lost.c\n")
        self.assertIn("mm/lost.c", self.failure(self.engine().command_apply))
        self.put("series/g/two/files", "mm/new.c\n")
        self.put("series/g/one/files", "mm/new.c\n")
        self.assertIn("two stages", self.failure(self.engine().command_apply))

    def test_file_of_no_stage(self):
        self.put("mm/test.c", "x\n")
        self.assertIn("mm/test.c is in no stage",
                      self.failure(self.engine().command_apply))
        self.put("series/g/two/files.v5.10", "mm/test.c\n")
        self.put("mm/test.c~", "x\n")
        self.apply()

    def test_stage_without_effect(self):
        os.unlink(self.repo + "/series/g/one/10-foo.patch")
        self.assertIn("changes nothing",
                      self.failure(self.engine().command_apply))

    def test_leftovers(self):
        self.put("series/g/two/files", "mm/new.c\nmm/new.c.orig\n")
        self.put("mm/new.c.orig", "x\n")
        self.assertIn("leaves behind",
                      self.failure(self.engine().command_apply))


@unittest.skipUnless(shutil.which("spatch"), "no spatch")
class Cocci(Toy):
    def setUp(self):
        super().setUp()
        self.put("series/g/two/20-helper.cocci", COCCI)

    def test_runs_on_candidates(self):
        self.apply()
        self.assertIn("helper(0, 1, 2)",
                      self.get("tree/mm/ops.c", self.work))
        self.assertIn("1 candidates, 1 changed", self.output)

    def test_order_with_patches(self):
        changed = OPS.replace("helper(1, 2)", "helper(0, 1, 2)")
        self.put("series/g/two/30-after.patch", patch(
            "mm/ops.c", changed, changed.replace(
                "int caller(void)", "int call(void)")))
        self.apply()
        self.assertIn("int call(void)", self.get("tree/mm/ops.c", self.work))

    def test_reuse_without_includes(self):
        self.put("series/g/two/20-helper.cocci",
                 COCCI.replace("@@ exp", "// arguments: --no-includes\n@@ exp",
                               1))
        self.apply()
        first = self.tree()
        self.put("series/g/one/10-foo.patch", patch(
            "mm/foo.c", FOO, FOO.replace("line 4\n", "line four\n")))
        self.apply()
        self.assertIn("reused", self.output.split("helper.cocci: ")[1])
        self.assertIn("helper(0, 1, 2)",
                      self.get("tree/mm/ops.c", self.work))
        self.assertNotEqual(first, self.tree())

    def test_no_effect_is_a_failure(self):
        self.put("series/g/two/20-helper.cocci",
                 COCCI.replace(" helper(\n", " helpers(\n"))
        self.assertIn("changed none of 1",
                      self.failure(self.engine().command_apply))

    def test_no_candidates(self):
        self.put("series/g/two/20-helper.cocci",
                 COCCI.replace("candidates: helper", "candidates: nowhere"))
        self.assertIn("no file matches",
                      self.failure(self.engine().command_apply))
        self.put("series/g/two/20-helper.cocci",
                 COCCI.split("\n", 1)[1])
        self.assertIn("no `// candidates",
                      self.failure(self.engine().command_apply))

    def test_paths_and_headers(self):
        text = COCCI.replace("candidates: helper", "candidates: ^line 1$")
        self.put("series/g/two/20-helper.cocci",
                 text.replace("// cand", "// paths: fs\n// cand"))
        self.assertIn("no file matches",
                      self.failure(self.engine().command_apply))
        self.put("series/g/two/20-helper.cocci",
                 text.replace("// cand", "// paths: mm\n// cand"))
        self.assertIn("changed none of 1",
                      self.failure(self.engine().command_apply))

    def test_shared_rules(self):
        self.put("series/cocci/shared.cocci", COCCI.split("\n", 1)[1])
        self.put("series/g/two/20-helper.cocci",
                 "// rules: cocci/shared.cocci\n// candidates: helper\n")
        self.apply()
        first = self.tree()
        self.assertIn("helper(0, 1, 2)",
                      self.get("tree/mm/ops.c", self.work))
        self.put("series/cocci/shared.cocci",
                 COCCI.split("\n", 1)[1].replace("+ 0,", "+ 7,"))
        self.apply()
        self.assertIn("helper(7, 1, 2)",
                      self.get("tree/mm/ops.c", self.work))
        self.assertNotEqual(first, self.tree())
        os.unlink(self.repo + "/series/cocci/shared.cocci")
        self.assertIn("names rules that do not exist",
                      self.failure(self.engine().command_apply))

    def test_syntax_error(self):
        self.put("series/g/two/20-helper.cocci",
                 "// candidates: helper\n@@ expression A @@\n+ (\n")
        self.assertIn("20-helper.cocci failed",
                      self.failure(self.engine().command_apply))

    def test_complaint_of_spatch_is_a_failure(self):
        """spatch may give up on a file and still end with status 0."""
        self.put("bin/spatch", "#!/bin/sh\n[ $1 = --version ] || "
                 "echo 'mm/ops.c: already tagged token:' >&2\n", self.top)
        os.chmod(self.top + "/bin/spatch", 0o755)
        os.environ["PATH"] = self.top + "/bin:" + os.environ["PATH"]
        self.assertIn("already tagged token",
                      self.failure(self.engine().command_apply))


TOY_FS = """int toy_write(struct page *page, int sync)
{
	struct inode *inode = page->mapping->host;

	return toy_out(inode, page, sync);
}
static int toy_writepage(struct page *page, struct writeback_control *wbc)
{
	if (!page->mapping)
		return 0;
	return toy_write(page, wbc->sync_mode);
}
static int toy_releasepage(struct page *page, gfp_t gfp)
{
	return toy_drop(page);
}
static int toy_sync(struct address_space *mapping)
{
	struct page *page = find_lock_page(mapping, 0);

	toy_write(page, 1);
	return mapping->a_ops->writepage(page, NULL);
}
static int toy_lost(void)
{
	return toy_write(toy_page, 1);
}
static void toy_end_io(struct bio *bio)
{
	struct page *page = bio_first_page_all(bio);

	mapping_set_error(page->mapping, -EIO);
}
static void toy_submit(struct bio *bio)
{
	bio->bi_end_io = toy_end_io;
}
static const struct address_space_operations toy_aops = {
	.writepage = toy_writepage,
	.releasepage = toy_releasepage,
};
"""


class MappingRules(Toy):
    """The rules of group a-mapping on a filesystem nobody has seen."""

    def test_three_passes(self):
        real = os.path.join(os.path.dirname(os.path.dirname(HERE)), "series")
        names = ["11-writepage", "14-releasepage", "21-helpers", "22-callers",
                 "25-use", "26-name"]
        self.put("series/g/one/10-foo.patch", patch(
            "mm/foo.c", FOO, FOO.replace("line 3\n", "line three\n")) +
                 "--- /dev/null\n+++ b/fs/toy/inode.c\n@@ -0,0 +1,%d @@\n"
                 % TOY_FS.count("\n") + re.sub("(?m)^(?=.|\n)", "+",
                                               TOY_FS) +
                 "--- /dev/null\n+++ b/fs/toy/toy.h\n@@ -0,0 +1,1 @@\n"
                 "+int toy_write(struct page *, int);\n")
        shutil.copytree(real + "/cocci", self.repo + "/series/cocci")
        listing = ["g/one", "g/two"]
        for name in names:
            target = "series/a-mapping/" + name
            os.makedirs(os.path.join(self.repo, target))
            for item in os.listdir(os.path.join(real, "a-mapping", name)):
                if item == "message" or item.endswith(".cocci"):
                    shutil.copy(os.path.join(real, "a-mapping", name, item),
                                os.path.join(self.repo, target))
            listing.append("a-mapping/" + name)
        self.put("series/series", "\n".join(listing) + "\n")
        self.apply()
        text = re.sub(r"\s+", " ",
                      self.get("tree/fs/toy/inode.c", self.work))
        for wanted in (
                "toy_write(struct address_space *mapping, struct page *page,",
                "inode = fs_page_mapping(mapping, page)->host;",
                "toy_writepage(struct address_space *mapping, struct page",
                "if (!page->mapping)",
                "return toy_write(mapping, page, wbc->sync_mode);",
                "toy_releasepage(struct address_space *mapping, struct page",
                "return toy_drop(page);",
                "toy_write(mapping, page, 1);",
                "mapping->a_ops->writepage(mapping, page, NULL);",
                "mapping_set_error(fs_page_io_mapping(page), -EIO);",
                "return toy_write(MAPPING_NULL, toy_page, 1);"):
            self.assertIn(wanted, text)
        self.assertEqual(text.count("MAPPING_NULL"), 1)
        self.assertEqual(
            self.get("tree/fs/toy/toy.h", self.work),
            "int toy_write(struct address_space *, struct page *, int);\n")


class Export(Toy):
    def test_patches_and_am(self):
        self.put("series/cover-letter", "mm: toy\n\nThe blurb.\n")
        out = self.quiet(self.engine().command_patches)
        self.assertEqual(sorted(os.listdir(out)), [
            "0000-cover-letter.patch", "0001-mm-change-line-3.patch",
            "0002-mm-add-new.c.patch"])
        cover = self.get("0000-cover-letter.patch", out)
        self.assertIn("Subject: [PATCH 0/2] mm: toy\n", cover)
        self.assertIn("The blurb.", cover)
        self.assertIn("2 files changed", cover)
        self.assertIn("git am on the base gives the same tree", self.output)

    def test_no_cover_letter(self):
        self.assertIn("no cover letter",
                      self.failure(self.engine().command_patches))


class Fold(Toy):
    def edit(self, name):
        self.apply()
        self.quiet(self.engine().command_edit, name)

    def fold(self, name):
        return self.quiet(self.engine().command_fold, name)

    def change(self, name, old, new, folder="edit"):
        text = self.get(folder + "/" + name, self.work)
        self.assertIn(old, text)
        self.put(folder + "/" + name, text.replace(old, new), self.work)

    def test_round_trip_of_patch(self):
        self.edit("g/one")
        self.change("mm/foo.c", "line 35\n", "line thirty-five\n")
        self.fold("g/one")
        text = self.get("series/g/one/10-foo.patch")
        self.assertTrue(text.startswith("Why this hunk.\n\n--- a/mm/foo.c"))
        self.assertIn("+line thirty-five", text)
        self.assertIn("+line three", text)
        self.assertIn("line thirty-five",
                      self.get("tree/mm/foo.c", self.work))
        self.assertFalse(os.path.exists(self.work + "/edit"))

    def test_fold_of_real_file(self):
        self.edit("g/two")
        self.put("edit/mm/new.c", "edited\n", self.work)
        self.fold("g/two")
        self.assertEqual(self.get("mm/new.c"), "edited\n")
        self.assertEqual(sorted(os.listdir(self.repo + "/series/g/two")),
                         ["files", "message"])

    def test_new_patch_and_new_file(self):
        self.edit("g/two")
        self.put("edit/mm/extra.c", "extra\n", self.work)
        self.change("mm/ops.c", "return file", "return 1 + file")
        self.fold("g/two")
        text = self.get("series/g/two/50-hand.patch")
        self.assertIn("+++ b/mm/extra.c", text)
        self.assertIn("+\treturn 1 + file", text)

    def test_fold_to_variant(self):
        self.put("series/g/one/10-foo.v5.9.patch", patch(
            "mm/foo.c", FOO.replace("line 3\n", "line three\n"),
            FOO.replace("line 3\n", "line three\n").replace(
                "line 30\n", "nine\n"), "5.9 differs.\n"))
        self.put("series/g/one/10-foo.v5.10.patch", "untouched\n")
        self.edit("g/one")
        self.change("mm/foo.c", "nine\n", "nine\nmore nine\n")
        self.change("mm/ops.c", "return file", "return 2 + file")
        self.fold("g/one")
        common = self.get("series/g/one/10-foo.patch")
        variant = self.get("series/g/one/10-foo.v5.9.patch")
        self.assertTrue(variant.startswith("5.9 differs.\n---"))
        self.assertIn("+more nine", variant)
        self.assertNotIn("nine", common)
        self.assertIn("+line three", common)
        self.assertIn("return 2", common)
        self.assertEqual(self.get("series/g/one/10-foo.v5.10.patch"),
                         "untouched\n")

    def test_fold_from_tree(self):
        self.apply()
        self.change("mm/foo.c", "line 20\n", "line twenty\n", "tree")
        self.fold("g/one")
        self.assertIn("+line twenty",
                      self.get("series/g/one/10-foo.patch"))
        self.apply()
        self.assertIn("2 of 2", self.output)

    def test_edits_of_another_stage(self):
        self.edit("g/one")
        self.change("mm/foo.c", "line 35\n", "x\n")
        self.assertIn("opened for stage g/one",
                      self.failure(self.engine().command_fold, "g/two"))
        self.assertIn("holds changes to stage g/one",
                      self.failure(self.engine().command_edit, "g/two"))

    def test_nothing_to_fold(self):
        self.edit("g/one")
        self.assertIn("nothing to fold",
                      self.failure(self.engine().command_fold, "g/one"))

    def test_unknown_stage(self):
        text = self.failure(self.engine().command_edit, "g/x")
        self.assertIn("no stage g/x", text)
        self.assertIn("g/two", text)

    @unittest.skipUnless(shutil.which("spatch"), "no spatch")
    def test_cocci_result_stays_with_cocci(self):
        self.put("series/g/two/20-helper.cocci", COCCI)
        self.edit("g/two")
        self.change("mm/ops.c", "int caller(void)", "int call(void)")
        self.fold("g/two")
        text = self.get("series/g/two/50-hand.patch")
        self.assertIn("+int call(void)", text)
        self.assertNotIn("+\treturn helper(0", text)
        self.assertEqual(self.get("series/g/two/20-helper.cocci"), COCCI)

    def test_removed_files_file_is_refused(self):
        self.edit("g/two")
        os.unlink(self.work + "/edit/mm/new.c")
        self.assertIn("was removed",
                      self.failure(self.engine().command_fold, "g/two"))
        self.assertEqual(self.get("mm/new.c"), "new\n")


if __name__ == "__main__":
    unittest.main()
