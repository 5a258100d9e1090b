#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Apply, edit, fold and export the page-xa series.

The series is an ordered list of stages (series/series). Each stage is a
folder with a commit message and any of: `files` (real files of this
repository that are copied into the kernel tree), *.cocci (semantic patches)
and *.patch. Each stage becomes one git commit on branch page-xa of the tree,
on top of one commit that holds the pristine base.

State below the work folder (build/<base>/):
  git         bare repository: base commit, one commit per stage
  apply       scratch worktree, stages are applied here and only here
  tree        worktree on branch page-xa, for people and for the build
  edit        worktree of `edit`/`fold`
  state.json  what was applied: keys of stages, commits, tree heads
"""

import argparse
import concurrent.futures
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ENGINE = "1"                # raise it when the result of a stage may change
NEUTRAL = ("page-xa", "page-xa@localhost")
VARIANT = re.compile(r"^(.+)\.v(\d+\.\d+)\.(patch|cocci)$")
SPATCH_BAD = re.compile(
    r"already tagged token|EXN:|Fatal error|parse error|semantic error|"
    r"exception|timeout|different modification|conflicting",
    re.IGNORECASE)
NOT_CANDIDATES = [":!include/uapi", ":!tools", ":!Documentation"]
LEFTOVERS = (".orig", ".rej", ".cocci_orig", ".cocci_res")


class Failure(Exception):
    """An error for the user: what went wrong and how to go on."""


def say(text):
    print(text, flush=True)


def read(path):
    with open(path, "rb") as handle:
        return handle.read()


def read_text(path):
    return read(path).decode("utf-8", "surrogateescape")


def write_text(path, text):
    with open(path, "wb") as handle:
        handle.write(text.encode("utf-8", "surrogateescape"))


def sha(*parts):
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            part = part.encode("utf-8", "surrogateescape")
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


def plain_environment():
    env = dict(os.environ, LC_ALL="C", GIT_OPTIONAL_LOCKS="0", GIT_PAGER="cat")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX",
                 "POSIXLY_CORRECT", "PATCH_VERSION_CONTROL"):
        env.pop(name, None)
    return env


def run(command, cwd=None, env=None, check=True, stdin=None):
    """Run a command without a terminal; text in, text out."""
    result = subprocess.run(
        command, cwd=cwd, env=env or plain_environment(),
        input=stdin.encode("utf-8", "surrogateescape") if stdin is not None
        else None,
        stdin=subprocess.DEVNULL if stdin is None else None,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    result.stdout = result.stdout.decode("utf-8", "surrogateescape")
    result.stderr = result.stderr.decode("utf-8", "surrogateescape")
    if check and result.returncode:
        raise Failure("`%s` failed (status %d):\n%s" % (
            " ".join(command[:8]), result.returncode,
            (result.stderr or result.stdout).strip()[-3000:]))
    return result


class Stage:
    """One folder of series/: its parts that matter for the current base."""

    def __init__(self, series_dir, name, base_version):
        self.name = name
        self.path = os.path.join(series_dir, name)
        self.base_version = base_version
        if not os.path.isdir(self.path):
            raise Failure("stage %s: series/%s is listed in series/series "
                          "but is not a folder" % (name, name))
        self.message = self._message()
        self.files = self._files()
        self.steps = self._steps()
        # all it has is for another base
        self.elsewhere = not self.files and not self.steps and any(
            VARIANT.match(name) for name in os.listdir(self.path))

    def _message(self):
        path = os.path.join(self.path, "message")
        if not os.path.exists(path):
            raise Failure("stage %s: no commit message (%s)"
                          % (self.name, path))
        text = read_text(path).strip("\n") + "\n"
        lines = text.split("\n")
        if not re.match(r"^[\w/,{}. -]+: \S", lines[0]):
            raise Failure("stage %s: the first line of message must read "
                          "`subsystem: summary`, it is: %s"
                          % (self.name, lines[0]))
        if len(lines) > 1 and lines[1] != "":
            raise Failure("stage %s: the second line of message must be empty"
                          % self.name)
        for line in lines:
            if line.startswith(("diff --git ", "--- ", "Index: ")) \
                    or line == "---":
                raise Failure("stage %s: git am would cut the message at the "
                              "line: %s" % (self.name, line))
        return text

    def _files(self):
        names = []
        for listing in ("files", "files.v" + self.base_version):
            path = os.path.join(self.path, listing)
            if os.path.exists(path):
                names += [line.strip() for line in read_text(path).split("\n")
                          if line.strip() and not line.startswith("#")]
        return names

    def _steps(self):
        names = []
        for name in sorted(os.listdir(self.path)):
            if not name.endswith((".patch", ".cocci")):
                continue
            variant = VARIANT.match(name)
            if variant and variant.group(2) != self.base_version:
                continue
            names.append(name)
        return names

    def step_path(self, name):
        return os.path.join(self.path, name)


class Base:
    """What tooling/base wrote about the base in use."""

    def __init__(self, work):
        path = os.path.join(work, "base.json")
        if not os.path.exists(path):
            raise Failure("no base in %s: run `make base` first" % work)
        with open(path, encoding="utf-8") as handle:
            data = json.load(handle)
        self.version = data["version"]
        self.commit = data["commit"]
        self.tree = data["tree"]
        self.series = ".".join(self.version.split(".")[:2])


def spatch(command, groups, cwd):
    """Run spatch on each group of files: (exit status, output)."""
    jobs = int(os.environ.get("JOBS") or os.cpu_count() or 1)
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(
            lambda files: run(command + files, cwd=cwd, check=False), groups))
    return (max([result.returncode for result in results] or [0], key=abs),
            "".join(result.stdout + result.stderr for result in results))


class Engine:
    def __init__(self, repo, work, verbose=False, series=None):
        self.repo = os.path.abspath(repo)
        self.work = os.path.abspath(work)
        self.series_dir = os.path.abspath(series or
                                          os.path.join(repo, "series"))
        self.verbose = verbose
        self.git_dir = os.path.join(self.work, "git")
        self.apply_dir = os.path.join(self.work, "apply")
        self.tree_dir = os.path.join(self.work, "tree")
        self.edit_dir = os.path.join(self.work, "edit")
        self.logs = os.path.join(self.work, "logs")
        self.state_path = os.path.join(self.work, "state.json")
        self.base = Base(self.work)
        self.state = {"trees": {}, "commits": {}, "cocci": {}, "stages": {}}
        if os.path.exists(self.state_path):
            with open(self.state_path, encoding="utf-8") as handle:
                self.state.update(json.load(handle))
        self._spatch_version = None
        self._identity = None
        self.apply_head = None
        os.makedirs(self.logs, exist_ok=True)

    # ---- small helpers ------------------------------------------------

    def lock(self):
        self._lock = open(os.path.join(self.work, "lock"), "w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("series: waiting for another run in %s" % self.work)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if os.path.exists(self.state_path):
                with open(self.state_path, encoding="utf-8") as handle:
                    self.state.update(json.load(handle))

    def git(self, *args, cwd=None, check=True, env=None, stdin=None):
        command = ["git"]
        if cwd is None:
            command += ["--git-dir", self.git_dir]
        return run(command + list(args), cwd=cwd, check=check, env=env,
                   stdin=stdin)

    def save_state(self):
        temporary = self.state_path + ".new"
        with open(temporary, "w", encoding="utf-8") as handle:
            json.dump(self.state, handle, indent=1, sort_keys=True)
        os.replace(temporary, self.state_path)

    def spatch_version(self):
        if self._spatch_version is None:
            if not shutil.which("spatch"):
                raise Failure("spatch (coccinelle) is not installed: "
                              "run `make setup` (or `tooling/setup`)")
            self._spatch_version = run(["spatch", "--version"]).stdout \
                .split("\n")[0]
        return self._spatch_version

    def identity(self):
        """Author of the commits: whoever runs this."""
        if self._identity is None:
            env = plain_environment()
            name = env.get("GIT_AUTHOR_NAME")
            mail = env.get("GIT_AUTHOR_EMAIL")
            if not (name and mail):
                # user.useConfigOnly: never guess from host and login name
                result = run(["git", "-c", "user.useConfigOnly=true", "var",
                              "GIT_AUTHOR_IDENT"], cwd=self.repo, check=False)
                match = re.match(r"^(.*) <(.*)> ", result.stdout)
                if result.returncode == 0 and match:
                    name, mail = match.group(1), match.group(2)
            if not (name and mail):
                name, mail = NEUTRAL
                say("series: git knows no identity, commits will be by "
                    "%s <%s>\n        (set yours with `git config --global "
                    "user.name` and `user.email`)" % NEUTRAL)
            self._identity = (name, mail)
        return self._identity

    def commit_environment(self):
        name, mail = self.identity()
        return dict(plain_environment(), GIT_AUTHOR_NAME=name,
                    GIT_AUTHOR_EMAIL=mail, GIT_COMMITTER_NAME=name,
                    GIT_COMMITTER_EMAIL=mail)

    def tree_of(self, commit):
        return self.git("rev-parse", commit + "^{tree}").stdout.strip()

    def has(self, obj):
        return self.git("cat-file", "-e", obj, check=False).returncode == 0

    def worktree(self, path, commit, branch=None):
        """Create a worktree at path unless it exists."""
        if os.path.exists(os.path.join(path, ".git")):
            return False
        if os.path.exists(path):
            shutil.rmtree(path)
        self.git("worktree", "prune")
        args = ["worktree", "add", "-f", "-q"]
        args += ["-B", branch] if branch else ["--detach"]
        self.git(*(args + [path, commit]))
        return True

    def write_tree(self, cwd):
        """Tree hash of a worktree as it stands (its index is updated)."""
        self.git("add", "-A", "-f", ".", cwd=cwd)
        return self.git("write-tree", cwd=cwd).stdout.strip()

    # ---- the list -----------------------------------------------------

    def names(self):
        path = os.path.join(self.series_dir, "series")
        if not os.path.exists(path):
            raise Failure("no list of stages: %s" % path)
        names = []
        for line in read_text(path).split("\n"):
            line = line.split("#")[0].strip()
            if not line:
                continue
            if not re.match(r"^[\w.-]+/[\w.-]+$", line):
                raise Failure("series/series: not a <group>/<stage>: " + line)
            if line in names:
                raise Failure("series/series: listed twice: " + line)
            names.append(line)
        if not names:
            raise Failure("series/series lists no stage")
        return names

    def stages(self):
        stages = [Stage(self.series_dir, name, self.base.series)
                  for name in self.names()]
        stages = [stage for stage in stages if not stage.elsewhere]
        owner = {}
        for stage in stages:
            for name in stage.files:
                if name in owner:
                    raise Failure("%s belongs to two stages: %s and %s"
                                  % (name, owner[name], stage.name))
                owner[name] = stage.name
        self.refuse_strays({os.path.dirname(name) for name in owner})
        return stages

    def refuse_strays(self, folders):
        """A file beside those of the stages that no stage of any base has would
        be tested here, but missing from the patches."""
        listed = set()
        for listing in glob.glob(os.path.join(self.series_dir, "*/*/files*")):
            listed.update(read_text(listing).split())
        for folder in sorted(folders):
            for name in sorted(os.listdir(os.path.join(self.repo, folder))):
                path = os.path.join(folder, name)
                if path not in listed and not name.startswith(".") \
                        and not name.endswith("~") \
                        and os.path.isfile(os.path.join(self.repo, path)):
                    raise Failure("%s is in no stage: name it in a file "
                                  "series/*/*/files, or remove it" % path)

    # ---- keys ---------------------------------------------------------

    def content_key(self, stage, parent_tree):
        """Everything the tree of a stage depends on."""
        parts = [ENGINE, parent_tree, self.base.series]
        for name in stage.files:
            path = os.path.join(self.repo, name)
            if not os.path.isfile(path):
                raise Failure("stage %s: %s is listed in `files` but is not "
                              "in this repository" % (stage.name, name))
            parts += ["file", name, "x" if os.access(path, os.X_OK) else "-",
                      read(path)]
        for name in stage.steps:
            parts += ["step", name, read(stage.step_path(name))]
            if name.endswith(".cocci"):
                parts += [read(path) for path in self.shared_rules(
                    stage, name)]
        if any(name.endswith(".cocci") for name in stage.steps):
            parts.append(self.spatch_version())
        return sha(*parts)

    def commit_key(self, stage, parent_commit, content_key):
        return sha(parent_commit, content_key, stage.message, *self.identity())

    # ---- one stage ----------------------------------------------------

    def position(self, commit):
        """Put the scratch worktree at a commit, clean."""
        if self.apply_head == commit:
            return
        self.worktree(self.apply_dir, commit)
        self.git("reset", "-q", "--hard", commit, cwd=self.apply_dir)
        self.git("clean", "-fdxq", cwd=self.apply_dir)
        self.apply_head = commit

    def copy_files(self, stage):
        for name in stage.files:
            source = os.path.join(self.repo, name)
            target = os.path.join(self.apply_dir, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(source, target)
            os.chmod(target, 0o755 if os.access(source, os.X_OK) else 0o644)

    def candidates(self, stage, name, text):
        patterns = re.findall(r"^//\s*candidates:\s*(.+?)\s*$", text, re.M)
        self.git("add", "-A", "-f", ".", cwd=self.apply_dir)
        for operation in self.operation(text):
            patterns.append(self.implementations(operation))
        if not patterns:
            raise Failure("stage %s: %s has no `// candidates: REGEX` line "
                          "and no `// operation: NAME` line"
                          % (stage.name, name))
        paths = " ".join(re.findall(r"^//\s*paths:\s*(.+?)\s*$", text, re.M))
        where = ["%s/*.%s" % (path, kind) for path in paths.split()
                 for kind in "ch"] or ["*.c", "*.h"]
        result = self.git("grep", "-lE", "-e", "|".join(patterns), "--",
                          *where, *NOT_CANDIDATES, cwd=self.apply_dir,
                          check=False)
        files = set(result.stdout.split())
        headers = re.findall(r"^//\s*headers:\s*(.+?)\s*$", text, re.M)
        if headers:
            files.update(self.git(
                "grep", "-lE", "-e", "|".join(headers), "--",
                *[item for item in where if item.endswith(".h")],
                *NOT_CANDIDATES, cwd=self.apply_dir,
                check=False).stdout.split())
        # Our own files have their final form.
        files = sorted(files - self.own_files())
        if not files:
            raise Failure("stage %s: %s: no file matches its candidates: %s"
                          % (stage.name, name, " | ".join(patterns)))
        return files

    def own_files(self):
        return {name for stage in self.stages() for name in stage.files}

    @staticmethod
    def operation(text):
        """The address_space operation that a semantic patch is about."""
        return re.findall(r"^//\s*operation:\s*(\w+)\s*$", text, re.M)

    def implementations(self, operation):
        """Pattern of the files that name an operation or implement it."""
        result = self.git("grep", "-ohE", r"\.%s[[:space:]]*=[[:space:]]*&?"
                          r"\w+" % operation, "--", "*.c", "*.h",
                          *NOT_CANDIDATES, cwd=self.apply_dir, check=False)
        names = sorted(set(re.findall(r"(\w+)$", result.stdout, re.M)))
        return r"(\.|->)%s\b|\b(%s)\b" % (operation, "|".join(
            names or [operation]))

    def shared_rules(self, stage, name):
        """Files of rules that a semantic patch shares with other stages."""
        found = re.findall(r"^//\s*rules:\s*(\S+)\s*$",
                           read_text(stage.step_path(name)), re.M)
        paths = [os.path.join(self.series_dir, item) for item in found]
        for path in paths:
            if not os.path.isfile(path):
                raise Failure("stage %s: %s names rules that do not exist: %s"
                              % (stage.name, name, path))
        return paths

    def semantic_patch(self, stage, name):
        """(file for spatch, text, options) of a semantic patch."""
        path = stage.step_path(name)
        text = read_text(path)
        for shared in self.shared_rules(stage, name):
            # one file for spatch: what all stages share comes first
            text = read_text(shared) + "\n" + text
            path = os.path.join(self.logs, "%s.%s" % (
                stage.name.replace("/", "."), name))
            write_text(path, text)
        options = []
        for line in re.findall(r"^//\s*arguments:\s*(.+?)\s*$", text, re.M):
            options += line.replace("@STAGE@", stage.path).split()
        for operation in self.operation(text):
            options += ["-D", "op=" + operation]
        if re.search(r"^virtual\s.*\bpatch\b", text, re.M) \
                and "patch" not in options:
            options += ["-D", "patch"]
        return path, text, options

    def run_cocci(self, stage, name):
        path, text, options = self.semantic_patch(stage, name)
        files = self.candidates(stage, name, text)
        # A result may be reused where it depends on nothing but the files.
        key = None
        if "--no-includes" in options:
            blobs = self.git("ls-files", "-s", "--", *files,
                             cwd=self.apply_dir).stdout
            key = sha(ENGINE, self.spatch_version(), text, " ".join(options),
                      blobs)
            if self.replay_cocci(key):
                return len(files), "reused"
        log = os.path.join(self.logs, "%s.%s.log" % (
            stage.name.replace("/", "."), name))
        # The tree's own .cocciconfig sets a timeout: ours comes later.
        command = ["spatch", "--sp-file", path, "--in-place",
                   "--no-show-diff", "--timeout", "7200"] + options
        # What a rule knows of one file may not matter for another.
        alone = re.search(r"^//\s*files:\s*one at a time\s*$", text, re.M)
        status, output = spatch(command, [[name] for name in files] if alone
                                else [files], self.apply_dir)
        write_text(log, "$ " + " ".join(command + files) + "\n" + output)
        bad = [line for line in output.split("\n")
               if SPATCH_BAD.search(line)
               and not line.startswith("HANDLING: ")]
        if status or bad:
            raise Failure(
                "stage %s: semantic patch %s failed (spatch status %d) on %d "
                "files\n%s\n  log: %s" % (
                    stage.name, name, status, len(files),
                    "\n".join("  " + line for line in
                              (bad or output.split("\n"))[:12]), log))
        changed = self.git("diff", "--name-only",
                           cwd=self.apply_dir).stdout.split()
        if not changed:
            raise Failure("stage %s: semantic patch %s changed none of %d "
                          "candidate files\n  log: %s"
                          % (stage.name, name, len(files), log))
        if key:
            self.git("add", "-A", "-f", ".", cwd=self.apply_dir)
            self.state["cocci"][key] = self.git(
                "ls-files", "-s", "--", *changed,
                cwd=self.apply_dir).stdout
            self.save_state()
        return len(files), "%d changed" % len(changed)

    def replay_cocci(self, key):
        listing = self.state["cocci"].get(key)
        if not listing:
            return False
        if any(not self.has(line.split()[1]) for line in listing.splitlines()):
            return False
        self.git("update-index", "--index-info", cwd=self.apply_dir,
                 stdin=listing)
        paths = [line.split("\t", 1)[1] for line in listing.splitlines()]
        self.git("checkout", "--", *paths, cwd=self.apply_dir)
        return True

    def run_patch(self, stage, name):
        path = stage.step_path(name)
        log = os.path.join(self.logs, "%s.%s.log" % (
            stage.name.replace("/", "."), name))
        result = run(["patch", "-p1", "-N", "-F2", "-r", "-", "-i", path,
                      "--no-backup-if-mismatch"], cwd=self.apply_dir,
                     check=False)
        output = result.stdout + result.stderr
        write_text(log, output)
        if result.returncode:
            raise Failure("stage %s: patch %s does not apply\n%s\n  log: %s\n"
                          "  to adapt it: `make edit STAGE=%s` needs the stage"
                          " to apply once; else correct\n  %s by hand against "
                          "%s" % (stage.name, name,
                                  explain_patch(read_text(path), output), log,
                                  stage.name, path, self.apply_dir))
        moved = [line for line in output.split("\n")
                 if line.startswith("Hunk") and
                 ("fuzz" in line or "offset" in line)]
        fuzz = sum("fuzz" in line for line in moved)
        if self.verbose:
            for line in output.split("\n"):
                if line:
                    say("    " + line)
        if fuzz:
            return "%d hunks moved, %d with fuzz" % (len(moved), fuzz)
        return "%d hunks moved" % len(moved) if moved else ""

    def run_steps(self, stage, steps):
        for name in steps:
            start = time.time()
            if name.endswith(".cocci"):
                if self.verbose or len(steps) > 1:
                    say("    %s ..." % name)
                count, note = self.run_cocci(stage, name)
                say("    %s: %d candidates, %s, %.1f s" % (
                    name, count, note, time.time() - start))
            else:
                note = self.run_patch(stage, name)
                if note:
                    say("    %s: %s" % (name, note))

    def build_stage(self, stage, parent):
        """Apply a stage in the scratch worktree; return its tree."""
        self.position(parent)
        self.apply_head = None
        self.copy_files(stage)
        self.run_steps(stage, stage.steps)
        tree = self.write_tree(self.apply_dir)
        names = self.git("diff-tree", "-r", "--name-only", "--no-renames",
                         parent, tree).stdout.split("\n")
        left = [name for name in names if name.endswith(LEFTOVERS)]
        if left:
            raise Failure("stage %s leaves behind: %s"
                          % (stage.name, " ".join(left)))
        if tree == self.tree_of(parent):
            raise Failure("stage %s changes nothing on base %s"
                          % (stage.name, self.base.version))
        return tree

    # ---- commands -----------------------------------------------------

    def apply_all(self, stages=None):
        """Apply what is not yet applied; return [(stage, commit)]."""
        stages = stages if stages is not None else self.stages()
        parent, result, fresh = self.base.commit, [], 0
        begin = time.time()
        for number, stage in enumerate(stages, 1):
            content = self.content_key(stage, self.tree_of(parent))
            tree = self.state["trees"].get(content)
            label = "[%d/%d] %s" % (number, len(stages), stage.name)
            if tree is None or not self.has(tree):
                say("%s: %s" % (label, stage.message.split("\n")[0]))
                start = time.time()
                tree = self.build_stage(stage, parent)
                self.state["trees"][content] = tree
                self.save_state()
                count = len(self.git("diff-tree", "-r", "--name-only", parent,
                                     tree).stdout.split())
                say("    %d files, %.1f s" % (count, time.time() - start))
                fresh += 1
            key = self.commit_key(stage, parent, content)
            commit = self.state["commits"].get(key)
            if commit is None or not self.has(commit):
                commit = self.git(
                    "commit-tree", tree, "-p", parent, "-F", "-",
                    env=self.commit_environment(),
                    stdin=stage.message).stdout.strip()
                self.state["commits"][key] = commit
                self.save_state()
            if self.apply_head is None and fresh:
                self.git("reset", "-q", "--soft", commit, cwd=self.apply_dir)
                self.apply_head = commit
            result.append((stage, commit))
            parent = commit
        if fresh < len(stages):
            say("%d of %d stages reused" % (len(stages) - fresh, len(stages)))
        say("series: %d stages on %s, tree %s, %.1f s" % (
            len(stages), self.base.version, self.tree_of(parent)[:12],
            time.time() - begin))
        return result

    def user_changes(self):
        """What a person changed in tree/ since we wrote it, or None."""
        if not os.path.exists(os.path.join(self.tree_dir, ".git")):
            return None
        head = self.git("rev-parse", "HEAD", cwd=self.tree_dir).stdout.strip()
        known = self.state.get("tree_head")
        if head != known:
            return "commits that are not from the series (HEAD is %s, the " \
                "series ended at %s)" % (head[:12], (known or "-")[:12])
        status = self.git("status", "--porcelain", "-unormal",
                          cwd=self.tree_dir).stdout
        if status:
            lines = status.rstrip("\n").split("\n")
            return "uncommitted changes:\n" + "\n".join(
                "    " + line for line in lines[:8]) + (
                    "\n    ... %d in all" % len(lines)
                    if len(lines) > 8 else "")
        return None

    def refuse_edits(self):
        changes = self.user_changes()
        if changes:
            raise Failure(
                "%s has %s\n  They are yours, nothing was overwritten. Fold "
                "them into a stage with\n    make fold STAGE=<group>/<stage>\n"
                "  or drop them with\n    git -C %s reset -q --hard %s && "
                "git -C %s clean -fdq" % (
                    self.tree_dir, changes, self.tree_dir,
                    self.state.get("tree_head", "page-xa"), self.tree_dir))

    def move_tree(self, commit):
        if self.worktree(self.tree_dir, commit, "page-xa"):
            pass
        elif self.git("rev-parse", "HEAD",
                      cwd=self.tree_dir).stdout.strip() != commit:
            # reset touches only the files that differ: make stays quick
            self.git("reset", "-q", "--hard", commit, cwd=self.tree_dir)
        self.state["tree_head"] = commit
        self.save_state()

    def command_apply(self):
        self.refuse_edits()
        applied = self.apply_all()
        self.state["stages"] = {stage.name: commit
                                for stage, commit in applied}
        self.move_tree(applied[-1][1])
        return applied

    def command_group(self, group, target):
        """A worktree of the base plus one group (the comparison kernel)."""
        stages = [stage for stage in self.stages()
                  if stage.name.startswith(group + "/")]
        if not stages:
            raise Failure("no stage in group %s" % group)
        applied = self.apply_all(stages)
        commit = applied[-1][1]
        path = os.path.join(self.work, target)
        if not self.worktree(path, commit):
            self.git("reset", "-q", "--hard", commit, cwd=path)
        say("%s: base %s + group %s" % (path, self.base.version, group))

    def current_stages(self):
        """Stages as applied, after bringing everything up to date."""
        return self.command_apply()

    def command_patches(self):
        applied = self.command_apply()
        out = os.path.join(self.work, "patches")
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        head = applied[-1][1]
        env = self.commit_environment()
        self.git("-c", "format.signature=page-xa", "-c",
                 "diff.noprefix=false", "-c", "diff.renames=false",
                 "format-patch", "-q", "--cover-letter", "--no-color",
                 "--no-ext-diff", "--subject-prefix=PATCH", "--zero-commit",
                 "-o", out, self.base.commit + ".." + head, env=env)
        self.write_cover(out)
        names = sorted(os.listdir(out))
        say("series: %d patches and a cover letter in %s"
            % (len(names) - 1, out))
        self.check_am([os.path.join(out, name) for name in names
                       if not name.startswith("0000-")], head)
        return out

    def write_cover(self, out):
        cover = os.path.join(out, "0000-cover-letter.patch")
        text = read_text(cover)
        source = os.path.join(self.series_dir, "cover-letter")
        if not os.path.exists(source):
            raise Failure("no cover letter: %s (first line subject, then the "
                          "text)" % source)
        subject, _, blurb = read_text(source).partition("\n")
        text = text.replace("*** SUBJECT HERE ***", subject.strip())
        text = text.replace("*** BLURB HERE ***", blurb.strip("\n"))
        write_text(cover, text)

    def check_am(self, patches, head):
        """git am of the exported patches must give the same tree."""
        path = os.path.join(self.work, "am")
        start = time.time()
        if os.path.exists(path):
            shutil.rmtree(path)
        self.git("worktree", "prune")
        # Only what the series touches is checked out: git am looks at no more
        self.git("worktree", "add", "-f", "-q", "--no-checkout", "--detach",
                 path, self.base.commit)
        names = self.git("diff", "--name-only", "--no-renames",
                         "--diff-filter=a", self.base.commit, head).stdout
        self.git("read-tree", self.base.commit, cwd=path)
        self.git("checkout-index", "-f", "--stdin", cwd=path, stdin=names)
        try:
            result = self.git("-c", "core.hooksPath=/dev/null", "-c",
                              "commit.gpgsign=false", "am", "-q",
                              "--whitespace=nowarn", *patches, cwd=path,
                              check=False, env=self.commit_environment())
            if result.returncode:
                raise Failure("git am of the exported series failed:\n" +
                              (result.stdout + result.stderr).strip())
            got = self.git("rev-parse", "HEAD^{tree}", cwd=path).stdout.strip()
            want = self.tree_of(head)
            if got != want:
                names = self.git("diff", "--stat", want, got).stdout
                raise Failure("git am of the exported series gives another "
                              "tree than the engine:\n" + names)
        finally:
            shutil.rmtree(path, ignore_errors=True)
            self.git("worktree", "prune")
        say("series: git am on the base gives the same tree %s (%.1f s)"
            % (want[:12], time.time() - start))

    # ---- edit and fold ------------------------------------------------

    def find(self, applied, name):
        parent = self.base.commit
        for stage, commit in applied:
            if stage.name == name:
                return stage, parent, commit
            parent = commit
        raise Failure("no stage %s; the stages are:\n  %s" % (
            name or "(none given, say STAGE=<group>/<stage>)",
            "\n  ".join(stage.name for stage, _ in applied)))

    def edit_changes(self):
        edit = self.state.get("edit")
        if not edit or not os.path.exists(os.path.join(self.edit_dir, ".git")):
            return False
        return self.write_tree(self.edit_dir) != self.tree_of(edit["commit"])

    def command_edit(self, name):
        if self.edit_changes():
            raise Failure(
                "%s holds changes to stage %s\n  fold them with `make fold "
                "STAGE=%s`, or drop them with\n  rm -rf %s" % (
                    self.edit_dir, self.state["edit"]["stage"],
                    self.state["edit"]["stage"], self.edit_dir))
        applied = self.command_apply()
        stage, _, commit = self.find(applied, name)
        if not self.worktree(self.edit_dir, commit):
            self.git("reset", "-q", "--hard", commit, cwd=self.edit_dir)
        self.state["edit"] = {"stage": stage.name, "commit": commit}
        self.save_state()
        say("%s is the tree as of stage %s; change it, then\n"
            "  make fold STAGE=%s" % (self.edit_dir, stage.name, stage.name))

    def edited_tree(self, stage, commit, name):
        """The tree the user wants for a stage: from edit/, else tree/."""
        edit = self.state.get("edit")
        if self.edit_changes():
            if edit["stage"] != name:
                raise Failure("%s was opened for stage %s, not for %s"
                              % (self.edit_dir, edit["stage"], name))
            if edit["commit"] != commit:
                raise Failure("stage %s changed in series/ since `make edit`"
                              ": the edit no longer matches it" % name)
            return self.write_tree(self.edit_dir), None
        known = self.state.get("tree_head")
        if known and self.user_changes():
            wanted = self.write_tree(self.tree_dir)
            delta = self.git("diff", "--binary", "--full-index",
                             "--no-renames", known, wanted).stdout
            self.position(commit)
            self.apply_head = None
            result = self.git("apply", "--index", "--3way", "-",
                              cwd=self.apply_dir, stdin=delta, check=False)
            if result.returncode:
                raise Failure(
                    "what you changed in %s does not fit stage %s by itself "
                    "(later stages touch the same lines):\n%s\n  change it in "
                    "`make edit STAGE=%s` instead" % (
                        self.tree_dir, name, result.stderr.strip(), name))
            return self.write_tree(self.apply_dir), wanted
        raise Failure("nothing to fold: neither %s nor %s differs from the "
                      "series" % (self.edit_dir, self.tree_dir))

    def command_fold(self, name):
        applied = self.apply_all()
        stage, parent, commit = self.find(applied, name)
        tree, wanted = self.edited_tree(stage, commit, name)
        undo = self.fold(stage, parent, tree)
        try:
            again = Stage(self.series_dir, name, self.base.series)
            got = self.build_stage(again, parent)
            if got != tree:
                raise Failure("stage %s could not be folded: the rewritten "
                              "stage gives another tree:\n%s" % (
                                  name, self.git("diff", "--stat", tree,
                                                 got).stdout))
        except Failure:
            restore(undo)
            raise
        say("series: stage %s rewritten; see `git diff` and `git status`"
            % name)
        self.state.pop("edit", None)
        if os.path.exists(os.path.join(self.edit_dir, ".git")):
            shutil.rmtree(self.edit_dir)
            self.git("worktree", "prune")
        applied = self.apply_all()
        if wanted is not None and self.tree_of(applied[-1][1]) != wanted:
            raise Failure("stage %s was folded, but the series now ends in "
                          "another tree than yours in %s; it was left alone"
                          % (name, self.tree_dir))
        if wanted is None:
            self.refuse_edits()
        self.move_tree(applied[-1][1])

    def fold(self, stage, parent, tree):
        """Write the difference of a stage back into series/."""
        undo = {}
        for name in stage.files:
            entry = self.git("ls-tree", tree, "--", name).stdout.split()
            if not entry:
                raise Failure("%s is one of the stage's `files` but was "
                              "removed; take it out of %s/files instead"
                              % (name, stage.path))
            target = os.path.join(self.repo, name)
            data = subprocess.run(
                ["git", "--git-dir", self.git_dir, "cat-file", "blob",
                 entry[2]], stdout=subprocess.PIPE, check=True).stdout
            undo[target] = read(target)
            if data != undo[target]:
                with open(target, "wb") as handle:
                    handle.write(data)
                say("    %s updated" % name)
        cocci = [i for i, step in enumerate(stage.steps)
                 if step.endswith(".cocci")]
        first = cocci[-1] + 1 if cocci else 0
        patches = stage.steps[first:]
        self.position(parent)
        self.apply_head = None
        self.copy_files(stage)
        self.run_steps(stage, stage.steps[:first])
        middle = self.write_tree(self.apply_dir)
        delta = split_patch(self.git(
            "diff", "--no-color", "--no-ext-diff", "--no-renames",
            "--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=myers",
            "-U3", middle, tree).stdout)[1]
        old = {patch: split_patch(read_text(stage.step_path(patch)))
               for patch in patches}
        if not patches and delta:
            patches = ["50-hand.patch"]
            old[patches[0]] = ("", {})
        new = distribute(delta, patches, old)
        for patch in patches:
            path = stage.step_path(patch)
            undo[path] = read(path) if os.path.exists(path) else None
            if not new[patch]:
                if undo[path] is not None:
                    os.unlink(path)
                    say("    %s is empty now, removed" % patch)
                continue
            write_text(path, old[patch][0] + "".join(
                new[patch][name] for name in sorted(new[patch])))
            if undo[path] != read(path):
                say("    %s updated" % patch)
        return undo

    def command_list(self):
        known = self.state.get("stages", {})
        for stage in self.stages():
            say("%-12s %-28s %s" % (known.get(stage.name, "-")[:12],
                                    stage.name, stage.message.split("\n")[0]))

    def command_steps(self, command):
        """Run a command on each stage's commit in turn (proof it builds)."""
        applied = self.command_apply()
        path = os.path.join(self.work, "steps")
        self.worktree(path, self.base.commit)
        failed = []
        for number, (stage, commit) in enumerate(applied, 1):
            self.git("reset", "-q", "--hard", commit, cwd=path)
            start = time.time()
            log = os.path.join(self.logs, "build.%s.log"
                               % stage.name.replace("/", "."))
            with open(log, "wb") as handle:
                code = subprocess.run(
                    command + [path], stdin=subprocess.DEVNULL, stdout=handle,
                    stderr=subprocess.STDOUT, check=False).returncode
            say("[%d/%d] %s: %s, %.0f s" % (
                number, len(applied), stage.name,
                "builds" if code == 0 else "DOES NOT BUILD, see " + log,
                time.time() - start))
            if code:
                failed.append(stage.name)
        if failed:
            raise Failure("%d of %d stages do not build: %s" % (
                len(failed), len(applied), " ".join(failed)))


