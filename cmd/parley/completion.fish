# fish completion for parley; made by: parley completion fish
function __parley_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c parley -a '(__parley_complete)'
