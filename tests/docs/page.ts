export interface Page {
  commands: PageCommand[];
  /** The previous sentence has their names in backticks. */
  files: PageFile[];
}

export interface PageCommand {
  line: number;
  /** The second-level heading above it; "" before the first. */
  section: string;
  text: string;
}

export interface PageFile {
  line: number;
  section: string;
  /** "" if the page does not name it. */
  name: string;
  text: string;
}

/** Parses the fences of a Markdown page. */
export function readPage(markdown: string): Page {
  const page: Page = { commands: [], files: [] };
  const lines = markdown.split("\n");
  let section = "";
  let paragraph = "";
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!;
    if (line.startsWith("## ")) section = line.slice(3);
    if (line.startsWith("#")) {
      paragraph = "";
      continue;
    }
    const language = /^```(\w*)$/.exec(line)?.[1];
    if (language === undefined) {
      if (line !== "") paragraph = lines[i - 1] === "" ? line : `${paragraph} ${line}`.trim();
      continue;
    }
    const end = lines.indexOf("```", i + 1);
    const body = lines.slice(i + 1, end);
    if (language === "sh") page.commands.push(...readCommands(body, { section, line: i + 2 }));
    if (language === "corefile") {
      const name = /^Save this as `([^`]+)`/.exec(paragraph)?.[1] ?? "";
      page.files.push({ line: i + 2, section, name, text: `${body.join("\n")}\n` });
    }
    i = end;
  }
  return page;
}

function readCommands(
  body: readonly string[],
  { section, line }: { section: string; line: number },
): PageCommand[] {
  const commands: PageCommand[] = [];
  let open = "";
  body.forEach((text, i) => {
    if (text.endsWith("\\")) {
      open += `${text.slice(0, -1).trimEnd()} `;
      return;
    }
    const whole = (open + text.trimStart()).replace(/ {2,}# .*$/, "").trim();
    open = "";
    if (whole !== "") commands.push({ line: line + i, section, text: whole });
  });
  return commands;
}
