# SPDX-License-Identifier: GPL-2.0
# Sourced by tooling/test: torture and power cuts in short, and the selftests of
# what User Mode Linux does not have, on x86-64 guests with four CPUs, under QEMU.
#
# They come last, and so does the build of their kernel, for the selftests have
# limits in seconds. CI ends a run after an hour, so this has to end in time, however
# slow the machine: what there is no time for is skipped, and says so. That a kernel
# does not build, that a program is not installed or that a guest hangs is no want of
# time, but a failure.
#
# The caller has set T, WORK, OUT and RESULTS, and sourced results.sh.

# Seconds since the start of the caller: when the build of the kernel is given up,
# and when all has to be over.
SMP_BUILT_BY=2700
SMP_ENDED_BY=3300
# What a run needs, on a slow host, so that it begins only if there is that much left.
SMP_TORTURE=120
SMP_POWERCUT=200
SMP_HW=200
# What none takes, however slow the host: it hangs. A guest that does says so itself
# after 150 s, or 400 s.
SMP_HANGS=600
SMP_FILESYSTEMS="ext4 xfs tmpfs all"

# Status 124: not in time.  Not in the foreground: make has children of its own, and
# all of them have to end.
smp_build()
{
	local status=0
	timeout -k 30 $((SMP_BUILT_BY > SECONDS ? SMP_BUILT_BY - SECONDS : 1)) \
		"$T/torture/run" --work "$WORK" --out "$OUT/torture" \
		--checks plain --build </dev/null >"$OUT/x86.log" 2>&1 || status=$?
	cat "$OUT/x86.log"
	return $status
}

limited()
{
	local limit=$1 status=0
	shift
	timeout --foreground -k 30 "$limit" "$@" || status=$?
	case $status in 124|137) echo "error: not at its end after $limit s" ;; esac
	return $status
}

# smp_part NAME LOG SECONDS COMMAND...
smp_part()
{
	local name=$1 log=$2 need=$3 left=$((SMP_ENDED_BY - SECONDS)) limit=$SMP_HANGS
	shift 3
	in_time $((SMP_ENDED_BY - need)) "$name" || return 0
	local PART_LATE=
	if [ $left -lt "$limit" ]; then
		limit=$left
		PART_LATE="no time: not at its end after $left s"
	fi
	part "$name" "$log" limited "$limit" "$@" || true
	figures "$log"
}

smp()
{
	local kernel='' fs name="the x86-64 kernel builds" status=0
	echo "== $name"
	smp_build >"$OUT/x86-kernel.log" || status=$?
	case $status in
	0)
		result ok "$name"
		kernel=$(tail -n 1 "$OUT/x86.log") ;;
	124|137)
		result skip "$name" "no time: not built in $SMP_BUILT_BY s"
		# nor is there for what needs it
		SMP_ENDED_BY=0 ;;
	*)
		sed 's/^/   /' "$OUT/x86-kernel.log"
		result "not ok" "$name" "see $OUT/x86-kernel.log"
		return 0 ;;
	esac
	smp_part "bad memory, nodes, x86-64 with 4 CPUs" "$OUT/hw.log" \
		"$SMP_HW" "$T/guest-tests/x86" --work "$WORK" --out "$OUT/hw" \
		--checks plain --only pxa_hw,pxa_smp --kernel "$kernel"
	for fs in $SMP_FILESYSTEMS; do
		smp_part "torture, $fs, 20 s, x86-64 with 4 CPUs" "$OUT/torture-$fs.log" \
			"$SMP_TORTURE" "$T/torture/run" --work "$WORK" --out "$OUT/torture" \
			--fs "$fs" --seconds 20 --seed 1 --checks plain --kernel "$kernel"
	done
	smp_part "3 power cuts, ext4, x86-64 with 4 CPUs" "$OUT/powercut.log" \
		"$SMP_POWERCUT" "$T/powercut/run" --work "$WORK" --out "$OUT/powercut" \
		--rounds 3 --seed 1 --kernel "$kernel"
}