def restore(undo):
    for path, data in undo.items():
        if data is None:
            if os.path.exists(path):
                os.unlink(path)
        else:
            with open(path, "wb") as handle:
                handle.write(data)


# ---- patches as text ------------------------------------------------------

def split_patch(text):
    """(free text at the top, {path: its part of the patch})."""
    head, parts, name, lines = [], {}, None, text.splitlines(True)
    current, index = head, 0
    while index < len(lines):
        line = lines[index]
        following = lines[index + 1] if index + 1 < len(lines) else ""
        if line.startswith("diff --git "):
            block = [line]
            index += 1
            while index < len(lines) and not lines[index].startswith(
                    ("--- ", "diff --git ")):
                block.append(lines[index])
                index += 1
            name = re.match(r"diff --git a/(.*) b/(.*)\n?$", line).group(2)
            # blob hashes and a plain git header say nothing to a reader
            keep = [item for item in block
                    if re.match(r"(old|new|deleted) .*mode", item)]
            current = parts.setdefault(name, [])
            if keep:
                current += block
            continue
        if line.startswith("--- ") and following.startswith("+++ "):
            path = following if not following.startswith("+++ /dev/null") \
                else line
            found = path[4:].split("\t")[0].strip().split("/", 1)[1]
            if found != name:
                name = found
            current = parts.setdefault(name, [])
            current += [line, following]
            index += 2
            while index < len(lines) and lines[index].startswith("@@"):
                index = take_hunk(lines, index, current)
            continue
        current.append(line)
        index += 1
    return "".join(head), {key: "".join(value)
                           for key, value in parts.items()}


