import type { Command } from "../command.ts";
import { flagWords, operandValues, plusWords, type Values } from "./vocabulary.ts";

/**
 * A completion script for bash (3.2 and later; the package bash-completion is not needed).
 *
 * bash cuts `-flag=value` at the equals sign, unless COMP_WORDBREAKS says otherwise, so both are read.
 */
export function bashCompletion(commands: readonly Command[], version: string): string {
  const named = commands.filter(({ name }) => name !== "").map(({ name }) => name);
  return `# bash completion for nodens ${version}, printed by "nodens completion bash".

_nodens() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]}
  local command= equals= prefix= flags= twice= plus= i operand=0
  if [[ $word == "=" ]]; then
    word= equals=yes
  elif [[ $before == "=" ]]; then
    before=\${COMP_WORDS[COMP_CWORD - 2]} equals=yes
  elif [[ $word == -*=* ]]; then
    before=\${word%%=*} equals=yes
    prefix=$before= word=\${word#*=}
  fi
  if ((COMP_CWORD > 1)); then
    case \${COMP_WORDS[1]} in
      ${named.join(" | ")}) command=\${COMP_WORDS[1]} ;;
    esac
  fi
  case $command:$before in
${commands.map(valueCases).filter((text) => text !== "").join("\n")}
  esac
  if [[ $equals ]]; then
    _nodens_words "$prefix" "true false" "$word"
    return
  fi
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [[ \${COMP_WORDS[i + 1]} == "=" ]]; then
      ((i += 2))
      continue
    fi
    case $command:\${COMP_WORDS[i]} in
      ${valueFlags(commands).join(" | ")}) ((i++)) ;;
      *:[-+@]*) ;;
      *) ((operand++)) ;;
    esac
  done
  case $command in
${commands.map(flagCase).join("\n")}
  esac
  case $word in
    --*) _nodens_words "" "$twice" "$word" ;;
    -*) _nodens_words "" "$flags" "$word" ;;
    +*) _nodens_words "" "$plus" "$word" ;;
    *)
      if [[ -z $command ]] && ((COMP_CWORD == 1)); then
        _nodens_words "" "${named.join(" ")}" "$word"
        return
      fi
      case $command:$operand in
${commands.map(operandCases).filter((text) => text !== "").join("\n")}
      esac
      if [[ -z $word ]]; then _nodens_words "" "$flags $plus" ""; fi
      ;;
  esac
}

# Those of the words that begin as what is there, after a prefix that bash has not cut off.
_nodens_words() {
  local line
  while IFS= read -r line; do
    COMPREPLY+=("$1$line")
    if [[ $line == *= ]]; then compopt -o nospace 2>/dev/null; fi
  done < <(compgen -W "$2" -- "$3")
}

_nodens_files() {
  local line
  compopt -o filenames 2>/dev/null
  while IFS= read -r line; do COMPREPLY+=("$1$line"); done < <(compgen -f -- "$2")
}

complete -F _nodens nodens
`;
}

function valueCases(command: Command): string {
  return flagWords(command).filter(({ takesValue }) => takesValue).map(({ spellings, values }) => {
    const pattern = spellings.map((spelling) => `${command.name}:${spelling}`).join(" | ");
    return `    ${pattern}) ${complete(values, '"$prefix"')}return ;;`;
  }).join("\n");
}

function valueFlags(commands: readonly Command[]): string[] {
  return commands.flatMap((command) =>
    flagWords(command).filter(({ takesValue }) => takesValue).flatMap(({ spellings }) =>
      spellings.map((spelling) => `${command.name}:${spelling}`)
    )
  );
}

function flagCase(command: Command): string {
  const spellings = flagWords(command).flatMap((word) => word.spellings);
  const once = spellings.filter((spelling) => !spelling.startsWith("--"));
  const twice = spellings.filter((spelling) => spelling.startsWith("--"));
  const plus = plusWords(command).map((word) => word.spellings[0]! + (word.takesValue ? "=" : ""));
  const name = command.name === "" ? '""' : command.name;
  return `    ${name}) flags="${once.join(" ")}" twice="${twice.join(" ")}" plus="${
    plus.join(" ")
  }" ;;`;
}

function operandCases(command: Command): string {
  return operandValues(command).map((values, i) =>
    values === null ? "" : `        ${command.name}:${i}) ${complete(values, '""')}return ;;`
  ).filter((text) => text !== "").join("\n");
}

function complete(values: Values, prefix: string): string {
  if (values === null) return "";
  if ("files" in values) return `_nodens_files ${prefix} "$word"; `;
  return `_nodens_words ${prefix} "${values.words.join(" ")}" "$word"; `;
}
