#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Is every page-cache callback of a kernel tree converted?

Reads the source, not what one configuration compiles: each implementation of
a callback (initialisers of the operation, assignments to it, functions passed
where the type is expected) must take the mapping, in each definition and
prototype, and each call of an implementation, of the operation and of a
pointer of the type must pass one. Lists what does not; exit status 1 then.

The rules that convert the tree are not used here: this is the second opinion.
"""

import argparse
import bisect
import os
import re
import subprocess
import sys
from collections import namedtuple

# One entry per callback. A callback that is not converted yet has none.
#   op        member of struct address_space_operations
#   index     position of the mapping among the arguments
#   count     number of arguments, the mapping included; None: any
#   page      the argument that must follow the mapping in a definition
#   types     typedefs of pointers to functions that serve as callback too
#   takers    functions that take such a function: name, position
#   shape     an old-style pointer type that is spelled out, if there was one
Callback = namedtuple("Callback", "op index count page types takers shape")

CALLBACKS = [
    Callback(op="readpage", index=1, count=3, page=r"struct\s+page\b",
             types=["filler_t"],
             takers=[("read_cache_page", 2), ("read_cache_pages", 2),
                     ("do_read_cache_page", 2)],
             shape=r"\(\s*\*\s*\w+\s*\)\s*\(\s*(?:void|struct\s+file)\s*\*\s*"
                   r"\w*\s*,\s*struct\s+page\s*\*\s*\w*\s*\)"),
]

TOPS = ("arch block certs crypto drivers fs include init io_uring ipc kernel "
        "lib mm net samples security sound usr virt").split()
NOT_A_MAPPING = {"NULL", "0", "MAPPING_NULL", "((void*)0)", ""}
KEYWORDS = {"return", "else", "do", "case", "goto", "sizeof", "if", "while",
            "for", "switch", "typeof"}
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

    def where(self, offset):
        return "%s:%d" % (self.name, bisect.bisect(self.starts, offset))

    def lists(self, pattern):
        """(match, arguments, offset behind) of each `pattern (...)`."""
        for match in re.finditer(pattern + r"\s*\(", self.text):
            end = closing(self.text, match.end(), "()")
            yield match, split(self.text[match.end():end - 1]), end


class Tree:
    def __init__(self, root):
        self.root = root
        self.tops = [t for t in TOPS if os.path.isdir(os.path.join(root, t))]
        # An out-of-tree filesystem is a folder without these.
        self.tops = self.tops or ["."]
        self.sources = {}

    def files(self, words):
        """The sources that mention one of the words."""
        found, words = set(), sorted(words)
        for i in range(0, len(words), 200):
            result = subprocess.run(
                ["grep", "-rlwE", "--include=*.c", "--include=*.h",
                 "|".join(words[i:i + 200])] + self.tops, cwd=self.root,
                stdout=subprocess.PIPE, check=False, text=True)
            found.update(result.stdout.split())
        return [self.source(os.path.normpath(name)) for name in sorted(found)
                if "include/uapi/" not in name]

    def source(self, name):
        if name not in self.sources:
            self.sources[name] = Source(self.root, name)
        return self.sources[name]


class Check:
    def __init__(self, tree, callback, allow_null, verbose):
        self.tree, self.cb = tree, callback
        self.allow_null, self.verbose = allow_null, verbose
        self.problems = []
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

    def find_implementations(self):
        words = [self.cb.op] + self.cb.types + [t for t, _ in self.cb.takers]
        sources = self.tree.files(words)
        for source in sources:
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
        return sources

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

    def check_functions(self):
        if not self.implementations:
            self.problem(self.tree.root, "no implementation of %s found"
                         % self.cb.op)
            return
        defined = set()
        pattern = r"(?<![\w.>])(%s)" % "|".join(sorted(self.implementations))
        for source in self.tree.files(self.implementations):
            local = set(re.findall(r"\bstatic\b[^;{}()=]*?\b(\w+)\s*\(",
                                   source.text))
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

    def check_pointers(self, sources):
        cb = self.cb
        for source in sources:
            text = source.text
            for match, args, end in source.lists(
                    r"(?:\.|->)\s*%s\s*\)?" % cb.op):
                self.count["indirect"] += 1
                self.arguments(source.where(match.start()), "->" + cb.op,
                               args)
            # a copy of the operation would be called out of our sight
            for match in re.finditer(r"(?<![=!<>])=\s*[^;=?]*->\s*%s\s*;"
                                     % cb.op, text):
                self.problem(source.where(match.start()),
                             "a copy of ->%s is made" % cb.op)
            for match in re.finditer(
                    r"\(\s*\*\s*%s\s*\)\s*\(" % cb.op, text):
                end = closing(text, match.end(), "()")
                self.count["types"] += 1
                self.parameters(source.where(match.start()), "->" + cb.op,
                                split(text[match.end():end - 1]), "type")
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
        sources = self.find_implementations()
        self.check_functions()
        self.check_pointers(sources)
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
            line = source.text[source.text.rfind("\n", 0, match.start()) + 1:
                               match.start()]
            if not re.match(r"\s*#\s*define\s+$", line):
                bad.append(source.where(match.start()))
    print("MAPPING_NULL: %s" % ("still passed at " + " ".join(bad) if bad
                                else "only defined"))
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
    good = [Check(tree, callback, args.allow_null, args.verbose).run()
            for callback in CALLBACKS]
    if not args.allow_null:
        good.append(leftovers(tree))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
