import type { Command } from "../command.ts";
import { flagWords, operandValues, plusWords, type Values } from "./vocabulary.ts";

/** A completion script for fish. */
export function fishCompletion(commands: readonly Command[], version: string): string {
  const named = commands.filter(({ name }) => name !== "");
  const takers = commands.flatMap((command) =>
    flagWords(command).filter(({ takesValue }) => takesValue).flatMap(({ spellings }) =>
      spellings.map((spelling) => `${command.name}:${spelling}`)
    )
  );
  return `# fish completion for nodens ${version}, printed by "nodens completion fish".

set -g __nodens_commands ${named.map(({ name }) => name).join(" ")}
set -g __nodens_takers ${takers.join(" ")}

# The command of the line; nothing where nodens is to serve.
function __nodens_command
    set -l words (commandline -opc)
    if test (count $words) -gt 1; and contains -- $words[2] $__nodens_commands
        echo $words[2]
    end
end

function __nodens_in
    test "$(__nodens_command)" = "$argv[1]"
end

function __nodens_first
    test (count (commandline -opc)) -eq 1
end

# Whether the word at the cursor is the command's operand of that number, from 0.
function __nodens_operand
    __nodens_in $argv[1]; or return 1
    set -l words (commandline -opc)
    set -l number 0
    set -l skip 0
    for word in $words[3..-1]
        if test $skip = 1
            set skip 0
        else if contains -- "$argv[1]:$word" $__nodens_takers
            set skip 1
        else if not string match -qr '^[-+@]' -- $word
            set number (math $number + 1)
        end
    end
    test $skip = 0 -a $number = $argv[2]
end

function __nodens_plus
    __nodens_in $argv[1]; and string match -q -- '+*' (commandline -ct)
end

complete -c nodens -e
complete -c nodens -f
${named.map(firstWord).join("\n")}
${commands.flatMap(commandLines).join("\n")}
`;
}

function firstWord({ name, summary }: Command): string {
  return `complete -c nodens -n __nodens_first -a ${name} -d ${quoted(summary)}`;
}

function commandLines(command: Command): string[] {
  const here = `-n ${quoted(`__nodens_in '${command.name}'`)}`;
  const flags = flagWords(command).map(({ spellings, help, takesValue, values }) => {
    const options = spellings.map((spelling) =>
      spelling.startsWith("--") ? `-l ${spelling.slice(2)}` : `-o ${spelling.slice(1)}`
    );
    // To fish, two dashes and a single letter are not a long option.
    const spelt = options.filter((option) => !/^-l .$/.test(option)).join(" ");
    return `complete -c nodens ${here} ${spelt}${takesValue ? ` ${completed(values)}` : ""} -d ${
      quoted(help)
    }`;
  });
  const plus = plusWords(command).map(({ spellings, help, takesValue }) =>
    `complete -c nodens -n ${quoted(`__nodens_plus ${command.name}`)} -a ${
      quoted(`${spellings[0]}${takesValue ? "=" : ""}`)
    } -d ${quoted(help)}`
  );
  const operands = operandValues(command).flatMap((values, i) =>
    values === null ? [] : [
      `complete -c nodens -n ${quoted(`__nodens_operand ${command.name} ${i}`)} ${
        "files" in values ? "-F" : `-a ${quoted(values.words.join(" "))}`
      }`,
    ]
  );
  return [...flags, ...plus, ...operands];
}

function completed(values: Values): string {
  if (values === null) return "-x";
  return "files" in values ? "-r -F" : `-x -a ${quoted(values.words.join(" "))}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
