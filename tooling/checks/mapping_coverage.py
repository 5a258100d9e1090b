#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Is every page-cache callback of a kernel tree converted?

Reads the source, not what one configuration compiles: each implementation of
a callback (initialisers of the operation, assignments to it, functions passed
where the type is expected) must take the mapping, in each definition and
prototype, and each call of an implementation, of the operation and of a
pointer of the type must pass one. A copy of an operation must be a local
variable whose type has the mapping, and is called with one. Lists what does
not; exit status 1 then.

The rules that convert the tree are not used here: this is the second opinion.
"""

import argparse
import bisect
import os
import re
import subprocess
import sys
from collections import namedtuple

# One entry per callback.
#   op        member of struct address_space_operations, or a name for a type
#   index     position of the mapping among the arguments
#   count     number of arguments, the mapping included; None: any
#   page      the argument that must follow the mapping in a definition
#   types     typedefs of pointers to functions that serve as callback too
#   takers    functions that take such a function: name, position
#   shape     an old-style pointer type that is spelled out, if there was one
Callback = namedtuple("Callback", "op index count page types takers shape")


def page_first(op, count, **more):
    """A callback that takes the mapping, the page and other arguments."""
    values = dict(op=op, index=0, count=count, page=r"struct\s+page\b",
                  types=[], takers=[], shape=None)
    values.update(more)
    return Callback(**values)


CALLBACKS = [
    Callback(op="readpage", index=1, count=3, page=r"struct\s+page\b",
             types=["filler_t"],
             takers=[("read_cache_page", 2), ("read_cache_pages", 2),
                     ("do_read_cache_page", 2)],
             shape=r"\(\s*\*\s*\w+\s*\)\s*\(\s*(?:void|struct\s+file)\s*\*\s*"
                   r"\w*\s*,\s*struct\s+page\s*\*\s*\w*\s*\)"),
    page_first("writepage", 3),
    page_first("writepage_t", 4, types=["writepage_t"],
               takers=[("write_cache_pages", 2)],
               shape=r"\(\s*\*\s*\w+\s*\)\s*\(\s*struct\s+page\s*\*\s*\w*"
                     r"\s*,\s*struct\s+writeback_control\s*\*"),
    page_first("set_page_dirty", 2),
    page_first("invalidatepage", 4),
    page_first("releasepage", 3),
    page_first("freepage", 2),
    page_first("putback_page", 2),
    page_first("launder_page", 2),
    page_first("is_partially_uptodate", 4),
    page_first("isolate_page", 3),
    page_first("is_dirty_writeback", 4),
]

# Functions on the way to a callback that take the mapping as well, once they
# do: the position of the mapping. A literal NULL is no mapping here either.
HELPERS = {
    "write_one_page": 0, "do_invalidatepage": 0, "try_to_release_page": 0,
    "try_to_free_buffers": 0, "create_empty_buffers": 0,
    "set_page_dirty_mapping": 0, "block_write_full_page": 0,
    "__block_write_full_page": 1, "nobh_writepage": 0, "mpage_writepage": 0,
    "iomap_writepage": 0, "block_read_full_page": 0, "mpage_readpage": 0,
    "iomap_readpage": 0, "redirty_page_for_writepage": 1,
    "jbd2_journal_try_to_free_buffers": 1,
    "clear_page_dirty_for_io_mapping": 0, "cancel_dirty_page": 0,
}

# A page that has left its file with buffers attached has no mapping, and
# try_to_free_buffers() must know that: it takes no lock of the mapping then,
# and leaves the accounting of dirty pages alone. MAPPING_ORPHAN says so, in
# these functions alone.
ORPHANS = {
    ("mm/vmscan.c", "pageout"):
        "reclaim found a dirty page without mapping",
    ("mm/migrate.c", "__unmap_and_move"):
        "a page without mapping is freed, not migrated",
    ("fs/jbd2/commit.c", "release_buffer_page"):
        "the commit was the last to need a page that was truncated",
    ("fs/reiserfs/journal.c", "release_buffer_page"):
        "the same of reiserfs",
}

TOPS = ("arch block certs crypto drivers fs include init io_uring ipc kernel "
        "lib mm net samples security sound usr virt").split()
NOT_A_MAPPING = {"NULL", "0", "MAPPING_NULL", "MAPPING_ORPHAN",
                 "((void*)0)", "(void*)0", ""}
KEYWORDS = {"return", "else", "do", "case", "goto", "sizeof", "if", "while",
            "for", "switch", "typeof"}
PRINTS = r"(pr_\w+|\w*print\w*|seq_printf)$"
CONDITIONS = {"if", "while", "for", "switch", "likely", "unlikely"}
TABLE = re.compile(r"struct\s+address_space_operations\s+(\w+)[^=;{}()]*=\s*\{")


def strip(text):
    """Blank comments, strings and character constants; keep the lines."""
    def blank(match):
        found = match.group(0)
        if found[0] in "\"'":
            return found[0] + " " * (len(found) - 2) + found[0]
        return re.sub(r"[^\n]", " ", found)
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\""
                  r"|'(?:\\.|[^'\\\n])+'", blank, text, flags=re.S)


def closing(text, start, pair):
    """Offset behind the bracket that closes the one before `start`."""
    depth, i = 1, start
    for i in range(start, len(text)):
        if text[i] == pair[0]:
            depth += 1
        elif text[i] == pair[1]:
            depth -= 1
            if not depth:
                return i + 1
    return len(text)


def split(text):
    """The arguments of a list, split at its own commas."""
    result, depth, last = [], 0, 0
    for i, char in enumerate(text):
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
        elif char == "," and not depth:
            result.append(text[last:i].strip())
            last = i + 1
    result.append(text[last:].strip())
    return [] if result == [""] else result


class Source:
    """One file without its comments."""

    def __init__(self, root, name):
        self.name = name
        with open(os.path.join(root, name), encoding="utf-8",
                  errors="replace") as handle:
            self.text = strip(handle.read())
        self.starts = [m.start() for m in re.finditer(r"^", self.text, re.M)]
        self.words = set(re.findall(r"\w+", self.text))

    def where(self, offset):
        return "%s:%d" % (self.name, bisect.bisect(self.starts, offset))

    def lists(self, pattern):
        """(match, arguments, offset behind) of each `pattern (...)`."""
        for match in re.finditer(pattern + r"\s*\(", self.text):
            end = closing(self.text, match.end(), "()")
            yield match, split(self.text[match.end():end - 1]), end

    def function(self, offset):
        """(start, end) of the function around an offset: kernel style."""
        start = max(self.text.rfind("\n}", 0, offset), 0)
        end = self.text.find("\n}", offset)
        return start, len(self.text) if end < 0 else end

    def function_name(self, offset):
        start, _ = self.function(offset)
        names = re.findall(r"^\w[\w \t\n*]*?\b(\w+)\s*\([^;{}]*\)\s*\{",
                           self.text[start:offset], re.M)
        return names[-1] if names else ""


class Tree:
    def __init__(self, root):
        self.root = root
        self.tops = [t for t in TOPS if os.path.isdir(os.path.join(root, t))]
        # An out-of-tree filesystem is a folder without these.
        self.whole = os.path.exists(os.path.join(root, "include/linux/fs.h"))
        self.tops = self.tops or ["."]
        self.sources = {}
        self.asked = set()

    def prepare(self, words):
        """Look for many words in one pass over the tree."""
        words = sorted(set(words) - self.asked)
        self.asked.update(words)
        for i in range(0, len(words), 400):
            result = subprocess.run(
                ["grep", "-rlwE", "--include=*.c", "--include=*.h",
                 "|".join(words[i:i + 400])] + self.tops, cwd=self.root,
                env=dict(os.environ, LC_ALL="C"), stdout=subprocess.PIPE,
                check=False, text=True)
            for name in result.stdout.splitlines():
                if "include/uapi/" not in name:
                    self.source(os.path.normpath(name))

    def files(self, words):
        """The sources that mention one of the words."""
        words = set(words)
        self.prepare(words)
        return [source for _, source in sorted(self.sources.items())
                if source.words & words]

    def source(self, name):
        if name not in self.sources:
            self.sources[name] = Source(self.root, name)
        return self.sources[name]


class Check:
    def __init__(self, tree, callback, allow_null, verbose):
        self.tree, self.cb = tree, callback
        self.allow_null, self.verbose = allow_null, verbose
        self.problems = []
        self.using = []                 # sources that mention the operation
        self.implementations = {}       # name -> {where it is used}
        self.count = dict(tables=0, uses=0, definitions=0, prototypes=0,
                          calls=0, indirect=0, types=0)

    def problem(self, where, text):
        self.problems.append("%s: %s" % (where, text))

    def note(self, where, text):
        if self.verbose:
            print("  %-44s %s" % (where, text))

    # ---- who implements it?

    def use(self, name, source, offset, how):
        if name in ("NULL", "0"):
            return
        if not re.match(r"^\w+$", name):
            self.problem(source.where(offset), "%s: cannot tell who `%s` is"
                         % (how, name))
            return
        self.count["uses"] += 1
        self.note(source.where(offset), "%s: %s" % (how, name))
        self.implementations.setdefault(name, set()).add(source.name)

    def words(self):
        return [self.cb.op] + self.cb.types + [t for t, _ in self.cb.takers]

    def find_implementations(self):
        self.using = self.tree.files(self.words())
        for source in self.using:
            spans = []
            for match in TABLE.finditer(source.text):
                end = closing(source.text, match.end(), "{}")
                spans.append((match.end(), end))
                body = source.text[match.end():end]
                self.count["tables"] += bool(
                    re.search(r"\.\s*%s\s*=" % self.cb.op, body))
                for entry in re.finditer(
                        r"(?:\.\s*%s\s*=|\b%s\s*:)\s*([^,}]*)"
                        % (self.cb.op, self.cb.op), body):
                    self.use(entry.group(1).strip().lstrip("&").strip(),
                             source, match.end() + entry.start(),
                             "table " + match.group(1))
            for match in re.finditer(r"(?:\.|->)\s*%s\s*=(?!=)\s*([^,;}]*)"
                                     % self.cb.op, source.text):
                if not any(a <= match.start() < b for a, b in spans):
                    self.use(match.group(1).strip().lstrip("&").strip(),
                             source, match.start(), "assignment")
            for taker, position in self.cb.takers:
                for match, args, _ in source.lists(r"\b%s" % taker):
                    if len(args) <= position or self.declares(source, match):
                        continue
                    name = args[position].lstrip("&").strip()
                    if not self.variable(source, match.start(), name):
                        self.use(name, source, match.start(), taker + "()")

    def variable(self, source, offset, name):
        """Is it a parameter or a variable of the pointer type?"""
        function = source.text.rfind("\n}", 0, offset)
        return any(re.search(r"\b%s\s+%s\b" % (kind, re.escape(name)),
                             source.text[max(function, 0):offset])
                   for kind in self.cb.types)

    @staticmethod
    def declares(source, match):
        """A name behind a type: a declaration; else a call."""
        before = source.text[:match.start()].rstrip()
        word = re.search(r"(\w+|\*+)$", before)
        if not word or word.group(1) in KEYWORDS:
            return False
        if word.group(1)[0] != "*":
            return True
        # `int *f(` declares, `x = *f(` and `a * f(` call
        return bool(re.search(r"(^|[;}\n])\s*(static|extern|inline|const|"
                              r"struct|int|void|\w+_t|bool|\s)*[\w\s]*\*+$",
                              before[-120:]))

    # ---- is all of it converted?

    def parameters(self, where, name, args, what):
        cb = self.cb
        if cb.count is not None and len(args) != cb.count:
            self.problem(where, "%s of %s takes %d arguments, not %d"
                         % (what, name, len(args), cb.count))
        elif len(args) <= cb.index + 1 or \
                not re.match(r"struct\s+address_space\s*\*", args[cb.index]) \
                or not re.match(cb.page, args[cb.index + 1]):
            self.problem(where, "%s of %s takes no mapping in place %d"
                         % (what, name, cb.index + 1))

    def arguments(self, where, name, args):
        cb = self.cb
        if cb.count is not None and len(args) != cb.count:
            self.problem(where, "call of %s passes %d arguments, not %d"
                         % (name, len(args), cb.count))
        elif len(args) <= cb.index:
            self.problem(where, "call of %s passes no mapping" % name)
        else:
            arg = re.sub(r"\s", "", args[cb.index])
            if arg in NOT_A_MAPPING and not (
                    self.allow_null and arg == "MAPPING_NULL"):
                self.problem(where, "call of %s passes %s for the mapping"
                             % (name, arg or "nothing"))

    @staticmethod
    def local(source):
        """Static functions, but not the stub of one that is elsewhere."""
        static = set(re.findall(r"\bstatic\b[^;{}()=]*?\b(\w+)\s*\(",
                                source.text))
        shared = set(re.findall(
            r"^(?:extern\s+)?(?!static\b|return\b|else\b)"
            r"\w[\w \t*]*?\b(\w+)\s*\([^;{}()]*\)\s*;", source.text, re.M))
        return static - shared

    def check_functions(self):
        if not self.implementations:
            if self.tree.whole:
                self.problem(self.tree.root, "no implementation of %s found"
                             % self.cb.op)
            return
        defined = set()
        pattern = r"(?<![\w.>])(%s)\b" % "|".join(
            sorted(self.implementations))
        for source in self.tree.files(self.implementations):
            local = self.local(source)
            for match, args, end in source.lists(pattern):
                name, where = match.group(1), source.where(match.start())
                if name in local and \
                        source.name not in self.implementations[name]:
                    continue            # another function of that name
                if self.declares(source, match):
                    body = source.text[end:end + 80].lstrip()
                    what = "definition" if body[:1] == "{" else "prototype"
                    if what == "definition":
                        defined.add(name)
                    self.count[what + "s"] += 1
                    self.parameters(where, name, args, what)
                else:
                    self.count["calls"] += 1
                    self.arguments(where, name, args)
                self.note(where, name)
        for name in sorted(set(self.implementations) - defined):
            self.problem(" ".join(sorted(self.implementations[name])),
                         "no definition of %s found" % name)

    def check_copy(self, source, offset):
        """`x = a->op`: x must be a local pointer, called as it ought."""
        cb, where = self.cb, source.where(offset)
        start, end = source.function(offset)
        text = source.text[start:end]
        left = re.split(r"[;{}]", source.text[start:offset])[-1]
        name = re.search(r"\(\s*\*\s*(\w+)\s*\)\s*\([^()]*\)\s*=[^=]*$",
                         left) \
            or re.search(r"(?:^|[\s*])(\w+)\s*=[^=]*$", left)
        name = name.group(1) if name and not re.search(
            r"(?:\.|->)\s*\w+\s*=[^=]*$", left) else None
        declared = name and re.search(
            r"[\w*]\s*\(\s*\*\s*%s\s*\)\s*\(" % name, text)
        if not declared:
            self.problem(where, "a copy of ->%s is made, and is not a local "
                         "pointer of a type that says it all" % cb.op)
            return
        close = closing(text, declared.end(), "()")
        self.count["types"] += 1
        self.parameters(source.where(start + declared.start()),
                        "the copy of ->" + cb.op,
                        split(text[declared.end():close - 1]), "type")
        for use in re.finditer(r"(?<![\w.>])%s\b" % name, text):
            if declared.start() <= use.start() < close:
                continue
            before = re.split(r"[;{}]", text[:use.start()])[-1].rstrip()
            behind = text[use.end():use.end() + 80].lstrip()
            if behind[:1] == ")" and before.endswith("*") and \
                    before[:-1].rstrip().endswith("("):
                behind = behind[1:].lstrip()        # (*copy)(...)
            called = behind[:1] == "("
            if called:
                begin = text.index("(", use.end()) + 1
                args = split(text[begin:closing(text, begin, "()") - 1])
                self.count["indirect"] += 1
                self.arguments(source.where(start + use.start()),
                               "the copy of ->" + cb.op, args)
            elif self.passed(before, behind):
                self.problem(source.where(start + use.start()),
                             "the copy of ->%s is passed on" % cb.op)

    @staticmethod
    def passed(before, behind):
        """Does what stands between the two go elsewhere as a value?"""
        if re.search(r"\breturn$", before):
            return bool(re.match(r";", behind))
        if not re.match(r"[,);:]", behind):
            return False
        if re.search(r"[=!]=$", before):
            return False
        # whose argument it is: the last bracket that is still open
        depth, i = 0, len(before) - 1
        while i >= 0 and depth >= 0:
            depth += (before[i] == ")") - (before[i] == "(")
            i -= 1
        word = re.search(r"(\w+)\s*$", before[:i + 1]) if depth < 0 else None
        if word and re.match(PRINTS, word.group(1)):
            return False                # %ps
        if re.search(r"[^=!<>]=$|,$|\?$|(?<!:):$", before):
            return True
        return bool(word and before.endswith("(")
                    and word.group(1) not in CONDITIONS
                    and word.group(1) not in KEYWORDS)

    def check_uses(self, source):
        """What is done with the operation but calling it and testing it."""
        cb, text = self.cb, source.text
        for match in re.finditer(r"(\w|\)|\])\s*(?:\.|->)\s*%s\b" % cb.op,
                                 text):
            behind = text[match.end():match.end() + 80].lstrip()
            if behind[:1] == "(" or re.match(r"\)\s*\(", behind) or \
                    re.match(r"=(?!=)", behind):
                continue                # a call, or an assignment to it
            # what is before the expression, `a->b->op`, of its statement
            before = re.sub(r"(\w+\s*(->|\.)\s*)*\w+$", "", re.split(
                r"[;{}]", text[max(0, match.start() - 500):
                               match.start() + 1])[-1]).rstrip()
            if re.match(r"[!=]=", behind):
                continue
            if re.search(r"[^=!<>]=$|[^=!<>]=[^=]*[?:]$", before) and \
                    re.match(r"[;:]", behind):
                self.check_copy(source, match.start())
            elif self.passed(before, behind):
                self.problem(source.where(match.start()),
                             "->%s is passed on" % cb.op)

    def check_types(self, source, pattern, name):
        """Pointers that are declared: behind a type, never a call."""
        text = source.text
        for match in re.finditer(pattern, text):
            before = re.search(r"(\w+|\*)\s*$",
                               text[max(0, match.start() - 200):match.start()])
            if not before or before.group(1) in KEYWORDS:
                continue
            end = closing(text, match.end(), "()")
            if self.copied(source, match.start()):
                continue                # check_copy() has seen it
            self.count["types"] += 1
            self.parameters(source.where(match.start()), name,
                            split(text[match.end():end - 1]), "type")

    def copied(self, source, offset):
        start, end = source.function(offset)
        return start > 0 and bool(re.search(
            r"=[^=;]*(?:\.|->)\s*%s\s*[;:?]" % self.cb.op,
            source.text[start:end]))

    def check_pointers(self):
        cb = self.cb
        for source in self.using:
            text = source.text
            for match, args, _ in source.lists(
                    r"(?:\.|->)\s*%s\s*\)?" % cb.op):
                self.count["indirect"] += 1
                self.arguments(source.where(match.start()), "->" + cb.op,
                               args)
            # a copy of the operation would be called out of our sight
            self.check_uses(source)
            if cb.op not in cb.types:
                self.check_types(source, r"\(\s*\*\s*%s\s*\)\s*\(" % cb.op,
                                 "->" + cb.op)
            for kind in cb.types:
                for match in re.finditer(
                        r"typedef[^;]*?\(\s*\*\s*%s\s*\)\s*\(" % kind, text):
                    end = closing(text, match.end(), "()")
                    self.count["types"] += 1
                    self.parameters(source.where(match.start()), kind,
                                    split(text[match.end():end - 1]), "type")
                for name in set(re.findall(r"\b%s\s+(\w+)" % kind, text)):
                    for match, args, _ in source.lists(
                            r"(?<![\w.>])\(?\*?\b%s\b\s*\)?" % name):
                        if self.variable(source, match.start(), name):
                            self.count["indirect"] += 1
                            self.arguments(source.where(match.start()),
                                           name, args)
            for match in re.finditer(cb.shape, text) if cb.shape else ():
                self.problem(source.where(match.start()),
                             "a pointer type without mapping: " +
                             " ".join(match.group(0).split()))

    def run(self):
        self.check_functions()
        self.check_pointers()
        c = self.count
        print("%s: %d implementations (%d tables, %d uses), %d definitions, "
              "%d prototypes, %d types, %d direct and %d indirect calls: %s" % (
                  self.cb.op, len(self.implementations), c["tables"],
                  c["uses"], c["definitions"], c["prototypes"], c["types"],
                  c["calls"], c["indirect"],
                  "%d not converted" % len(self.problems)
                  if self.problems else "all converted"))
        for problem in self.problems:
            print("  " + problem)
        return not self.problems


def leftovers(tree):
    """MAPPING_NULL may stand nowhere but in its definition."""
    bad = []
    for source in tree.files(["MAPPING_NULL"]):
        if source.name.endswith("_test.c"):
            continue
        for match in re.finditer(r"\bMAPPING_NULL\b", source.text):
            if not defines(source, match.start()):
                bad.append(source.where(match.start()))
    print("MAPPING_NULL: %s" % ("still passed at " + " ".join(bad) if bad
                                else "not passed"))
    return not bad


def defines(source, offset):
    line = source.text[source.text.rfind("\n", 0, offset) + 1:offset]
    return bool(re.match(r"\s*#\s*(define|undef|ifn?def)\s+$", line))


def helpers(tree):
    """A helper that takes the mapping must get one."""
    bad, count = [], 0
    sources = tree.files(HELPERS)
    pattern = r"(?<![\w.>])(%s)\b" % "|".join(sorted(HELPERS))
    lists = [(source, match, args) for source in sources
             for match, args, _ in source.lists(pattern)]
    grown = {match.group(1) for source, match, args in lists
             if len(args) > HELPERS[match.group(1)] and
             re.match(r"struct\s+address_space\s*\*",
                      args[HELPERS[match.group(1)]])}
    for source, match, args in lists:
        name = match.group(1)
        if name not in grown or Check.declares(source, match):
            continue
        count += 1
        arg = re.sub(r"\s", "", (args + [""] * 2)[HELPERS[name]])
        orphan = name == "try_to_free_buffers" and arg == "MAPPING_ORPHAN"
        if arg in NOT_A_MAPPING and not orphan:
            bad.append("%s: %s() gets %s for the mapping" % (
                source.where(match.start()), name, arg or "nothing"))
    print("helpers: %d of %d take the mapping, %d calls: %s" % (
        len(grown), len(HELPERS), count,
        "%d without one" % len(bad) if bad else "all pass one"))
    for line in bad:
        print("  " + line)
    return not bad


# Stubs that never had the arguments of the function, and that nobody calls
STUBS = {
    ("include/linux/balloon_compaction.h", "balloon_page_migrate"):
        "v5.9: all callers are compiled with BALLOON_COMPACTION",
}
CARRIER = re.compile(
    r"(?<![\w.>])(\w+)\s*\(([^(){};]*\bstruct\s+address_space\s*\*\s*\w*\s*,"
    r"\s*struct\s+page\s*\*[^(){};]*)\)")


def carriers(tree):
    """Calls of any function that takes mapping and page pass both."""
    def region(source):
        parts = source.name.split("/")
        return "/".join(parts[:2]) if parts[0] == "arch" else ""

    # place -> name -> how many arguments it takes
    own, shared = {}, {"": {}}
    for source in tree.files(["address_space"]):
        for match in CARRIER.finditer(source.text):
            args = split(match.group(2))
            before = re.split(r"[;{}]", source.text[:match.start()])[-1]
            if not Check.declares(source, match) or \
                    "..." in args or re.search(r"^#", before.lstrip(), re.M):
                continue
            kind = own.setdefault(source.name, {}) if \
                re.search(r"\bstatic\b", before) and \
                source.name.endswith(".c") else \
                shared.setdefault(region(source), {})
            kind.setdefault(match.group(1), set()).add(len(args))
    names = set().union(*own.values(), *shared.values())
    bad, count = [], 0
    for source in tree.files(names):
        local, mine = Check.local(source), own.get(source.name, {})
        near = shared.get(region(source), {})
        here = {name: mine.get(name) or (
            None if name in local else near.get(name) or shared[""].get(name))
                for name in names & source.words}
        here = {name: counts for name, counts in here.items() if counts}
        if not here:
            continue
        for match, args, _ in source.lists(
                r"(?<![\w.>])(%s)\b" % "|".join(sorted(here))):
            if defines(source, match.start()):
                continue
            if Check.declares(source, match):
                # the stub of another configuration
                if (source.name, match.group(1)) not in STUBS and not any(
                        re.match(r"struct\s+address_space\s*\*", arg)
                        for arg in args):
                    bad.append("%s: %s takes no mapping here" % (
                        source.where(match.start()), match.group(1)))
                continue
            count += 1
            if len(args) not in here[match.group(1)]:
                bad.append("%s: call of %s passes %d arguments, not %s" % (
                    source.where(match.start()), match.group(1), len(args),
                    " or ".join(map(str, sorted(here[match.group(1)])))))
    print("functions with mapping and page: %d, %d calls: %s" % (
        len(names), count, "%d are wrong" % len(bad) if bad
        else "all pass as many arguments"))
    for line in bad:
        print("  " + line)
    return not bad


def orphans(tree):
    """MAPPING_ORPHAN may be passed where it is known to be right."""
    bad, seen = [], set()
    for source in tree.files(["MAPPING_ORPHAN"]):
        for match in re.finditer(r"\bMAPPING_ORPHAN\b", source.text):
            if defines(source, match.start()):
                continue
            place = source.name, source.function_name(match.start())
            before = source.text[:match.start()].rstrip()
            if place not in ORPHANS:
                bad.append("%s: MAPPING_ORPHAN in %s(), which is not on the "
                           "list of this check" % (
                               source.where(match.start()), place[1]))
            elif not re.search(r"\btry_to_free_buffers\s*\($", before):
                bad.append("%s: MAPPING_ORPHAN is for try_to_free_buffers() "
                           "alone" % source.where(match.start()))
            else:
                seen.add(place)
    print("MAPPING_ORPHAN: %s" % (
        "%d problems" % len(bad) if bad else "passed in %d known functions"
        % len(seen)))
    for line in bad:
        print("  " + line)
    for name, function in sorted(seen):
        print("  %s, %s(): %s" % (name, function, ORPHANS[name, function]))
    return not bad


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("tree", help="kernel tree, or folder of a filesystem")
    parser.add_argument("--allow-null", action="store_true",
                        help="calls may pass MAPPING_NULL (after pass 1)")
    parser.add_argument("--verbose", action="store_true",
                        help="list all that was looked at")
    args = parser.parse_args()
    tree = Tree(args.tree)
    checks = [Check(tree, callback, args.allow_null, args.verbose)
              for callback in CALLBACKS]
    tree.prepare(word for check in checks for word in check.words())
    for check in checks:
        check.find_implementations()
    tree.prepare([name for check in checks for name in check.implementations] +
                 list(HELPERS) + ["MAPPING_NULL", "MAPPING_ORPHAN"])
    good = [check.run() for check in checks]
    if not any(check.implementations for check in checks):
        print("%s: no callback found" % args.tree)
        good.append(False)
    good += [orphans(tree), carriers(tree)]
    if not args.allow_null:
        good += [helpers(tree), leftovers(tree)]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
