# SPDX-License-Identifier: BSD-3-Clause
# Completion of vswitchd for bash.

_vswitchd()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}

	if [[ $previous == -c || $previous == --config ]]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		compopt -o filenames 2>/dev/null
	else
		mapfile -t COMPREPLY < <(compgen -W '-c --config --check --version -h --help --' \
			-- "$current")
	fi
}

complete -F _vswitchd vswitchd
