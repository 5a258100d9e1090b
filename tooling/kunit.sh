# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0
#
# KUnit in a guest. For tooling/test and test-long, after results.sh.

# Suites the series adds, as configured
own_suites()
{
	sed -n 's/^[[:space:]]*\.name = "\([^"]*\)".*/\1/p' \
		$(git -C "$ROOT" ls-files '*_test.c' | sed "s#^#$ROOT/#") 2>/dev/null || true
}

# kunit NAME [SUITE ...]: boot by KUNIT_BOOT, a guest that does nothing; all SUITEs
# must have run
kunit()
{
	local name=$1 status=0
	shift
	echo "== KUnit, $name"
	"${KUNIT_BOOT[@]}" --timeout 300 \
		--log "$OUT/kunit-$name.console" --quiet >"$OUT/kunit-$name.log" 2>&1 || status=$?
	python3 "$T/kunit.py" "$OUT/kunit-$name.console" --expect "$@" >"$OUT/kunit-$name.tap" || true
	collect "kunit $name" "$OUT/kunit-$name.tap" "$OUT/kunit-$name.console"
	if [ $status = 0 ]; then
		result ok "kunit $name: boots and ends without a kernel report"
	else
		sed 's/^/   /' "$OUT/kunit-$name.log"
		result "not ok" "kunit $name: boots and ends without a kernel report" \
			"see $OUT/kunit-$name.console"
	fi
}