def take_hunk(lines, index, out):
    match = re.match(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@", lines[index])
    old = int(match.group(1) or 1)
    new = int(match.group(2) or 1)
    out.append(lines[index])
    index += 1
    while index < len(lines) and (old > 0 or new > 0 or
                                  lines[index].startswith("\\")):
        mark = lines[index][0]
        if mark == "-":
            old -= 1
        elif mark == "+":
            new -= 1
        elif mark != "\\":
            old -= 1
            new -= 1
        out.append(lines[index])
        index += 1
    return index


def hunks_of(part):
    """(header lines, [hunk text]) of one file's part of a patch."""
    pieces = re.split(r"(?m)^(?=@@ -)", part)
    return pieces[0], pieces[1:]


def changed_lines(part):
    return {line for line in part.split("\n")
            if line[:1] in "+-" and line.strip("+- \t")
            and not line.startswith(("--- ", "+++ "))}


def distribute(delta, patches, old):
    """Give each part of a delta to the patch that had it before.

    Paths named by only one patch go there, new paths to the last patch that
    serves all bases. A path named by several is split by hunk: a hunk goes
    to the patch with which it shares most changed lines.
    """
    new = {patch: {} for patch in patches}
    common = [patch for patch in patches if not VARIANT.match(patch)]
    for name, part in delta.items():
        owners = [patch for patch in patches if name in old[patch][1]]
        if not owners:
            owners = [(common or patches)[-1]]
        if len(owners) == 1:
            new[owners[0]][name] = part
            continue
        head, hunks = hunks_of(part)
        default = next((o for o in owners if not VARIANT.match(o)), owners[0])
        for hunk in hunks:
            lines = changed_lines(hunk)
            scores = [len(lines & changed_lines(old[o][1][name]))
                      for o in owners]
            best = owners[scores.index(max(scores))] if max(scores) \
                else default
            new[best][name] = new[best].get(name, head) + hunk
    return new


def explain_patch(text, output):
    """Name file and hunk of a patch(1) failure, show the hunk."""
    parts = split_patch(text)[1]
    report, current = [], None
    for line in output.split("\n"):
        match = re.match(r"patching file '?([^']+?)'?$", line)
        if match:
            current = match.group(1)
            continue
        match = re.match(r"Hunk #(\d+) FAILED at (\d+)", line)
        if match and current:
            report.append("  file %s, hunk #%s at line %s:" % (
                current, match.group(1), match.group(2)))
            hunks = hunks_of(parts.get(current, ""))[1]
            number = int(match.group(1))
            if number <= len(hunks):
                shown = hunks[number - 1].rstrip("\n").split("\n")
                report += ["      " + item for item in shown[:24]]
                if len(shown) > 24:
                    report.append("      ... %d lines more"
                                  % (len(shown) - 24))
        elif "can't find file" in line or "No file to patch" in line:
            missing = [name for name in parts
                       if ("patching file " + name) not in output]
            report.append("  %s (file %s)" % (line.strip(),
                                              (missing or ["?"])[0]))
        elif "previously applied" in line:
            report.append("  file %s: %s" % (current or "?", line.strip()))
        elif "malformed" in line or "garbage" in line:
            report.append("  " + line.strip())
    return "\n".join(report) if report else "  " + output.strip()[-1500:]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repo", default=os.path.dirname(
        os.path.dirname(os.path.abspath(__file__))))
    parser.add_argument("--work", required=True,
                        help="work folder of the base, build/<base>")
    parser.add_argument("--series", help="another folder than series/")
    parser.add_argument("--verbose", action="store_true")
    sub = parser.add_subparsers(dest="command", required=True)
    sub.add_parser("apply")
    sub.add_parser("list")
    sub.add_parser("patches")
    for name in ("edit", "fold"):
        sub.add_parser(name).add_argument("stage", nargs="?", default="")
    group = sub.add_parser("group")
    group.add_argument("group")
    group.add_argument("target")
    steps = sub.add_parser("steps")
    steps.add_argument("argv", nargs=argparse.REMAINDER)
    args = parser.parse_args(argv)
    try:
        engine = Engine(args.repo, args.work, args.verbose, args.series)
        engine.lock()
        if args.command == "apply":
            engine.command_apply()
        elif args.command == "list":
            engine.command_list()
        elif args.command == "patches":
            engine.command_patches()
        elif args.command == "edit":
            engine.command_edit(args.stage)
        elif args.command == "fold":
            engine.command_fold(args.stage)
        elif args.command == "group":
            engine.command_group(args.group, args.target)
        else:
            engine.command_steps(args.argv)
    except Failure as failure:
        print("series: error: %s" % failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
