/** What a page tells its reader to type, or to save. */
export interface Page {
  commands: PageCommand[];
  /** Files to save: their names stand between backticks in the sentence before. */
  files: PageFile[];
}

/** One command of a fence that says `sh`; lines that end in a backslash are joined. */
export interface PageCommand {
  line: number;
  /** The second-level heading that it stands under; "" before the first. */
  section: string;
  /** Without a remark behind it. */
  text: string;
}

/** A fence that says `corefile`. */
export interface PageFile {
  line: number;
  section: string;
  /** "" where the page does not say what to call it. */
  name: string;
  text: string;
}

/** Reads the fences of a page in Markdown. */
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
      // A blank line after it ends a paragraph, but what follows may still be about that.
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
