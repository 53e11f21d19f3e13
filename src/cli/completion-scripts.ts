/** The script that a shell reads to complete domsnap's command lines. */
export function completionScript(shell: 'bash' | 'zsh' | 'fish'): string {
  return { bash: BASH, zsh: ZSH, fish: FISH }[shell];
}

// All of them ask `domsnap __complete -- WORDS`, whose answer is one candidate a line.

const BASH = `# domsnap completion for bash: source <(domsnap completion bash)
_domsnap() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("$(printf '%q' "$line")")
  done < <(domsnap __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  [[ \${#COMPREPLY[@]} -eq 0 ]] && compopt -o default 2>/dev/null
  return 0
}
complete -F _domsnap domsnap
`;

const ZSH = `#compdef domsnap
# domsnap completion for zsh: source <(domsnap completion zsh)
_domsnap() {
  local -a found
  found=("\${(@f)$(domsnap __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[*]}" ]]; then compadd -a found; else _files; fi
}
if [[ "\${funcstack[1]}" = _domsnap ]]; then _domsnap "$@"; else compdef _domsnap domsnap; fi
`;

const FISH = `# domsnap completion for fish: domsnap completion fish | source
function __domsnap_complete
    set -l words (commandline -opc) (commandline -ct)
    domsnap __complete -- $words[2..-1] 2>/dev/null
end
complete -c domsnap -f -a '(__domsnap_complete)'
complete -c domsnap -n '__fish_seen_subcommand_from add' -F
`;
