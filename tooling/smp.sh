# SPDX-License-Identifier: GPL-2.0
# Sourced by tooling/test: torture and power cuts in short, on x86-64 guests with
# four CPUs, under QEMU.
#
# Their kernel is built at the lowest priority while the other tests run. CI ends
# a run after an hour, so this has to end in time, however slow the machine: what
# there is no time for is skipped, and says so. That a kernel does not build, that a
# program is not installed or that a guest hangs is no want of time, but a failure.
#
# The caller has set T, WORK, OUT and RESULTS, and sourced results.sh.

# Seconds since the start of the caller: when nobody waits for the kernel any more,
# and when all has to be over.
SMP_BUILT_BY=2700
SMP_ENDED_BY=3300
# What a run may take. It takes a minute or two; a guest that hangs says so after 150 s.
SMP_TORTURE=240
SMP_POWERCUT=400
SMP_FILESYSTEMS="ext4 xfs btrfs f2fs"
SMP_BUILDER=

smp_begin()
{
	# A session of its own: who ends it ends the compilers as well.
	setsid nice -n 19 "$T/torture/run" --work "$WORK" --out "$OUT/torture" --fs btrfs \
		--checks plain --build </dev/null >"$OUT/x86.log" 2>&1 &
	SMP_BUILDER=$!
}

smp_end()
{
	[ -n "$SMP_BUILDER" ] || return 0
	kill -- "-$SMP_BUILDER" 2>/dev/null || true
	wait "$SMP_BUILDER" 2>/dev/null || true
	SMP_BUILDER=
}

# Status 1: not in time
smp_built()
{
	! kill -0 "$SMP_BUILDER" 2>/dev/null || echo "== waiting for the x86-64 kernel"
	while kill -0 "$SMP_BUILDER" 2>/dev/null; do
		[ $SECONDS -lt "$SMP_BUILT_BY" ] || return 1
		sleep 1
	done
}

smp_status()
{
	local status=0
	wait "$SMP_BUILDER" || status=$?
	SMP_BUILDER=
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

# smp_part NAME LOG LIMIT COMMAND...
smp_part()
{
	local name=$1 log=$2 limit=$3
	shift 3
	if [ $((SECONDS + limit)) -gt "$SMP_ENDED_BY" ]; then
		echo "== $name"
		result skip "$name" "no time: $SECONDS s since the start"
		return 0
	fi
	part "$name" "$log" limited "$limit" "$@" || true
	sed -n 's/^torture: [0-9]* operations.*/   &/p; s/^powercut: passed.*/   &/p' "$log"
}

smp()
{
	local kernel='' fs
	if smp_built; then
		part "the x86-64 kernel builds" "$OUT/x86-kernel.log" smp_status || return 0
		kernel=$(tail -n 1 "$OUT/x86.log")
	else
		smp_end
		result skip "the x86-64 kernel builds" "no time: not built in $SMP_BUILT_BY s"
		# nor is there for what needs it
		SMP_ENDED_BY=0
	fi
	for fs in $SMP_FILESYSTEMS; do
		smp_part "torture, $fs, 20 s, x86-64 with 4 CPUs" "$OUT/torture-$fs.log" \
			"$SMP_TORTURE" "$T/torture/run" --work "$WORK" --out "$OUT/torture" \
			--fs "$fs" --seconds 20 --seed 1 --checks plain --kernel "$kernel"
	done
	smp_part "3 power cuts, ext4, x86-64 with 4 CPUs" "$OUT/powercut.log" \
		"$SMP_POWERCUT" "$T/powercut/run" --work "$WORK" --out "$OUT/powercut" \
		--rounds 3 --seed 1 --kernel "$kernel"
}
