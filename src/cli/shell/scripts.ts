import type { Call, CommandIo } from "../command.ts";
import { VERSION } from "../version.ts";

/** `nodens completion SHELL`. */
export function run({ rest: [shell] }: Call, { output }: CommandIo): number {
  output.out(SCRIPTS[shell as keyof typeof SCRIPTS]);
  return 0;
}

const title = (shell: string) =>
  `# ${shell} completion for nodens ${VERSION}, printed by "nodens completion ${shell}".`;

/** Completion scripts, which call `nodens __complete`. */
export const SCRIPTS = {
  /** bash 3.2 and later. */
  bash: `${title("bash")}

_nodens() {
  local line=\${COMP_LINE:0:COMP_POINT} current cut= prefix= words
  read -ra words <<<"$line"
  if [[ $line == *[[:blank:]] ]]; then words+=(""); fi
  current=\${words[\${#words[@]} - 1]}
  if [[ $current == -*=* ]]; then
    # Usually bash cuts words at the equals sign, and replaces only what follows.
    if [[ $COMP_WORDBREAKS == *=* ]]; then cut=\${current%%=*}=; else prefix=\${current%%=*}=; fi
  fi
  while IFS=$'\\t' read -r line _; do
    if [[ $line == :files ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r line; do
        COMPREPLY+=("$prefix$line")
      done < <(compgen -f -- "\${current#"$cut$prefix"}")
    else
      if [[ $line == *= ]]; then compopt -o nospace 2>/dev/null; fi
      COMPREPLY+=("\${line#"$cut"}")
    fi
  done < <("\${words[0]}" __complete "\${words[@]:1}" 2>/dev/null)
}

complete -F _nodens nodens
`,
  /** For `$fpath` or sourcing. */
  zsh: `#compdef nodens
${title("zsh")}

_nodens() {
  local line word
  local -a closed open
  for line in "\${(@f)$($words[1] __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    if [[ $line == :files ]]; then
      compset -P '-*='
      _files
      return
    fi
    word=\${line%%$'\\t'*}
    if [[ -z $word ]]; then continue; fi
    line=\${word//:/\\\\:}:\${line#*$'\\t'}
    if [[ $word == *= ]]; then open+=($line); else closed+=($line); fi
  done
  _describe nodens closed -- open -S ''
}

if [[ $funcstack[1] == _nodens ]]; then
  _nodens "$@"
else
  compdef _nodens nodens
fi
`,
  fish: `${title("fish")}

function __nodens_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l current (commandline -ct)
    set -l found ($program __complete $words "$current" 2>/dev/null)
    if test "$found[1]" = :files
        set -l prefix (string match -r -- '^-[^=]*=' $current)
        for path in (__fish_complete_path (string replace -r -- '^-[^=]*=' '' "$current"))
            echo "$prefix$path"
        end
    else
        printf '%s\\n' $found
    end
end

complete -c nodens -e
complete -c nodens -f -a '(__nodens_complete)'
`,
} as const;
