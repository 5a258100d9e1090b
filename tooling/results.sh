# SPDX-License-Identifier: GPL-2.0
# Sourced by tooling/test: one TAP-like file of results for a whole run.

PASSED=0 FAILED=0 SKIPPED=0

# result ok|"not ok"|skip NAME [NOTE]
result()
{
	local count=$((PASSED + FAILED + SKIPPED + 1))
	case $1 in
	ok) PASSED=$((PASSED + 1)); echo "ok $count - $2" >>"$RESULTS" ;;
	skip)
		SKIPPED=$((SKIPPED + 1))
		echo "ok $count - $2 # SKIP ${3:-}" >>"$RESULTS"
		echo "  skipped: $2 ${3:+($3)}" ;;
	*)
		FAILED=$((FAILED + 1))
		echo "not ok $count - $2${3:+ # $3}" >>"$RESULTS"
		echo "  FAILED: $2${3:+ ($3)}" ;;
	esac
}

# collect PREFIX FILE LOG: take over the result lines of a TAP file
collect()
{
	local prefix=$1 file=$2 log=$3 line name before=$((PASSED + FAILED + SKIPPED))
	if [ -e "$file" ]; then
		while IFS= read -r line; do
			name=${line#*- }
			case $line in
			'ok '*' # SKIP'*) result skip "$prefix: ${name%% # SKIP*}" "${name#*# SKIP }" ;;
			'ok '*) result ok "$prefix: $name" ;;
			'not ok '*) result "not ok" "$prefix: $name" "see $log" ;;
			esac
		done <"$file"
	fi
	[ $((PASSED + FAILED + SKIPPED)) -gt $before ] ||
		result "not ok" "$prefix: no results" "see $log"
}

# part NAME LOG COMMAND...: a step that either works or not
part()
{
	local name=$1 log=$2 start=$SECONDS
	shift 2
	echo "== $name"
	if "$@" >"$log" 2>&1 </dev/null; then
		result ok "$name"
		echo "   done in $((SECONDS - start)) s"
		return 0
	fi
	grep -E 'error|Error|not ok|FAIL' "$log" | tail -n 6 | sed 's/^/   /' || true
	result "not ok" "$name" "see $log"
	return 1
}

# The one line a run ends with; the status of the run
summary()
{
	local line="$PASSED passed, $FAILED failed"
	[ $SKIPPED = 0 ] || line="$line, $SKIPPED skipped"
	echo "$line"
	[ $FAILED = 0 ] && [ $PASSED -gt 0 ]
}

# What torture or powercut has done, by its log; and what torture has seen if it
# failed, or how its guest ended, for the log may be gone with the machine
figures()
{
	sed -n 's/^qemu-run: /   &/p' "$1"
	sed -n 's/^torture: [0-9]* operations.*/   &/p; s/^powercut: passed.*/   &/p' "$1"
	sed -n '/^torture: FAILED: /,$s/^torture: /   &/p' "$1" |
		awk '!/torture: log/ || ++n > 52' | head -n 24
}
