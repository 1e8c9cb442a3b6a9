import type { Command } from "../command.ts";
import { flagWords, operandValues, plusWords, type Values, type Word } from "./vocabulary.ts";

/** A completion script for zsh, for a file `_nodens` in a folder of `$fpath`, or to be sourced. */
export function zshCompletion(commands: readonly Command[], version: string): string {
  const named = commands.filter(({ name }) => name !== "");
  const serve = commands.find(({ name }) => name === "")!;
  return `#compdef nodens
# zsh completion for nodens ${version}, printed by "nodens completion zsh".

_nodens() {
  local -a commands=(
${named.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`).join("\n")}
  )
  if ((CURRENT == 2)) && [[ $words[2] != -* ]]; then
    _describe command commands
    return
  fi
  case $words[2] in
${named.map((command) => commandCase(command)).join("\n")}
    *)
      _arguments \\
${specs(serve)}
      ;;
  esac
}

if [[ $funcstack[1] == _nodens ]]; then
  _nodens "$@"
else
  compdef _nodens nodens
fi
`;
}

function commandCase(command: Command): string {
  return `    ${command.name})
      shift words
      ((CURRENT--))
      _arguments \\
${specs(command)}
      ;;`;
}

function specs(command: Command): string {
  const operands = operandValues(command).map((values, i) => {
    const { name } = command.operands[i]!;
    const optional = name.startsWith("[") ? ":" : "";
    return quoted(`${i + 1}:${optional}${escaped(name.replace(/[[\]]/g, ""))}:${action(values)}`);
  });
  const words = [...flagWords(command), ...plusWords(command)].flatMap(specsOf);
  return [...words, ...operands].map((spec) => `        ${spec}`).join(" \\\n");
}

function specsOf(word: Word): string[] {
  const others = `(${word.spellings.join(" ")})`;
  return word.spellings.map((spelling) => {
    const help = `[${escaped(word.help)}]`;
    const plus = spelling.startsWith("+");
    if (word.takesValue) {
      // Of dig's options the value follows in the same word.
      return quoted(`${others}${spelling}=${plus ? "-" : ""}${help}:value:${action(word.values)}`);
    }
    // A flag that is on by default is offered only to turn it off.
    const off = word.onByDefault ? "=-" : "";
    const values = word.onByDefault ? ":value:(true false)" : "";
    return quoted(`${others}${spelling}${off}${help}${values}`);
  });
}

function action(values: Values): string {
  if (values === null) return " ";
  return "files" in values ? "_files" : `(${values.words.join(" ")})`;
}

function escaped(text: string): string {
  return text.replace(/[\\[\]:]/g, "\\$&");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
