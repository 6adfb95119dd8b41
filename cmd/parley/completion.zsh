#compdef parley
# zsh completion for parley; made by: parley completion zsh
_parley() {
	local word help
	local -a found
	while IFS=$'\t' read -r word help; do
		found+=("${word//:/\\:}:$help")
	done < <("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
	if (( $#found )); then
		_describe -t commands parley found
	else
		_files
	fi
}
if [[ "${funcstack[1]}" == _parley ]]; then
	_parley "$@"
else
	compdef _parley parley
fi
