# SPDX-License-Identifier: GPL-2.0
# Sourced by tooling/uml and tooling/x86: configure and build a kernel.
#
# kbuild SOURCE OUTPUT [TARGET ...], after the caller has set
#   KERNEL     what is built, for messages
#   KMAKE      arguments of make that choose the architecture
#   DEFCONFIG  the configuration target the fragments are put on top of
#   FRAGMENTS  names of tooling/configs/*.config, the user's choice first
#   TARGETS    what to build if no TARGET is given

CONFIGS=$ROOT/tooling/configs
watcher=

compiler()
{
	if command -v ccache >/dev/null; then
		echo "ccache ${CC:-gcc}"
	else
		echo "${CC:-gcc}"
	fi
}

kmake()
{
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
	make -C "$SOURCE" O="$OUTPUT" "${KMAKE[@]}" CC="$(compiler)" HOSTCC="$(compiler)" \
		LOCALVERSION= KBUILD_BUILD_USER=page-xa KBUILD_BUILD_HOST=localhost \
		KBUILD_BUILD_VERSION=1 KBUILD_BUILD_TIMESTAMP='Sun Oct 11 21:15:50 UTC 2020' \
		${MAKEARGS:-} "$@"
}

# Does the tree define a symbol, and does the symbol have a prompt? One without
# is selected by others and cannot be asked for.
offered()
{
	grep -rhE -A1 --include='Kconfig*' "^[[:space:]]*(menu)?config ${1#CONFIG_}\$" \
		"$SOURCE/mm" "$SOURCE/fs" "$SOURCE/lib" "$SOURCE/init" |
		grep -qE '^[[:space:]]*(bool|tristate) "'
}

# Is a line of series.config meant for this kernel?
wanted()
{
	case $1 in
	CONFIG_*_KUNIT_TEST=*) case " $FRAGMENTS " in *' kunit '*) ;; *) return 1 ;; esac ;;
	CONFIG_DEBUG_*=*) case " $FRAGMENTS " in *' test '*|*' x86-debug '*) ;; *) return 1 ;; esac ;;
	CONFIG_*) ;;
	*) return 1 ;;
	esac
	offered "${1%%=*}"
}

# The wanted settings: strict ones as they are, the series' if offered
fragment()
{
	local name line
	for name in $FRAGMENTS; do
		if [ "$name" = series ]; then
			while read -r line; do
				! wanted "$line" || echo "$line"
			done <"$CONFIGS/series.config"
		else
			cat "$CONFIGS/$name.config"
		fi
	done | last_setting
}

# Of several settings of a symbol the last holds
last_setting()
{
	awk '
	{ line[NR] = $0; symbol[NR] = "" }
	/^CONFIG_/ { symbol[NR] = $0; sub(/=.*/, "", symbol[NR]) }
	/^# CONFIG_[A-Za-z0-9_]* is not set$/ { symbol[NR] = $2 }
	{ last[symbol[NR]] = NR }
	END { for (n = 1; n <= NR; n++) if (symbol[n] == "" || last[symbol[n]] == n) print line[n] }'
}

# Every wanted setting must have survived the Kconfig dependencies
check_config()
{
	local line symbol lost=
	while read -r line; do
		case $line in
		CONFIG_*=*) grep -qxF "$line" "$OUTPUT/.config" || lost="$lost ${line}" ;;
		'# CONFIG_'*' is not set')
			symbol=${line#\# }; symbol=${symbol%% *}
			! grep -q "^$symbol=" "$OUTPUT/.config" || lost="$lost $symbol=n" ;;
		esac
	done <"$OUTPUT/fragment.config"
	[ -z "$lost" ] ||
		die "the kernel configuration refused:$lost" \
		    "see their dependencies in $SOURCE, or correct tooling/configs/*.config"
}

configure()
{
	mkdir -p "$OUTPUT"
	fragment >"$OUTPUT/fragment.new"
	if [ -e "$OUTPUT/.config" ] && cmp -s "$OUTPUT/fragment.new" "$OUTPUT/fragment.config"; then
		return
	fi
	mv "$OUTPUT/fragment.new" "$OUTPUT/fragment.config"
	rm -f "$OUTPUT/.config"
	kmake "$DEFCONFIG" >>"$LOG" 2>&1 || broken
	cat "$OUTPUT/fragment.config" >>"$OUTPUT/.config"
	kmake olddefconfig >>"$LOG" 2>&1 || broken
}

broken()
{
	grep -nE 'error:|Error [0-9]|undefined reference|No rule' "$LOG" | tail -n 12 >&2 || tail -n 12 "$LOG" >&2
	die "the $KERNEL of $SOURCE does not build" "whole log: $LOG"
}

# Say every 20 s how far the build is
progress()
{
	local start=$SECONDS
	while sleep 20; do
		say "  $(grep -cE '^  (CC|AR|AS|LD|HOSTCC) ' "$LOG") objects, $((SECONDS - start)) s"
	done
}

build()
{
	local start=$SECONDS status=0
	say "building ${TARGETS[*]} of $SOURCE in $OUTPUT (log: $LOG)"
	progress 9>&- &
	watcher=$!
	trap 'kill "$watcher" 2>/dev/null || true' EXIT
	kmake -j"$JOBS" "${TARGETS[@]}" </dev/null >>"$LOG" 2>&1 || status=$?
	kill $watcher 2>/dev/null || true
	wait $watcher 2>/dev/null || true
	trap - EXIT
	[ $status = 0 ] || broken
	say "done in $((SECONDS - start)) s"
}

# Until this ends nobody else builds in the same folder
lock_output()
{
	exec 9>>"$OUTPUT.lock"
	flock -n 9 && return
	say "waiting for another build in $OUTPUT"
	flock 9
}

kbuild()
{
	SOURCE=$(readlink -f "$1") OUTPUT=$(readlink -m "$2")
	shift 2
	[ $# = 0 ] || TARGETS=("$@")
	LOG=${LOG:-$(dirname "$OUTPUT")/logs/${OUTPUT##*/}.build.log}
	# Objects are found again in a clone at another path
	export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$(dirname "$OUTPUT")}

	need_command make gcc flex bison bc
	[ -d "$OUTPUT" ] || need_space 2
	mkdir -p "$(dirname "$LOG")" "$(dirname "$OUTPUT")"
	lock_output
	: >"$LOG"
	configure
	check_config
	build
}
