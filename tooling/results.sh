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

# part NAME LOG COMMAND...: a step that either works or not. With PART_LATE it is
# skipped, for that reason, if timeout(1) ended it.
part()
{
	local name=$1 log=$2 start=$SECONDS status=0
	shift 2
	echo "== $name"
	"$@" >"$log" 2>&1 </dev/null || status=$?
	case $status in
	0)
		result ok "$name"
		echo "   done in $((SECONDS - start)) s"
		return 0 ;;
	124|137)
		if [ -n "${PART_LATE:-}" ]; then
			result skip "$name" "$PART_LATE"
			return 1
		fi ;;
	esac
	grep -E 'error|Error|not ok|FAIL' "$log" | tail -n 6 | sed 's/^/   /' || true
	result "not ok" "$name" "see $log"
	return 1
}

# in_time SECONDS NAME: is it early enough for this? If not it is skipped.
in_time()
{
	[ $SECONDS -gt "$1" ] || return 0
	result skip "$2" "no time: $SECONDS s since the start"
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
