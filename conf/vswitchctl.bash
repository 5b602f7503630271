# SPDX-License-Identifier: BSD-3-Clause
# Completion of vswitchctl for bash. The commands are those of its help; ports are asked for.

_vswitchctl()
{
	local current=${COMP_WORDS[COMP_CWORD]} program=${COMP_WORDS[0]} call=() words=() i=1
	local name line first second rest wanted='' place
	# a line of the help: two spaces, "command" or "group command", ARGUMENT... in capitals
	local of_help='^  ([a-z-]+)( ([a-z-]+))?( ([][A-Z=. ]+))? '

	# options, up to the command
	while ((i < COMP_CWORD)) && [[ ${COMP_WORDS[i]} == -* ]]; do
		if [[ ${COMP_WORDS[i]} == -s || ${COMP_WORDS[i]} == --socket ]]; then
			((i + 1 < COMP_CWORD)) || {
				mapfile -t COMPREPLY < <(compgen -f -- "$current")
				compopt -o filenames 2>/dev/null
				return
			}
			call=(-s "${COMP_WORDS[i + 1]}")
			((i++))
		fi
		((i++))
	done
	if ((i == COMP_CWORD)) && [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W '-s --socket --json -h --help' -- "$current")
		return
	fi

	place=$((COMP_CWORD - i))
	while IFS= read -r line; do
		[[ $line =~ $of_help ]] || continue
		first=${BASH_REMATCH[1]} second=${BASH_REMATCH[3]} rest=${BASH_REMATCH[5]}
		if ((place == 0)); then
			words+=("$first")
		elif [[ ${COMP_WORDS[i]} != "$first" ]]; then
			continue
		elif [[ -z $second ]]; then
			((place != 1)) || wanted=$rest
		elif ((place == 1)); then
			words+=("$second")
		elif ((place == 2)) && [[ ${COMP_WORDS[i + 1]} == "$second" ]]; then
			[[ $second == add ]] || wanted=$rest
		fi
	done < <("$program" --help 2>/dev/null | sed -n '/^Commands:/,/^$/p')

	case $wanted in
	NAME* | PORT* | '[NAME]'* | '[PORT]'*)
		while IFS= read -r name; do
			words+=("$name")
		done < <("$program" "${call[@]}" --json port list 2>/dev/null |
			grep -o '"name":"[^"]*"' | cut -d '"' -f 4)
		;;
	FILE*)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		compopt -o filenames 2>/dev/null
		return
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "${words[*]}" -- "$current" | sort -u)
}

complete -F _vswitchctl vswitchctl
